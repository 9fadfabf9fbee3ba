// Who is who: every process of the machine, followed by the kernel's own records of fork, exec, change of
// user and exit. No process is too short-lived, because its records are there before its first file event is
// read (the pipeline drains the streams after reading fanotify).
import type { ProcessRecord } from "../decode/process.ts";
import { answer, ask, hasOpen, type SinceDrained } from "./asking.ts";
import { Graveyard } from "./graveyard.ts";
import {
  changeUser,
  doubt,
  executeUnnamed,
  fromProc,
  keepForChildren,
  orphan,
  rename,
  weighUsers,
} from "./life.ts";
import { Losses, toldBefore } from "./losses.ts";
import { ProcessNumbers } from "./numbers.ts";
import { inherit, type Process, UNKNOWN_IMAGE, type Unknowable, unknownProcess } from "./process.ts";
import { type ProcStatus, readPids, readStartNs, readStatus, START_ACCURACY_NS } from "./procfs.ts";
import { Provisional } from "./provisional.ts";
import { repair } from "./repair.ts";
import type { RecordLoss } from "./streams.ts";
import { forgetThread, forkThread, threadOf } from "./threads.ts";
import { ALL_TOLD, type Tells } from "./way.ts";

export type { Process } from "./process.ts";

export class ProcessTable {
  private readonly numbers = new ProcessNumbers();
  private readonly graveyard = new Graveyard(
    (process) => {
      keepForChildren(process);
      this.numbers.forget(process);
    },
    (process) => {
      keepForChildren(process);
      this.numbers.drop(process);
    },
  );
  private readonly provisional: Provisional;
  private readonly losses = new Losses();
  /** Sweeps until what the queue holds is from after the last loss. */
  private lossAgo = 2;
  private batchSinceNs = Number.POSITIVE_INFINITY;
  /** Whose user was read from /proc for this batch: no stream would tell of a change. */
  private borrowed: Process[] = [];
  /** Ends of processes whose fork is still to be told: streams.ts holds the youngest records back for a drain. */
  private unclaimed: EndRecord[] = [];
  /** Numbers that were looked for in /proc for this batch. */
  private readonly lookedFor = new Set<number>();

  /**
   * @param tells what the records that come tell; the rest is asked for when it is needed
   * @param since is asked when a process is looked up in /proc
   */
  constructor(
    private readonly tells: Tells = ALL_TOLD,
    private readonly since: SinceDrained = { hasTold: () => false, tellEnds() {} },
  ) {
    this.provisional = new Provisional(tells);
  }

  /** Reads every running process from /proc. After the streams were opened, so that nobody falls between. */
  seed(): void {
    if (!this.tells.forks) return;
    for (const pid of readPids()) {
      const process = this.readFromProc(pid);
      if (process === null) continue;
      // Exact: whatever changes from here on is told by the streams.
      process.nameBy = null;
      process.userBy = this.tells.users ? null : "unread";
    }
    this.provisional.clear();
    for (const process of this.numbers.values()) process.parent = this.numbers.get(process.parentPid) ?? null;
  }

  /** Everybody who is known. */
  all(): Iterable<Process> {
    return this.numbers.values();
  }

  get size(): number {
    return this.numbers.size;
  }

  /**
   * Applies what was drained for a batch, and repairs what the kernel dropped of it. Ends that had found nobody get a second
   * chance, and then no more.
   */
  follow(records: readonly ProcessRecord[], loss: RecordLoss | null = null): void {
    const ends = this.unclaimed;
    this.unclaimed = [];
    const whole = loss === null || loss.usersOnly ? records : toldBefore(records, loss.sinceNs);
    this.apply(whole);
    const { length } = this.unclaimed;
    for (const end of ends) this.end(end);
    this.unclaimed.length = length;
    if (loss !== null) this.repair(loss, records.length - whole.length);
  }

  /** Applies records, oldest first. */
  apply(records: readonly ProcessRecord[]): void {
    for (const record of records) {
      // From inside a pid namespace everybody outside is 0.
      if (record.kind === "lost" || record.pid <= 0) continue;
      const serial = record.kind === "fork" ? this.losses.noteBirth() : 0;
      if (record.kind !== "end" && this.losses.swallow(record.timeNs)) continue;
      const process = this.numbers.get(record.pid);
      switch (record.kind) {
        case "fork":
          if (record.pid === record.parentPid) {
            if (process !== undefined) forkThread(process, record.tid, record.parentTid);
          } else this.fork(record, serial);
          break;
        case "comm":
          if (process !== undefined) rename(process, record, this.tells);
          break;
        case "uid":
          if (process !== undefined) changeUser(process, record);
          break;
        case "exit":
          if (process === undefined) break;
          forgetThread(process, record.tid);
          if (process.mixedUsers) weighUsers(process);
          if (record.pid === record.tid) this.exit(record.pid, record.timeNs);
          break;
        case "exec":
          if (process !== undefined) executeUnnamed(process, record.timeNs, this.tells);
          break;
        case "end":
          if (record.pid === record.tid) this.end(record);
          break;
      }
    }
  }

