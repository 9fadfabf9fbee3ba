// The daemon that records for this person, by its lock on the log directory: that tells of one that nobody can ask, too.
import { type RunningDaemon, runningDaemon } from "../log/lifetime.ts";
import type { Context } from "./context.ts";

/** Null where there is none, and where the lock tells nothing: it can't be looked at, or a daemon is just starting or ending. */
export function recordingDaemon({ config, owner }: Context): RunningDaemon | null {
  try {
    return runningDaemon(config.logDir, owner);
  } catch {
    return null;
  }
}
