// Somebody's file has the live file's name: how long it is left to its writer, and which lines it lacks, though it may be gone or
// replaced again by the time that is asked. Only looks; whoever makes one closes it.
import type { Stats } from "node:fs";
import type { Identity } from "../kernel/identity.ts";
import { resumeOffset } from "./copy-match.ts";
import { closeQuietly, openForReading } from "./open.ts";

/** A file that took the log's name is left to its writer until nothing was written to it for so long … */
const SETTLED_MS = 200;
/** … but no longer than this: then it is taken as it is. */
const SETTLE_AT_MOST_MS = 2000;

export class Replacement {
  private readonly sinceMs = performance.now();
  private readonly fd: number;

  constructor(path: string, owner: Identity) {
    this.fd = openQuietly(path, owner);
  }

  /** A copy that `mv` brings from another filesystem grows under its final name. */
  isBeingWritten(named: Stats): boolean {
    const waitedMs = performance.now() - this.sinceMs;
    return waitedMs < SETTLE_AT_MOST_MS && Math.abs(Date.now() - named.mtimeMs) < SETTLED_MS;
  }

  /** From where on the old file's lines are missing in it; the parameters are resumeOffset()'s. Null when it can't be read. */
  resumeOffset(oldFd: number, oldEnd: number, owedFrom: number): number | null {
    return this.fd < 0 ? null : resumeOffset(oldFd, oldEnd, this.fd, owedFrom);
  }

  close(): void {
    if (this.fd >= 0) closeQuietly(this.fd);
  }
}

function openQuietly(path: string, owner: Identity): number {
  try {
    return openForReading(path, owner).fd;
  } catch {
    // Gone again, or no file of the owner's: taking it as the log will say so.
    return -1;
  }
}
