// Who is who: every process of the machine, followed by the kernel's own records of fork, exec, change of
// user and exit. No process is too short-lived, because its records are there before its first file event is
// read (the pipeline drains the streams after reading fanotify).

import type { ProcessRecord } from "../decode/process.ts";
import { Graveyard } from "./graveyard.ts";
import { alike, type Process, type Unknowable, unknownProcess } from "./process.ts";
import { readPids, readStartNs, readStatus, START_ACCURACY_NS } from "./procfs.ts";
import { repair } from "./repair.ts";

export type { Process } from "./process.ts";

export class ProcessTable {
  /** By number; who had it before hangs on `earlier`. */
  private readonly processes = new Map<number, Process>();
  /**
   * Names of threads that differ from their process's: a child inherits the name of the thread that forked
   * it.
   */
  private readonly threadNames = new Map<number, string>();
  private readonly graveyard = new Graveyard(
    (process) => this.forget(process, null),
    (process) => this.forget(process, DROPPED),
  );
  /** Numbers that more than one process has had while its events may still be in the queue. */
  private readonly reused = new Set<number>();
  /** Negative numbers that stand for one process in the batches since the last sweep, and since the one before. */
  private aliases = new Map<number, Process>();
  private aliasesBefore = new Map<number, Process>();
  private lastAlias = 0;
  /**
   * What /proc told of the living holds exactly for what they do from now on, because the streams tell every change: from
   * the second sweep on.
   */
  private provisional: Process[] = [];
  private provisionalBefore: Process[] = [];
  /** Sweeps until what the queue holds is from after the last loss. */
  private lossAgo = 2;
  private mayHaveDropped = false;
  private batchSinceNs = Number.POSITIVE_INFINITY;

  /** Reads every running process from /proc. After the streams were opened, so that nobody falls between. */
  seed(): void {
    for (const pid of readPids()) {
      const process = this.readFromProc(pid);
      // Exact: whatever changes from here on is told by the streams.
      if (process !== null) process.nameBy = process.userBy = null;
    }
    this.provisional.length = 0;
  }

  get size(): number {
    return this.processes.size;
  }

  /** Applies records, oldest first. */
  apply(records: readonly ProcessRecord[]): void {
    for (const record of records) {
      switch (record.kind) {
        case "fork":
          if (record.pid === record.parentPid) this.forkThread(record.pid, record.tid, record.parentTid);
          else this.fork(record.pid, record.parentPid, record.parentTid, record.timeNs);
          break;
        case "comm":
          this.rename(record.pid, record.tid, record.comm, record.exec, record.timeNs);
          break;
        case "uid":
          this.changeUser(record.pid, record.uid, record.euid, record.timeNs);
          break;
        case "exit":
          this.threadNames.delete(record.tid);
          if (record.pid === record.tid) this.exit(record.pid, record.timeNs);
          break;
        case "exec":
          this.execWithoutName(record.pid, record.timeNs);
          break;
        case "lost":
          break;
      }
    }
  }

  /**
   * After records were lost: whatever still lives is read anew.
   *
   * @param sinceNs what was told before is whole
   * @param count of lost records; null when unknown
   */
  repair(sinceNs: number, count: number | null): void {
    this.threadNames.clear();
    this.lossAgo = 0;
    for (const process of repair(this.processes, sinceNs, count)) {
      if (process.exited) this.graveyard.bury(process);
      else this.provisional.push(process);
    }
    for (const pid of readPids()) if (!this.processes.has(pid)) this.readFromProc(pid);
  }

  /** @param sinceNs no event of the batch is older */
  beginBatch(sinceNs: number): void {
    this.batchSinceNs = sinceNs;
  }

  /** Hot. The process behind an event, by its number or alias; null when it can't be known. */
  find(pid: number): Process | null {
    const process = this.processes.get(pid);
    if (process !== undefined) return process;
    if (pid < 0) return this.aliases.get(pid) ?? this.aliasesBefore.get(pid) ?? null;
    return pid > 0 ? this.findInProc(pid) : null;
  }

