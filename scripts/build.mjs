// `npm run build`: sets up what is missing and builds ./fsmon. Arguments are build.ts's (--helper, --force).
import { build } from "./setup/build.mjs";
import { main } from "./setup/step.mjs";

await main(() => void build({ args: process.argv.slice(2) }));
