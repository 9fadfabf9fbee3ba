// The runtime that ./fsmon is built on: Bun with three back doors closed that no build flag reaches. Its variables
//   BUN_OPTIONS (--preload FILE runs a file as root), BUN_BE_BUN (fsmon turns into the whole of Bun) and
//   BUN_INSPECT (a debugger on a TCP port; BUN_INSPECT_CONNECT_TO, _PRELOAD and _NOTIFY begin with it)
// get a name that no environment can hold: the first byte becomes NUL, which ends a string in an environment. A byte
// such as \x01 would not do; env $'\x01UN_OPTIONS=…' was tried, and it ran the file.
// A fourth stands in no text: BUN_JSC_…, options of the JavaScript engine, whose functionOverrides=FILE exchanges the bodies of
// functions (tried: it ran foreign code) and whose jitDumpDirectory writes files. The code that looks for that prefix is
// made to find none.
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { Obstacle } from "../setup/step.mjs";

/** How often each name lies in the pinned Bun. Another number means another Bun, whose doors have to be tried anew. */
const OCCURRENCES = { BUN_OPTIONS: 2, BUN_BE_BUN: 1, BUN_INSPECT: 11 };

/**
 * Writes a copy of the Bun at `bunPath` to `out`, which can be executed.
 *
 * @throws {Obstacle} if a name is not found as often as expected
 */
export function makeClosedRuntime(bunPath: string, out: string): void {
  const runtime = readFileSync(bunPath);
  closeNames(runtime, OCCURRENCES);
  closeEngineOptions(runtime, process.arch);
  writeFileSync(out, runtime);
  chmodSync(out, 0o755);
  console.error("Closed the runtime's back doors");
}

/** Replaces in place the first byte of each name by NUL. */
export function closeNames(runtime: Buffer, occurrences: Readonly<Record<string, number>>): void {
  for (const [name, expected] of Object.entries(occurrences)) {
    let found = 0;
    for (let at = runtime.indexOf(name); at !== -1; at = runtime.indexOf(name, at + 1)) {
      runtime[at] = 0;
      found++;
    }
    if (found === 0 || found !== expected) {
      throw new Obstacle(
        `The runtime holds the name "${name}" ${found} times instead of ${expected}: it is not the pinned Bun`,
        "after an upgrade of Bun, try the variables on the new ./fsmon, then correct scripts/build/closed-runtime.ts",
      );
    }
  }
}

/**
 * x86-64: the prefix is compared byte by byte, "B" and on: cmpb $0x42,(%r14); jne next; cmpb $0x55,1(%r14); jne next … The first
 * jump to the next variable becomes unconditional. (A byte of the prefix changed to NUL would not do: the strings of an
 * environment stand one behind the other, so "B" and then "N_JSC_…" would be found.)
 */
const PREFIX_LOOP = {
  begin: Buffer.from([0x41, 0x80, 0x3e, 0x42, 0x75]),
  /** After the jump's distance. */
  end: Buffer.from([0x41, 0x80, 0x7e, 0x01, 0x55, 0x75]),
  alwaysJump: 0xeb,
};

/** Where the code isn't known (arm64), the options stay; docs/security.md says so. */
export function closeEngineOptions(runtime: Buffer, arch: string): void {
  if (arch !== "x64") {
    console.error(`BUN_JSC_ variables stay in force on ${arch}: the place of their check isn't known there`);
    return;
  }
  const { begin, end, alwaysJump } = PREFIX_LOOP;
  const places: number[] = [];
  for (let at = runtime.indexOf(begin); at !== -1; at = runtime.indexOf(begin, at + 1)) {
    const after = at + begin.length + 1;
    if (runtime.subarray(after, after + end.length).equals(end)) places.push(at);
  }
  const [place] = places;
  if (place === undefined || places.length > 1) {
    throw new Obstacle(
      `The runtime's check for BUN_JSC_ was found ${places.length} times instead of once: it is not the pinned Bun`,
      "after an upgrade of Bun, disassemble the place that reads environ, then correct scripts/build/closed-runtime.ts",
    );
  }
  runtime[place + begin.length - 1] = alwaysJump;
}