  /** Nobody told of it: it is older than the streams, or it was forgotten and the number is another's by now. */
  private findInProc(pid: number): Process | null {
    const startNs = readStartNs(pid);
    const young = startNs === null || startNs > this.batchSinceNs + START_ACCURACY_NS;
    return young ? null : this.readFromProc(pid);
  }

  /** Without looking at /proc. */
  peek(pid: number): Process | null {
    return this.processes.get(pid) ?? null;
  }

  /** Why nothing is known of a number that find() doesn't find. */
  get reason(): Unknowable {
    return this.lossAgo < 2 ? "process_stream_lost" : "gone_before_known";
  }

  /** Hot. True while some number may mean more than one process. */
  get hasReused(): boolean {
    return this.reused.size > 0;
  }

  /**
   * Which of those that had a number did what was done after sinceNs and before untilNs.
   *
   * @returns the number itself where it was the latest, else an alias for find(): of an earlier one, or of nobody where
   *   that can't be known
   */
  tellApart(pid: number, sinceNs: number, untilNs: number): number {
    const latest = this.processes.get(pid);
    if (latest === undefined || latest.earlier === null) return pid;
    let found: Process | null = null;
    let endedNs = Number.POSITIVE_INFINITY;
    for (let one: Process | null = latest; one !== null; one = one.earlier) {
      // A number is given away again when nothing of the one before is left: whatever it did came before that fork.
      const possible = one.forkedNs <= untilNs && endedNs >= sinceNs;
      endedNs = one.forkedNs;
      if (!possible) continue;
      if (found === null) found = one;
      else if (alike(found, one)) found = this.either(found);
      else return this.aliasOf(unknownProcess(pid, "pid_reused"));
    }
    if (found === DROPPED) return this.aliasOf(unknownProcess(pid, this.reason));
    return found === null || found === latest ? pid : this.aliasOf(found);
  }

  /** What is the same of two that can't be told apart; their executables may differ. */
  private either(process: Process): Process {
    return { ...process, earlier: null, alias: 0, cached: null, exe: null };
  }

  private aliasOf(process: Process): number {
    if (this.aliases.get(process.alias) !== process) {
      // An alias can stand in an event that is held back to the next batches; by then there are far fewer than that.
      this.lastAlias = this.lastAlias <= -ALIASES_MAX ? -1 : this.lastAlias - 1;
      process.alias = this.lastAlias;
      this.aliases.set(process.alias, process);
    }
    return process.alias;
  }

  /**
   * Forgets processes whose number had been free by the time of the last call. Called when the fanotify queue was read
   * to its end: everything that a process does is queued before its number is free, so none of it is left.
   */
  sweep(): void {
    this.graveyard.sweep();
    if (!this.graveyard.dropped && this.mayHaveDropped) this.forgetDropped();
    this.aliasesBefore = this.aliases;
    if (this.aliases.size > 0) this.aliases = new Map();
    this.lossAgo = Math.min(this.lossAgo + 1, 2);
    for (const process of this.provisionalBefore) settle(process);
    this.provisionalBefore = this.provisional;
    this.provisional = [];
  }

  /** @param instead who takes its place as the earlier one of its number: nobody, or somebody who isn't known any more */
  private forget(process: Process, instead: Process | null): void {
    if (instead !== null) this.mayHaveDropped = true;
    const latest = this.processes.get(process.pid);
    if (latest === process) {
      this.processes.delete(process.pid);
      return;
    }
    for (let one = latest ?? null; one !== null; one = one.earlier)
      if (one.earlier === process) one.earlier = instead ?? process.earlier;
    if (latest?.earlier === null) this.reused.delete(process.pid);
  }

  private forgetDropped(): void {
    this.mayHaveDropped = false;
    for (const pid of this.reused) {
      const latest = this.processes.get(pid) ?? null;
      for (let one = latest; one !== null; one = one.earlier) if (one.earlier === DROPPED) one.earlier = null;
      if (latest === null || latest.earlier === null) this.reused.delete(pid);
    }
  }

