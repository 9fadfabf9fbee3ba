// What happens to a process, as changes of its entry in the table: a child is born, executes a program, ends, is forgotten.
import type { ProcessRecord } from "../decode/process.ts";
import { answer } from "./asking.ts";
import type { Process } from "./process.ts";
import type { Threads } from "./threads.ts";
import type { Tells } from "./way.ts";

/**
 * Dead ancestors in a row that a process keeps: a program that starts itself anew for ever must not grow a chain
 * without end.
 */
const DEAD_ANCESTORS_MAX = 16;

/** A process that is no longer in the table is a name in the chain of its children's ancestors. */
export function keepForChildren(process: Process): void {
  process.forgotten = true;
  process.cached = null;
  let dead = 0;
  let above = process.parent;
  while (above?.forgotten && dead < DEAD_ANCESTORS_MAX) {
    above = above.parent;
    dead++;
  }
  if (dead === DEAD_ANCESTORS_MAX) process.parent = null;
}

/** A process executes a program: it is another image under the same number. */
export function newImage(process: Process, timeNs: number): void {
  if (process.launchedNs === 0 && process.forkedNs > 0) process.launchedNs = timeNs;
  else process.changedNs = timeNs;
  process.image = { pid: process.pid, sinceNs: timeNs, exe: undefined };
  process.cached = null;
  if (!process.exited) return;
  // exec from a thread that isn't the first: the first one's EXIT came before, under this very number. taskstats tells of
  // that end, too, before or after this; it isn't the process's.
  if (process.end === null) process.replacedEnds++;
  process.end = null;
  process.exited = false;
  process.exitedNs = Number.POSITIVE_INFINITY;
}

/** A process or one of its threads took another name, or executed a program. */
export function rename(process: Process, threads: Threads, record: CommRecord, tells: Tells): void {
  const { pid, tid, comm, exec, timeNs } = record;
  if (!exec && tid !== pid) {
    threads.setName(tid, comm);
    return;
  }
  if (exec) newImage(process, timeNs);
  // What was read of /proc, or told at the end, may be ahead of the records: the same name proves nothing then. Without
  // perf every name once came from there.
  else if (!tells.names || comm !== process.comm || process.nameBy !== null) process.changedNs = timeNs;
  process.comm = comm;
  process.nameBy = null;
  process.cached = null;
  if (!exec) return;
  threads.forgetProcess(pid);
  // Whichever thread it was that executed the program: its users are the process's now.
  if (!tells.users || process.mixedUsers) process.userBy = "unread";
  process.mixedUsers = false;
  answer(process);
}

/** A process or one of its threads took other users. */
export function changeUser(process: Process, threads: Threads, record: UserRecord): void {
  const { pid, tid, uid, euid, timeNs } = record;
  const same = process.uid === uid && process.euid === euid;
  if (tid !== pid) {
    // glibc gives every thread the new users, one after the other; the plain system call only its own.
    if (same) threads.clearUser(tid);
    else threads.setUser(pid, tid, uid, euid);
  } else {
    if (!same || process.userBy !== null) process.changedNs = timeNs;
    process.uid = uid;
    process.euid = euid;
    process.userBy = null;
    process.cached = null;
    threads.settle(pid, uid, euid);
  }
  weighUsers(process, threads);
}

/** To be asked whenever a thread took other users, or one that had others ended. */
export function weighUsers(process: Process, threads: Threads): void {
  const mixed = threads.differ(process.pid);
  if (mixed !== process.mixedUsers) process.cached = null;
  process.mixedUsers = mixed;
}

type CommRecord = Extract<ProcessRecord, { kind: "comm" }>;
type UserRecord = Extract<ProcessRecord, { kind: "uid" }>;