  /**
   * After records were lost: whatever still lives is read anew.
   *
   * @param discarded records from within the loss
   */
  repair(loss: RecordLoss, discarded = 0): void {
    if (!this.tells.forks) return;
    const { losses, numbers } = this;
    // Whose they are is not known any more.
    this.unclaimed.length = 0;
    if (!loss.usersOnly) losses.begin(loss, discarded, this.batchSinceNs);
    const { there, ended, taken } = repair(numbers.values(), loss, this.tells, losses);
    for (const process of there) this.provisional.add(process);
    for (const process of ended) this.graveyard.bury(process);
    if (loss.usersOnly) return;
    this.lossAgo = 0;
    const strangers: Process[] = [];
    for (const pid of taken) {
      const before = numbers.get(pid);
      if (before !== undefined) this.graveyard.noteGone(before);
      const stranger = this.readFromProc(pid);
      if (stranger === null) continue;
      losses.noteStranger(stranger, before === undefined);
      strangers.push(stranger);
    }
    for (const one of strangers) one.parent = numbers.get(one.parentPid) ?? null;
    losses.end();
  }

  /** @param sinceNs no event of the batch is older */
  beginBatch(sinceNs: number): void {
    this.batchSinceNs = sinceNs;
    for (const process of this.borrowed) {
      if (process.userBy !== "proc") continue;
      process.userBy = "unread";
      process.cached = null;
      answer(process);
    }
    this.borrowed.length = 0;
    if (this.tells.forks) return;
    // Nobody tells what becomes of them.
    for (const process of this.numbers.values()) if (!process.exited) this.numbers.delete(process.pid);
    this.lookedFor.clear();
  }

  /** Hot. The process behind an event, by its number or alias; null when it can't be known. */
  find(pid: number): Process | null {
    const process = this.tells.forks || pid <= 0 ? this.numbers.get(pid) : this.findWithoutForks(pid);
    if (process !== undefined) return this.asked(process);
    return pid > 0 && this.tells.forks ? this.findInProc(pid) : null;
  }

  private asked(process: Process): Process {
    if (!hasOpen(process)) return process;
    if (ask(process, this.since)) {
      if (this.tells.users) this.provisional.add(process);
      else this.borrowed.push(process);
    }
    return process;
  }

  /** /proc knows who lives, taskstats who died; one number can have been several's. Asked once a batch. */
  private findWithoutForks(pid: number): Process | undefined {
    if (this.lookedFor.has(pid)) return this.numbers.get(pid);
    this.lookedFor.add(pid);
    const status = readStatus(pid);
    // An end that was told is of a first thread then, behind which others go on, or which one of them has replaced.
    if (status !== null && !this.isYoung(pid)) return this.addFromProc(pid, status);
    // After it: whoever had the number before the one that was read is told of by now.
    this.since.tellEnds();
    const dead = this.numbers.get(pid);
    if (dead === undefined) return status === null ? undefined : this.addFromProc(pid, status);
    const { comm, uid } = dead;
    let same = status === null || (status.comm === comm && status.uid === uid);
    for (let one = dead.earlier; one !== null; one = one.earlier)
      same &&= one.comm === comm && one.uid === uid;
    if (!same) dead.nameBy = dead.userBy = "pid_reused";
    dead.cached = null;
    return dead;
  }

  /** Nobody told of it: it is older than the streams, or it was forgotten and the number is another's by now. */
  private findInProc(pid: number): Process | null {
    return this.isYoung(pid) ? null : this.readFromProc(pid);
  }

  /** Whether the number can have been another's in this batch. */
  private isYoung(pid: number): boolean {
    const startNs = readStartNs(pid);
    return startNs === null || startNs > this.batchSinceNs - START_ACCURACY_NS;
  }

  /** Without looking at /proc. */
  peek(pid: number): Process | null {
    return this.numbers.get(pid) ?? null;
  }

