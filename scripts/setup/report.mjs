// From bun test's JUnit report and exit code to the three numbers of the last line. No I/O.
import { Obstacle } from "./step.mjs";

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * @param {string | null} report null or empty when the runner wrote none
 * @param {number} exitCode the runner's
 * @returns {Counts}
 * @throws {Obstacle} when the numbers can't be trusted: the runner died, or no test ran
 */
export function readReport(report, exitCode) {
  const head = /<testsuites\b[^>]*>/.exec(report ?? "")?.[0];
  if (head === undefined) {
    throw new Obstacle(
      `The test runner ended with exit code ${exitCode} and without a report: it died, a test called process.exit, or there was no test`,
    );
  }
  const number = (/** @type {string} */ name) =>
    Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const [failed, skipped] = [number("failures") + number("errors"), number("skipped")];
  const passed = number("tests") - failed - skipped;
  if (exitCode !== 0 && failed === 0) {
    throw new Obstacle(
      `${passed} tests passed, but the test runner ended with exit code ${exitCode}: its reason is above`,
    );
  }
  if (passed + failed === 0) throw new Obstacle("No test ran");
  return { passed, failed, skipped };
}

/**
 * The last line of a test run.
 *
 * @param {Counts} counts
 */
export function verdict({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}
