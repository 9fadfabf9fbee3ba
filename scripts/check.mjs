// `npm run check`: types, lint and format, house rules; nothing is run. `npm test` does the same before its tests.
import { build } from "./setup/build.mjs";
import { runChecks } from "./setup/checks.mjs";
import { GLIBC_CHECKS_MIN } from "./setup/machine.mjs";
import { main } from "./setup/step.mjs";

await main(() => {
  const bun = build({ glibcMin: GLIBC_CHECKS_MIN, args: ["--helper"] });
  const failed = runChecks(bun);
  if (failed.length === 0) console.error("Types, lint and format, house rules: all in order");
  return failed.length === 0 ? 0 : 1;
});
