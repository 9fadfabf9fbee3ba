// What no stream tells is asked for when a line needs it: of /proc while the process lives, of what taskstats told when it
// ended otherwise. A process that can't be read any more has ended, so its end was told before.
import type { Process } from "./process.ts";
import { readStartNs, readStatus, START_ACCURACY_NS } from "./procfs.ts";

/**
 * Fills in what is unread.
 *
 * @param tellEnds applies what was told of ends by now
 * @returns true when it was read from a process that lives
 */
export function ask(process: Process, tellEnds: () => void): boolean {
  process.cached = null;
  if (!process.exited && take(process)) return true;
  tellEnds();
  // EXIT was told, its end not yet: it is just between the two.
  if (isUnread(process) && stillThere(process)) take(process);
  if (isUnread(process)) tellEnds();
  if (process.nameBy === "unread") process.nameBy = "gone_before_known";
  if (process.userBy === "unread") process.userBy = "gone_before_known";
  return false;
}

function isUnread({ nameBy, userBy }: Process): boolean {
  return nameBy === "unread" || userBy === "unread";
}

/** A dead process's number may be another's by now. */
function stillThere({ pid, forkedNs }: Process): boolean {
  const startNs = readStartNs(pid);
  return startNs !== null && Math.abs(startNs - forkedNs) <= START_ACCURACY_NS;
}

function take(process: Process): boolean {
  const status = readStatus(process.pid);
  if (status === null) return false;
  if (process.nameBy === "unread") {
    process.comm = status.comm;
    process.nameBy = "proc";
  }
  if (process.userBy === "unread") {
    process.uid = status.uid;
    process.euid = status.euid;
    process.userBy = "proc";
  }
  return true;
}

/** Fills in what was told at its end, where that is unread. */
export function answer(process: Process): void {
  const { end } = process;
  if (end === null) return;
  process.cached = null;
  if (process.nameBy === "unread") {
    process.comm = end.comm;
    process.nameBy = "exit";
  }
  if (process.userBy === "unread") {
    process.uid = process.euid = end.uid;
    process.userBy = "exit";
  }
}
