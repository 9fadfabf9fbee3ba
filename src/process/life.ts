// What happens to a process, as changes of its entry in the table: a child is born, executes a program, ends, is forgotten.
import type { ProcessRecord } from "../decode/process.ts";
import { monotonicNs } from "../kernel/monotonic.ts";
import { answer } from "./asking.ts";
import { isKnown, type Process, type Unknowable, unknownProcess } from "./process.ts";
import {
  type ProcStatus,
  readExe,
  readStartNs,
  readStatus,
  readThreads,
  START_ACCURACY_NS,
} from "./procfs.ts";
import { changeThread, executor, takeThreads, usersDiffer } from "./threads.ts";
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

/** What /proc shows of a process. */
export function fromProc(pid: number, status: ProcStatus): Process {
  const process: Process = { ...unknownProcess(pid, "proc"), ...status };
  process.image = { pid, sinceNs: 0, exe: readExe(pid) };
  takeThreads(process, readThreads(pid));
  process.readNs = monotonicNs();
  return process;
}

/** A child of somebody of whom it isn't known what he was then: only /proc can tell, if it still lives. */
export function orphan(pid: number, parent: Process | null, timeNs: number, why: Unknowable): Process {
  const status = readStatus(pid);
  const read = status === null ? null : fromProc(pid, status);
  const startNs = readStartNs(pid);
  const isIt = read !== null && startNs !== null && Math.abs(startNs - timeNs) <= START_ACCURACY_NS;
  const process = isIt ? read : unknownProcess(pid, why);
  process.parent = parent;
  process.forkedNs = process.changedNs = timeNs;
  return process;
}

/**
 * The connector names the parent, which need not be who made it: clone(CLONE_PARENT) makes a sibling. So name and user
 * are asked for, and count as inherited where nobody answers.
 */
export function doubt(child: Process): void {
  child.nameBy = isKnown(child.nameBy) ? "assumed" : "unread";
  child.userBy = isKnown(child.userBy) ? "assumed" : "unread";
}

/** A process executes a program: it is another image under the same number. */
function newImage(process: Process, timeNs: number): void {
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
export function rename(process: Process, record: CommRecord, tells: Tells): void {
  const { pid, tid, comm, exec, timeNs } = record;
  if (!exec && tid !== pid) {
    changeThread(process, tid, { comm });
    return;
  }
  if (exec) execute(process, timeNs, tells);
  // What was read of /proc, or told at the end, may be ahead of the records: the same name proves nothing then. Without
  // perf every name once came from there.
  else if (!tells.names || comm !== process.comm || process.nameBy !== null) process.changedNs = timeNs;
  process.comm = comm;
  process.nameBy = null;
  process.cached = null;
  if (exec) answer(process);
}

function execute(process: Process, timeNs: number, tells: Tells): void {
  const by = executor(process);
  newImage(process, timeNs);
  if (by === null) {
    if (process.mixedUsers) process.userBy = "unread";
  } else if (by !== process) {
    process.uid = by.uid;
    process.euid = by.euid;
  }
  if (!tells.users) process.userBy = "unread";
  process.threads = null;
  process.mixedUsers = false;
}

/** The connector's EXEC has no name. */
export function executeUnnamed(process: Process, timeNs: number, tells: Tells): void {
  execute(process, timeNs, tells);
  process.comm = UNREAD;
  process.nameBy = "unread";
  // Its end can be told before its youngest records (streams.ts holds them back for a drain).
  answer(process);
}

/** Stands in a chain of ancestors for a name that nobody has asked for. */
const UNREAD = "?";

/** A process or one of its threads took other users. */
export function changeUser(process: Process, record: UserRecord): void {
  const { pid, tid, uid, euid, timeNs } = record;
  // glibc gives every thread the new users, one after the other; the plain system call only its own.
  if (tid !== pid) changeThread(process, tid, { uid, euid });
  else {
    if (process.uid !== uid || process.euid !== euid || process.userBy !== null) process.changedNs = timeNs;
    process.uid = uid;
    process.euid = euid;
    process.userBy = null;
    process.cached = null;
  }
  weighUsers(process);
}

/** To be asked whenever a thread took other users, or one that had others ended. */
export function weighUsers(process: Process): void {
  const mixed = usersDiffer(process);
  if (mixed !== process.mixedUsers) process.cached = null;
  process.mixedUsers = mixed;
}

type CommRecord = Extract<ProcessRecord, { kind: "comm" }>;
type UserRecord = Extract<ProcessRecord, { kind: "uid" }>;