  /** Why nothing is known of a number that find() doesn't find. */
  get reason(): Unknowable {
    return this.lossAgo < 2 ? "process_stream_lost" : "gone_before_known";
  }

  /** True while some number may mean more than one process, in events from after sinceNs. */
  hasReused(sinceNs: number): boolean {
    return this.numbers.hasReused || this.losses.concern(sinceNs);
  }

  /** Hot. Puts an alias in place of a number that more than one may have had between the two (numbers.ts). */
  tellApart(pid: number, sinceNs: number, untilNs: number): number {
    if (pid > 0 && this.losses.concern(sinceNs)) {
      const latest = this.numbers.get(pid);
      if (latest === undefined || !this.losses.isOnly(latest))
        return this.numbers.nobody(pid, "process_stream_lost");
    }
    return this.numbers.tellApart(pid, sinceNs, untilNs, this.reason);
  }

  /**
   * Forgets processes whose number had been free by the time of the last call. Called when the fanotify queue was read
   * to its end: everything that a process does is queued before its number is free, so none of it is left.
   */
  sweep(): void {
    this.graveyard.sweep();
    this.numbers.sweep(this.graveyard.dropped);
    this.lossAgo = Math.min(this.lossAgo + 1, 2);
    this.provisional.sweep();
  }

  private fork({ pid, parentPid, parentTid, timeNs }: ForkRecord, serial: number): void {
    const parent = this.numbers.get(parentPid) ?? this.readFromProc(parentPid);
    const before = this.numbers.get(pid) ?? null;
    if (before !== null && !before.exited && before.readNs > timeNs) {
      // /proc had told of this very process already; what it became since then is told again.
      Object.assign(before, { parent, parentPid, forkedNs: timeNs, changedNs: timeNs, serial });
      return;
    }
    // A parent that was read from /proc after that may have been something else before.
    const inherits = parent !== null && parent.readNs <= timeNs;
    const child = inherits
      ? inherit(pid, parent, threadOf(parent, parentTid), timeNs)
      : orphan(pid, parent, timeNs, this.reason);
    child.parentPid = parentPid;
    child.serial = serial;
    if (child.readNs > 0) this.provisional.add(child);
    else this.provisional.addChild(child);
    if (!this.tells.names) doubt(child);
    if (!this.tells.users) child.userBy = "unread";
    if (before !== null) {
      this.exit(pid, timeNs);
      this.graveyard.noteGone(before);
    }
    if (before !== null || this.graveyard.dropped) this.numbers.succeed(child, before);
    else this.numbers.set(child);
  }

  private exit(pid: number, timeNs: number): void {
    const process = this.numbers.get(pid);
    if (process === undefined || process.exited) return;
    process.exited = true;
    process.exitedNs = timeNs;
    this.graveyard.bury(process);
  }

  /** Ends are told in the order of a number's holders. */
  private end(record: EndRecord): void {
    const latest = this.numbers.get(record.pid) ?? null;
    let its: Process | null = null;
    for (let one = latest; one !== null; one = one.earlier) if (one.end === null) its = one;
    if (its !== null && its.replacedEnds > 0) {
      its.replacedEnds--;
      return;
    }
    if (this.tells.forks) {
      if (its === null) this.unclaimed.push(record);
      else {
        its.end = record;
        answer(its);
      }
      return;
    }
    if (its === null) {
      its = { ...unknownProcess(record.pid, "unread"), parentPid: record.parentPid };
      if (latest === null) this.numbers.set(its);
      else this.numbers.succeed(its, latest);
    }
    // Of the one that /proc showed in this batch: whoever had the number before was told of right after the reading.
    its.nameBy = its.userBy = "unread";
    if (its.comm !== record.comm) its.image = UNKNOWN_IMAGE;
    its.end = record;
    answer(its);
    if (its.exited) return;
    its.exited = true;
    this.graveyard.bury(its);
  }

  private readFromProc(pid: number): Process | null {
    const status = readStatus(pid);
    return status === null ? null : this.addFromProc(pid, status);
  }

  private addFromProc(pid: number, status: ProcStatus): Process {
    const process = fromProc(pid, status);
    process.parent = this.numbers.get(process.parentPid) ?? null;
    this.numbers.set(process);
    this.provisional.add(process);
    return process;
  }
}

type ForkRecord = Extract<ProcessRecord, { kind: "fork" }>;
type EndRecord = Extract<ProcessRecord, { kind: "end" }>;
