// The checks that need no test run: types, lint and format, house rules. Each says by itself what is wrong.
import { join } from "node:path";
import { projectDir, run } from "./step.mjs";

/**
 * Runs all three, so that one run shows everything.
 *
 * @param {string} bun
 * @returns {string[]} the names of those that failed
 */
export function runChecks(bun) {
  const bin = join(projectDir, "node_modules/.bin");
  const arch = process.arch === "arm64" ? "arm64" : "x64";
  const biome = join(projectDir, `node_modules/@biomejs/cli-linux-${arch}/biome`);
  const checks = [
    { name: "types", program: join(bin, "tsc"), args: ["--noEmit"] },
    { name: "lint and format", program: biome, args: ["ci", "--colors=off", "--max-diagnostics=50"] },
    { name: "house rules", program: bun, args: ["scripts/house-rules.ts"] },
  ];
  const failed = [];
  for (const { name, program, args } of checks) {
    const { exitCode, output } = run(program, args, { quiet: true });
    if (exitCode === 0) continue;
    console.error(`${output.trimEnd()}\nFailed: ${name}`);
    failed.push(name);
  }
  return failed;
}
