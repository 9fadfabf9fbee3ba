// One error for every failed system call: which call, on what, with which errno. The helper returns >= 0 or
// -errno, so errno is captured in C, before JavaScript can run anything in between.
import { constants } from "node:os";

const ERRNO_NAMES = new Map<number, string>(
  Object.entries(constants.errno).map(([name, number]) => [number, name]),
);

/** "EPERM" for 1; a number without a name prints itself. */
export function errnoName(errno: number): string {
  return ERRNO_NAMES.get(errno) ?? `errno ${errno}`;
}

/** The errno of a name, as <errno.h> has it on this machine. */
export function errnoOf(name: keyof typeof constants.errno): number {
  return constants.errno[name];
}

export class SyscallError extends Error {
  readonly call: string;
  readonly errno: number;
  /** "EPERM", "EINVAL" … */
  readonly code: string;

  constructor(call: string, errno: number, detail = "") {
    const code = errnoName(errno);
    super(`${call} failed${detail === "" ? "" : ` for ${detail}`} (${code})`);
    this.name = "SyscallError";
    this.call = call;
    this.errno = errno;
    this.code = code;
  }
}

/** Passes a result >= 0 through and turns -errno into a SyscallError. */
export function checked(call: string, result: number, detail = ""): number {
  if (result < 0) throw new SyscallError(call, -result, detail);
  return result;
}
