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
  closeEngineOptions(runtime);
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

/** Where the engine compares the beginning of each variable with "BUN_JSC_", byte by byte, in one processor's code. */
interface PrefixLoop {
  /** Up to the jump to the next variable where the first byte isn't "B" … */
  readonly begin: Buffer;
  /** … the jump's own bytes … */
  readonly jumpBytes: number;
  /** … and what follows: the comparison of the second byte. */
  readonly end: Buffer;
  /** The same jump, taken always. (A byte of the prefix changed to NUL would not do: the strings of an environment stand one
   * behind the other, so "B" and then "N_JSC_…" would be found.) */
  always(jump: Buffer): Buffer;
}

/** By the ELF header's e_machine (elf.h): the runtime says itself what it is for, also when it is built for another machine. */
const PREFIX_LOOPS: Readonly<Record<number, PrefixLoop>> = {
  // EM_X86_64: cmpb $0x42,(%r14); jne next; cmpb $0x55,1(%r14); jne next; …
  62: {
    begin: Buffer.from([0x41, 0x80, 0x3e, 0x42]),
    jumpBytes: 2,
    end: Buffer.from([0x41, 0x80, 0x7e, 0x01, 0x55, 0x75]),
    // jne rel8 → jmp rel8
    always: (jump) => Buffer.from([0xeb, jump.readInt8(1)]),
  },
  // EM_AARCH64: ldrb w10,[x9]; cmp w10,#0x42; b.ne next; ldrb w10,[x9,#1]; cmp w10,#0x55; b.ne next; …
  183: {
    begin: words(0x3940012a, 0x7101095f),
    jumpBytes: 4,
    end: words(0x3940052a, 0x7101555f),
    // b.cond has its distance in bits 5 to 23 and the condition below, b in bits 0 to 25: both count instructions.
    always: (jump) => words((0x14000000 | (((jump.readInt32LE() << 8) >> 13) & 0x3ffffff)) >>> 0),
  },
};
/** Offset of e_machine. */
const ELF_MACHINE_AT = 18;

/** @throws {Obstacle} if the check isn't found once, or the processor isn't known */
export function closeEngineOptions(runtime: Buffer): void {
  const machine = runtime.readUInt16LE(ELF_MACHINE_AT);
  const loop = PREFIX_LOOPS[machine];
  if (loop === undefined)
    throw new Obstacle(`The runtime is for a processor that isn't known (ELF ${machine})`);
  const { begin, jumpBytes, end } = loop;
  const jumps: number[] = [];
  for (let at = runtime.indexOf(begin); at !== -1; at = runtime.indexOf(begin, at + 1)) {
    const jumpAt = at + begin.length;
    const endAt = jumpAt + jumpBytes;
    if (runtime.subarray(endAt, endAt + end.length).equals(end)) jumps.push(jumpAt);
  }
  const [jumpAt] = jumps;
  if (jumpAt === undefined || jumps.length > 1) {
    throw new Obstacle(
      `The runtime's check for BUN_JSC_ was found ${jumps.length} times instead of once: it is not the pinned Bun`,
      "after an upgrade of Bun, disassemble the place that reads environ, then correct scripts/build/closed-runtime.ts",
    );
  }
  loop.always(runtime.subarray(jumpAt, jumpAt + jumpBytes)).copy(runtime, jumpAt);
}

/** Instructions of four bytes. */
function words(...instructions: readonly number[]): Buffer {
  const bytes = Buffer.alloc(instructions.length * 4);
  for (const [index, instruction] of instructions.entries()) bytes.writeUInt32LE(instruction, index * 4);
  return bytes;
}
