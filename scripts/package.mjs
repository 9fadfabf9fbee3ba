// `npm run package`: builds ./fsmon, then dist/ with the binary, a .deb and a tarball for x86-64 and arm64, and their checksums.
// Arguments are scripts/package/package.ts's (--native: this machine's processor only).
import { build } from "./setup/build.mjs";
import { main, run } from "./setup/step.mjs";

await main(() => {
  const bun = build();
  const { exitCode } = run(bun, ["scripts/package/package.ts", ...process.argv.slice(2)], {
    asTreeOwner: true,
  });
  return exitCode;
});
