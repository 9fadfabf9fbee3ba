// One cleaning at a time in a log directory, whether by a person or by the daemon.
import { closeSync } from "node:fs";
import { join } from "node:path";
import type { Identity } from "../kernel/identity.ts";
import { lockIfPossible } from "../kernel/lock.ts";
import { openForUpdate } from "../log/open.ts";

const LOCK_NAME = "clean.lock";

/** @returns what gives it back; null when somebody else still cleans after `waitMs` */
export function takeCleanLock(logDir: string, owner: Identity, waitMs: number): (() => void) | null {
  const { fd } = openForUpdate(join(logDir, LOCK_NAME), owner);
  let taken = false;
  try {
    // Without locks two cleanings do some work twice, and each checks before it replaces anything.
    taken = lockIfPossible(fd, waitMs);
  } finally {
    if (!taken) closeSync(fd);
  }
  return taken ? () => closeSync(fd) : null;
}