  private fork(pid: number, parentPid: number, parentTid: number, timeNs: number): void {
    const parent = this.processes.get(parentPid) ?? this.readFromProc(parentPid);
    const before = this.processes.get(pid) ?? (this.graveyard.dropped ? DROPPED : undefined);
    const child = parent === null ? this.orphan(pid, parentPid) : inherit(pid, parent);
    child.forkedNs = child.changedNs = timeNs;
    child.comm = this.threadNames.get(parentTid) ?? child.comm;
    this.threadNames.delete(pid);
    // One that has not ended is this very process, which /proc had told of already.
    if (before?.exited) {
      child.earlier = before;
      if (before !== DROPPED) this.graveyard.noteGone(before);
      this.reused.add(pid);
    }
    this.processes.set(pid, child);
  }

  /** Its parent was never seen and is gone: only /proc can tell, if it still lives. */
  private orphan(pid: number, parentPid: number): Process {
    const process = unknownProcess(pid, this.reason);
    process.parentPid = parentPid;
    const status = readStatus(pid);
    if (status === null) return process;
    this.provisional.push(process);
    return Object.assign(process, status, { nameBy: "proc", userBy: "proc" } as const);
  }

  /** A thread has the name of the one that made it, and keeps it when that one or the process takes another. */
  private forkThread(pid: number, tid: number, parentTid: number): void {
    const name = this.threadNames.get(parentTid) ?? this.processes.get(pid)?.comm;
    if (name !== undefined) this.threadNames.set(tid, name);
  }

  private rename(pid: number, tid: number, comm: string, exec: boolean, timeNs: number): void {
    const process = this.processes.get(pid);
    if (process === undefined) return;
    if (!exec && tid !== pid) {
      this.threadNames.set(tid, comm);
      return;
    }
    process.comm = comm;
    process.nameBy = null;
    process.cached = null;
    process.changedNs = timeNs;
    if (!exec) return;
    process.exe = undefined;
    // exec from a thread that isn't the first: the first one's EXIT came before, under this very number.
    process.exited = false;
    process.exitedNs = Number.POSITIVE_INFINITY;
    this.threadNames.delete(pid);
  }

  private changeUser(pid: number, uid: number, euid: number, timeNs: number): void {
    const process = this.processes.get(pid);
    if (process === undefined) return;
    process.uid = uid;
    process.euid = euid;
    process.userBy = null;
    process.cached = null;
    process.changedNs = timeNs;
  }

  private exit(pid: number, timeNs: number): void {
    const process = this.processes.get(pid);
    if (process === undefined || process.exited) return;
    process.exited = true;
    process.exitedNs = timeNs;
    this.graveyard.bury(process);
  }

  /**
   * The connector's EXEC has no name: without perf it is read from /proc, which is too late for a part of the
   * short-lived.
   */
  private execWithoutName(pid: number, timeNs: number): void {
    const process = this.processes.get(pid);
    if (process === undefined) return;
    const status = readStatus(pid);
    process.comm = status?.comm ?? "";
    process.nameBy = status === null ? "gone_before_known" : "proc";
    process.exe = undefined;
    process.exited = false;
    process.exitedNs = Number.POSITIVE_INFINITY;
    process.changedNs = timeNs;
    process.cached = null;
  }

  private readFromProc(pid: number): Process | null {
    const status = readStatus(pid);
    if (status === null) return null;
    const process: Process = { ...unknownProcess(pid, "proc"), ...status };
    this.processes.set(pid, process);
    this.provisional.push(process);
    return process;
  }
}

/** A child is what its parent is, and runs its program until it executes another. */
function inherit(pid: number, parent: Process): Process {
  const { pid: parentPid, comm, uid, euid, nameBy, userBy, exe, login, group } = parent;
  const child = unknownProcess(pid, null);
  return Object.assign(child, { parentPid, comm, uid, euid, nameBy, userBy, exe, login, group });
}

/** The streams have told all that happened to it since. */
function settle(process: Process): void {
  if (process.nameBy === "proc" || process.nameBy === "lost") process.nameBy = null;
  if (process.userBy === "proc" || process.userBy === "lost") process.userBy = null;
  process.cached = null;
}

const ALIASES_MAX = 0x3fff_ffff;
/** Stands for all that were forgotten for want of room. */
const DROPPED: Process = { ...unknownProcess(0, "gone_before_known"), exited: true };
