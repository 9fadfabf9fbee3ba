// `npm test`: sets up, builds, checks, then `bun test`. Arguments go to bun test: `npm test -- test/decode`.
// The very last line is "N passed, N failed" (", N skipped" may follow). The exit code is 0 only if something ran and
// nothing failed: bun's own is not enough, because process.exit(0) inside a test ends its run with 0 and no report.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "./setup/build.mjs";
import { runChecks } from "./setup/checks.mjs";
import { GLIBC_CHECKS_MIN } from "./setup/machine.mjs";
import { readReport, verdict } from "./setup/report.mjs";
import { main, Obstacle, projectDir, run } from "./setup/step.mjs";

/**
 * One test may take this long: those with a kernel and a real daemon wait for conditions (test/support/wait.ts), the longest takes half a
 * minute on two idle cores, and a machine may be slow and busy.
 */
const TEST_TIMEOUT_MS = 300_000;

await main(() => {
  let counts = { passed: 0, failed: 1, skipped: 0 };
  try {
    counts = test();
  } catch (error) {
    if (!(error instanceof Obstacle)) throw error;
    console.error(error.hint === null ? error.message : `${error.message}\n  hint: ${error.hint}`);
  }
  console.log(verdict(counts));
  return counts.failed === 0 && counts.passed > 0 ? 0 : 1;
});

function test() {
  const bun = build({ glibcMin: GLIBC_CHECKS_MIN });
  const failedChecks = runChecks(bun);
  if (failedChecks.length > 0) {
    throw new Obstacle(
      "The checks failed, so no test was run",
      "npm run check repeats them; biome check --write formats",
    );
  }

  const reportFile = join(projectDir, `build/test-report-${process.pid}.xml`);
  const args = [
    "test",
    `--timeout=${TEST_TIMEOUT_MS}`,
    "--reporter=junit",
    `--reporter-outfile=${reportFile}`,
  ];
  const { exitCode } = run(bun, [...args, ...process.argv.slice(2)]);
  const report = readText(reportFile);
  rmSync(reportFile, { force: true });
  return readReport(report, exitCode);
}

/** @param {string} path */
function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
