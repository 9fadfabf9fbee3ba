// One cleaning at a time in a log directory, whether by a person or by the daemon.
import { closeSync } from "node:fs";
import { join } from "node:path";
import type { Identity } from "../kernel/identity.ts";
import { lockFile } from "../kernel/lock.ts";
import { SyscallError } from "../kernel/syscall.ts";
import { openForUpdate } from "../log/open.ts";

const LOCK_NAME = "clean.lock";

/** @returns what gives it back; null when somebody else still cleans after `waitMs` */
export function takeCleanLock(logDir: string, owner: Identity, waitMs: number): (() => void) | null {
  const { fd } = openForUpdate(join(logDir, LOCK_NAME), owner);
  try {
    if (lockFile(fd, waitMs)) return () => closeSync(fd);
  } catch (error) {
    // A filesystem without locks: two cleanings then do some work twice, and each checks before it replaces anything.
    if (error instanceof SyscallError && ["ENOLCK", "EOPNOTSUPP", "ENOSYS"].includes(error.code)) {
      return () => closeSync(fd);
    }
    closeSync(fd);
    throw error;
  }
  closeSync(fd);
  return null;
}
