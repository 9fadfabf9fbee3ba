// Who is who: every process of the machine, followed by the kernel's own records of fork, exec, change of
// user and exit. No process is too short-lived, because its records are there before its first file event is
// read (the pipeline drains the streams after reading fanotify).

import type { ProcessRecord } from "../decode/process.ts";
import { helper } from "../kernel/helper.ts";
import type { ControlGroup } from "./cgroup.ts";
import { readPids, readStatus } from "./procfs.ts";

export interface Process {
  readonly pid: number;
  parentPid: number;
  /** latin1, one character a byte, at most 15. */
  comm: string;
  uid: number;
  euid: number;
  /** How name and user are known: null for the exact way (the streams), else a word for `who`. */
  source: "proc" | "inherited" | "lost" | null;
  /** Dead: may still be asked for until the fanotify queue was seen empty. */
  exited: boolean;
  /** Sweeps there had been by then. An exec from a thread revives a process, which then exits a second time. */
  exitedAt: number;
  /** What the log made of this process; emptied whenever something above changes. */
  cached: unknown;
  /** Path of the executable, read once per image; undefined while nobody asked. */
  exe: Uint8Array | null | undefined;
  /** Login user id; undefined while nobody asked. */
  login: number | null | undefined;
  /** Unit and container; undefined while nobody asked. */
  group: ControlGroup | null | undefined;
  /**
   * CLOCK_MONOTONIC of the fork and of the last change of name or user, 0 for what was there before: tells
   * which events of a batch can be older.
   */
  forkedNs: number;
  changedNs: number;
}

/**
 * Dead processes remembered between two looks at an empty queue. Each costs about 200 bytes. A batch spans
 * milliseconds and a fork takes 50 µs, so hundreds are normal; the bound matters when the daemon itself was
 * stopped.
 */
const EXITED_MAX = 65536;

export class ProcessTable {
  private readonly processes = new Map<number, Process>();
  /**
   * Names of threads that differ from their process's: a child inherits the name of the thread that forked
   * it.
   */
  private readonly threadNames = new Map<number, string>();
  private exited: Process[] = [];
  private exitedBefore: Process[] = [];
  private sweeps = 0;

  /** Reads every running process from /proc. After the streams were opened, so that nobody falls between. */
  seed(): void {
    for (const pid of readPids()) {
      const process = this.readFromProc(pid);
      // Exact: whatever changes from here on is told by the streams.
      if (process !== null) process.source = null;
    }
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
          if (record.pid === record.tid) this.exit(record.pid);
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
   * After records were lost: whatever still lives is read anew. What is gone may have taken another name or user in records
   * that nobody has seen, so its lines say that they aren't certain.
   */
  repair(): void {
    this.threadNames.clear();
    for (const process of [...this.processes.values()]) {
      const status = readStatus(process.pid);
      Object.assign(process, status ?? {}, {
        source: status === null ? "lost" : "proc",
        cached: null,
        exe: undefined,
      });
      if (status === null) this.exit(process.pid);
    }
    for (const pid of readPids()) if (!this.processes.has(pid)) this.readFromProc(pid);
  }

  /** Hot. The process behind an event; null when it can't be known. */
  find(pid: number): Process | null {
    return this.processes.get(pid) ?? (pid > 0 ? this.readFromProc(pid) : null);
  }

  /** Without looking at /proc. */
  peek(pid: number): Process | null {
    return this.processes.get(pid) ?? null;
  }

  /**
   * Forgets processes that had exited before the last call but one. Called when the fanotify queue was read
   * to its end: all events of a process are queued before its EXIT record (do_exit closes files first), so
   * those that had exited by the time of the previous call have none left.
   */
  sweep(): void {
    for (const process of this.exitedBefore) if (process.exitedAt < this.sweeps) this.forget(process);
    this.exitedBefore = this.exited;
    this.exited = [];
    this.sweeps++;
  }

  private forget(process: Process): void {
    if (!process.exited || this.processes.get(process.pid) !== process) return;
    // The first thread may end while others go on working: the process is then a zombie that still has a pid.
    if (helper().fh_alive(process.pid) === 0) this.exited.push(process);
    else this.processes.delete(process.pid);
  }

  private fork(pid: number, parentPid: number, parentTid: number, timeNs: number): void {
    const parent = this.processes.get(parentPid) ?? this.readFromProc(parentPid);
    const child: Process = {
      pid,
      parentPid,
      comm: this.threadNames.get(parentTid) ?? parent?.comm ?? "",
      uid: parent?.uid ?? 0,
      euid: parent?.euid ?? 0,
      source: parent?.source ?? null,
      exited: false,
      exitedAt: 0,
      cached: null,
      // A child runs its parent's program until it executes another.
      exe: parent?.exe,
      login: parent?.login,
      group: parent?.group,
      forkedNs: timeNs,
      changedNs: timeNs,
    };
    // Whatever had these numbers before is gone.
    this.threadNames.delete(pid);
    this.processes.delete(pid);
    if (parent === null) {
      // Its parent was never seen and is gone: only /proc can tell, if it still lives.
      this.readFromProc(pid);
      return;
    }
    this.processes.set(pid, child);
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
    process.cached = null;
    process.changedNs = timeNs;
    if (!exec) return;
    process.exe = undefined;
    process.source = null;
    // exec from a thread that isn't the first: the first one's EXIT came before, under this very number.
    process.exited = false;
    this.threadNames.delete(pid);
  }

  private changeUser(pid: number, uid: number, euid: number, timeNs: number): void {
    const process = this.processes.get(pid);
    if (process === undefined) return;
    process.uid = uid;
    process.euid = euid;
    process.cached = null;
    process.changedNs = timeNs;
  }

  private exit(pid: number): void {
    const process = this.processes.get(pid);
    if (process === undefined || process.exited) return;
    process.exited = true;
    process.exitedAt = this.sweeps;
    this.exited.push(process);
    if (this.exited.length > EXITED_MAX) this.forget(this.exited.shift()!);
  }

  /**
   * The connector's EXEC has no name: without perf it is read from /proc, which is too late for a part of the
   * short-lived.
   */
  private execWithoutName(pid: number, timeNs: number): void {
    const process = this.processes.get(pid);
    if (process === undefined) return;
    const status = readStatus(pid);
    process.comm = status?.comm ?? process.comm;
    process.source = status === null ? "inherited" : "proc";
    process.exe = undefined;
    process.exited = false;
    process.changedNs = timeNs;
    process.cached = null;
  }

  private readFromProc(pid: number): Process | null {
    const status = readStatus(pid);
    if (status === null) return null;
    const process: Process = {
      pid,
      ...status,
      source: "proc",
      exited: false,
      exitedAt: 0,
      cached: null,
      exe: undefined,
      login: undefined,
      group: undefined,
      forkedNs: 0,
      changedNs: 0,
    };
    this.processes.set(pid, process);
    return process;
  }
}
