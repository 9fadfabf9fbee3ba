// flock(2): a lock that dies with its descriptor, so a killed process leaves none behind.
import { helper } from "./helper.ts";
import { checked, errnoOf, SyscallError } from "./syscall.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
/** Between two tries: short against a person's patience, long against the cost of a try (about 1 µs). */
const RETRY_MS = 5;
/** What filesystems without locks answer, some network and FUSE ones. */
const NO_LOCKS: readonly string[] = ["ENOLCK", "EOPNOTSUPP", "ENOSYS"];

/**
 * Takes the exclusive lock of an open file, trying for at most waitMs. Never blocks for good: whoever owns
 * the file could hold its lock for ever.
 *
 * @returns false when somebody else still held it at the end
 */
export function lockFile(fd: number, waitMs: number): boolean {
  const until = performance.now() + waitMs;
  for (;;) {
    const result = helper().fh_flock(fd, LOCK_EX | LOCK_NB);
    if (result === 0) return true;
    if (-result !== errnoOf("EWOULDBLOCK") && -result !== errnoOf("EINTR")) checked("flock", result);
    if (performance.now() >= until) return false;
    Bun.sleepSync(RETRY_MS);
  }
}

/** The same, but a filesystem without locks lets everybody in: for what several may do without harm, or an administrator prevents. */
export function lockIfPossible(fd: number, waitMs: number): boolean {
  try {
    return lockFile(fd, waitMs);
  } catch (error) {
    if (error instanceof SyscallError && NO_LOCKS.includes(error.code)) return true;
    throw error;
  }
}
