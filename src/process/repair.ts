// After records of processes were lost: who is still the same, who isn't known any more. Never keeps a name that another
// program or another process may have had in the meantime.
import type { Process } from "./process.ts";
import { readExe, readPidMax, readStartNs, readStatus, readThreads, START_ACCURACY_NS } from "./procfs.ts";
import type { RecordLoss } from "./streams.ts";
import { takeThreads } from "./threads.ts";
import type { Tells } from "./way.ts";

/**
 * Corrects the table.
 *
 * @returns those that were changed: the living, and those that turn out to be dead
 */
export function repair(
  processes: Iterable<Process>,
  { count, sinceNs, usersOnly }: RecordLoss,
  tells: Tells,
): Process[] {
  const changed: Process[] = [];
  // A number that was free before comes again when all others have had their turn.
  const wrapped = !usersOnly && (count === null || count >= readPidMax() / 2);
  for (const process of processes) {
    // Of a number that was given away the earlier ones had ended before.
    if (process.exitedNs < sinceNs) {
      if (wrapped) for (let one: Process | null = process; one !== null; one = one.earlier) disown(one);
      continue;
    }
    const status = readStatus(process.pid);
    const startNs = readStartNs(process.pid);
    const same =
      status !== null &&
      startNs !== null &&
      startNs <= Math.max(sinceNs, process.forkedNs) + START_ACCURACY_NS;
    if (!same) {
      if (!usersOnly) disown(process);
      process.userBy = "process_stream_lost";
      process.cached = null;
      if (!process.exited && !usersOnly) {
        changed.push(process);
        process.exited = true;
      }
      continue;
    }
    const { comm, uid, euid } = process;
    Object.assign(process, usersOnly ? { uid: status.uid, euid: status.euid } : status, { cached: null });
    process.userBy = !tells.users ? "unread" : uid === process.uid && euid === process.euid ? "lost" : "proc";
    if (!usersOnly) {
      process.image = { pid: process.pid, sinceNs: 0, exe: readExe(process.pid) };
      takeThreads(process, readThreads(process.pid));
      process.nameBy = process.comm === comm ? "lost" : "proc";
    }
    changed.push(process);
  }
  return changed;
}

/** It may have been another program by then, or its number another's. */
function disown(process: Process): void {
  process.nameBy = process.userBy = "process_stream_lost";
  process.cached = null;
}
