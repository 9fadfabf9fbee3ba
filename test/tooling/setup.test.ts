// What the scripts decide before and after they run something: is the machine good enough, are the packages current,
// what does a test report say. Each refusal is a sentence with a hint.
import { describe, expect, test } from "bun:test";
import { checkGlibc } from "../../scripts/setup/machine.mjs";
import { differsFromLock } from "../../scripts/setup/packages.mjs";
import { readReport, verdict } from "../../scripts/setup/report.mjs";

describe("checkGlibc()", () => {
  test("accepts the wanted version and every newer one", () => {
    for (const found of ["2.17", "2.36", "3.0"]) checkGlibc(found, "2.17");
  });
  test("compares numbers, not texts", () => {
    expect(() => checkGlibc("2.9", "2.17")).toThrow(
      "fsmon is built on glibc 2.17 or newer, and this system has glibc 2.9",
    );
  });
  test("says so where the C library is another one", () => {
    expect(() => checkGlibc(undefined, "2.17")).toThrow("this system has another C library");
  });
});

describe("differsFromLock()", () => {
  const wanted = {
    "node_modules/cac": { version: "7.1.0" },
    "node_modules/@oven/bun-darwin-x64": { version: "1.4.5", optional: true },
  };
  test("is content without the packages of other platforms", () => {
    expect(differsFromLock(wanted, { "node_modules/cac": { version: "7.1.0" } })).toBe(false);
  });
  test.each([
    ["nothing is installed", null],
    ["a package is missing", {}],
    ["a version is another one", { "node_modules/cac": { version: "7.0.0" } }],
    ["one is too many", { "node_modules/cac": { version: "7.1.0" }, "node_modules/x": { version: "1.0.0" } }],
  ])("notices when %s", (_what, installed) => expect(differsFromLock(wanted, installed)).toBe(true));
});

describe("readReport()", () => {
  const report = (numbers: string) =>
    `<?xml version="1.0"?>\n<testsuites name="bun test" ${numbers} time="1">\n`;

  test("counts what passed, failed and was skipped", () => {
    const counts = readReport(report('tests="10" assertions="12" failures="2" skipped="3"'), 1);
    expect(counts).toEqual({ passed: 5, failed: 2, skipped: 3 });
    expect(verdict(counts)).toBe("5 passed, 2 failed, 3 skipped");
  });
  test("leaves out what was not skipped", () => {
    expect(verdict(readReport(report('tests="4" failures="0" skipped="0"'), 0))).toBe("4 passed, 0 failed");
  });
  test("refuses a run without a report, whatever its exit code", () => {
    expect(() => readReport(null, 0)).toThrow("it died, a test called process.exit, or there was no test");
    expect(() => readReport("", 0)).toThrow("it died, a test called process.exit, or there was no test");
  });
  test("refuses a run in which no test ran", () => {
    expect(() => readReport(report('tests="3" failures="0" skipped="3"'), 0)).toThrow("No test ran");
  });
  test("refuses an exit code that no failed test explains", () => {
    expect(() => readReport(report('tests="3" failures="0" skipped="0"'), 134)).toThrow("exit code 134");
  });
});
