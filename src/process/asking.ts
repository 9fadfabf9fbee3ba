// What no stream tells is asked for when a line needs it: of /proc while the process lives, of what taskstats told when it
// ended otherwise. A process that can't be read any more has ended, so its end was told before.
import { isOpen, type Process, UNKNOWN_IMAGE } from "./process.ts";
import { readStartNs, readStatus, START_ACCURACY_NS } from "./procfs.ts";

/** What the streams have told since they were drained for the batch. */
export interface SinceDrained {
  /** Whether there is such a record of a number; it is still to come for the next batch. */
  hasTold(kind: "fork" | "exit", tid: number): boolean;
  /** Applies the ends that taskstats has told. */
  tellEnds(): void;
}

/**
 * Fills in what is open.
 *
 * @returns true when it was read from a process that lives
 */
export function ask(process: Process, since: SinceDrained): boolean {
  process.cached = null;
  // Its number can be another's once its EXIT was told.
  if (!process.exited && take(process, since, "exit")) return true;
  since.tellEnds();
  // EXIT was told, its end not yet: it is just between the two.
  if (hasOpen(process) && stillThere(process)) take(process, since, "fork");
  if (hasOpen(process)) since.tellEnds();
  if (process.nameBy === "unread") process.nameBy = "gone_before_known";
  else if (process.nameBy === "assumed") process.nameBy = "inherited";
  if (process.userBy === "unread") process.userBy = "gone_before_known";
  else if (process.userBy === "assumed") process.userBy = "inherited";
  return false;
}

/** Hot. Whether name or user are still to be asked for. */
export function hasOpen({ nameBy, userBy }: Process): boolean {
  return isOpen(nameBy) || isOpen(userBy);
}

/** A dead process's number may be another's by now. */
function stillThere({ pid, forkedNs, goneAt }: Process): boolean {
  if (goneAt >= 0) return false;
  const startNs = readStartNs(pid);
  return startNs !== null && Math.abs(startNs - forkedNs) <= START_ACCURACY_NS;
}

/** @param unless is asked for after the reading: there is such a record where /proc can have shown another process */
function take(process: Process, since: SinceDrained, unless: "fork" | "exit"): boolean {
  const status = readStatus(process.pid);
  if (status === null || since.hasTold(unless, process.pid)) return false;
  if (isOpen(process.nameBy)) {
    // Its program may be another than its parent's as well: it is read when a line needs it.
    if (process.nameBy === "assumed") process.image = { pid: process.pid, sinceNs: 0, exe: undefined };
    process.comm = status.comm;
    process.nameBy = "proc";
  }
  if (isOpen(process.userBy)) {
    process.uid = status.uid;
    process.euid = status.euid;
    process.userBy = "proc";
  }
  return true;
}

/** Fills in what was told at its end, where that is open. */
export function answer(process: Process): void {
  const { end } = process;
  if (end === null) return;
  process.cached = null;
  if (isOpen(process.nameBy)) {
    if (process.nameBy === "assumed" && process.comm !== end.comm) process.image = UNKNOWN_IMAGE;
    process.comm = end.comm;
    process.nameBy = "exit";
  }
  if (isOpen(process.userBy)) {
    // The end tells the real user alone. What is assumed came from the parent, and no change since then was told.
    if (process.userBy === "unread" || process.uid !== end.uid) process.euid = end.uid;
    process.uid = end.uid;
    process.userBy = "exit";
  }
}
