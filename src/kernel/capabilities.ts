// The rights of this process and the way to fewer: what root may do is bounded per thread, and the runtime has several, so
// less for all of them takes an execve of oneself. Sets of capabilities enter and leave as bits; which ones are needed is the
// daemon's decision. capabilities(7).
import { readFileSync } from "node:fs";
import { cPath, helper } from "./helper.ts";
import { checked } from "./syscall.ts";

/** Bits by linux/capability.h. Those that the daemon may want; every other one is only ever dropped. */
export const CAPABILITY_BITS = {
  CAP_DAC_READ_SEARCH: 2,
  CAP_FOWNER: 3,
  CAP_SETGID: 6,
  CAP_SETUID: 7,
  CAP_NET_ADMIN: 12,
  CAP_IPC_LOCK: 14,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_ADMIN: 21,
} as const;

export type Capability = keyof typeof CAPABILITY_BITS;

const SECBIT_NOROOT = 1;

export function capabilityMask(capabilities: readonly Capability[]): bigint {
  return capabilities.reduce((mask, name) => mask | (1n << BigInt(CAPABILITY_BITS[name])), 0n);
}

export interface Capabilities {
  readonly inheritable: bigint;
  readonly permitted: bigint;
  readonly effective: bigint;
  readonly bounding: bigint;
  readonly ambient: bigint;
}

/** Those of the calling thread; of a whole process when `file` is another task's status. */
export function readCapabilities(file = "/proc/thread-self/status"): Capabilities {
  const text = readFileSync(file, "latin1");
  const set = (name: string): bigint =>
    BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, "m").exec(text)?.[1] ?? "0"}`);
  return {
    inheritable: set("CapInh"),
    permitted: set("CapPrm"),
    effective: set("CapEff"),
    bounding: set("CapBnd"),
    ambient: set("CapAmb"),
  };
}

/** All the capabilities that a process has or could get by an execve. */
export function everyCapability({ inheritable, permitted, bounding, ambient }: Capabilities): bigint {
  return inheritable | permitted | bounding | ambient;
}

/**
 * Sees to it that an execve by root gives `keep` at most; the calling thread keeps what it has until then.
 *
 * @returns false where root gets nothing by execve (SECBIT_NOROOT), so that one must not be made
 * @throws {SyscallError} EPERM without CAP_SETPCAP
 */
export function boundCapabilities(keep: bigint): boolean {
  const low = Number(keep & 0xffff_ffffn);
  const securebits = checked(
    "prctl(PR_CAPBSET_DROP)",
    helper().fh_capabilities_bound(low, Number(keep >> 32n)),
  );
  return (securebits & SECBIT_NOROOT) === 0;
}

/**
 * Executes this very program in its own place, with the same process number; all threads begin anew.
 *
 * @param args raw, NUL-terminated, as /proc/self/cmdline has them
 * @param environment "NAME=value", NUL-terminated
 * @throws {SyscallError} when that failed; it never returns
 */
export function executeAnew(args: Uint8Array, environment: Uint8Array): never {
  const block = (strings: Uint8Array) => (strings.length > 0 ? strings : new Uint8Array(1));
  const rc = helper().fh_exec_self(
    block(args),
    args.length,
    countStrings(args),
    block(environment),
    environment.length,
    countStrings(environment),
  );
  checked("execve", rc);
  throw new Error("execve returned without an error");
}

/** Names this thread, at most 15 bytes; for the main thread it is what ps shows. */
export function nameThread(name: string): void {
  checked("prctl(PR_SET_NAME)", helper().fh_name(cPath(name)));
}

function countStrings(block: Uint8Array): number {
  let count = 0;
  for (const byte of block) if (byte === 0) count++;
  return count;
}
