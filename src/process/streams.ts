// The kernel's streams that tell of processes, as one: the perf side-band for fork, exec and exit, the proc connector
// for changes of user. Where one of them is locked away the connector carries everything, and taskstats tells what the
// missing one would have, of those that are gone. Which way is in use is said once.
import { decodePerfRecords } from "../decode/perf.ts";
import { decodeProcMessages } from "../decode/proc.ts";
import { byTime, type ProcessRecord } from "../decode/process.ts";
import { decodeTaskStats } from "../decode/taskstats.ts";
import * as abi from "../kernel/abi.ts";
import { monotonicNs } from "../kernel/monotonic.ts";
import { PerfSideband } from "../kernel/perf.ts";
import { ProcConnector } from "../kernel/procconn.ts";
import { TaskStats } from "../kernel/taskstats.ts";
import { DeviceEvents } from "../kernel/uevents.ts";
import { type Source, type Tells, wayText } from "./way.ts";

const ALL_PROCESS_EVENTS =
  abi.PROC_EVENT_FORK | abi.PROC_EVENT_EXEC | abi.PROC_EVENT_UID | abi.PROC_EVENT_COMM | abi.PROC_EVENT_EXIT;
/** More than fit into what is left of a ring when it counts as crowded (kernel/perf.ts). */
const CROWDED_RECORDS = 128;
/** A full ring in a few pieces. */
const BUFFER_BYTES = 1 << 20;

/** Records that the kernel dropped. */
export interface RecordLoss {
  /** Null where the kernel doesn't say how many. */
  count: number | null;
  /** CLOCK_MONOTONIC until when nothing is missing, and from when on nothing is any more. */
  sinceNs: number;
  untilNs: number;
  /** Changes of user alone: names and lives are whole. */
  usersOnly: boolean;
}

export class ProcessStreams {
  private readonly buffer = Buffer.alloc(BUFFER_BYTES);
  private readonly perf: PerfSideband | null;
  private readonly connector: ProcConnector | null;
  private readonly taskStats: TaskStats | null;
  private readonly devices: DeviceEvents | null;
  /** PROC_EVENT_* that the connector is asked for; older kernels send everything. */
  private readonly connectorEvents: number;
  /** Records from after the beginning of the last drain. */
  private readonly tooNew: ProcessRecord[] = [];
  /** Since the last drain: until when crowded rings are whole, what LOST records told, whether the connector dropped any. */
  private wholeUntilNs = Number.POSITIVE_INFINITY;
  private lost = 0;
  private connectorLost = false;
  /** When the last drain began. */
  private drainedNs = 0;
  /** When each CPU that was online had its ring, as far as is known. */
  private cpusFollowedNs = monotonicNs();
  /** CPUs that went since followCpus(). */
  readonly cpusGone = new Set<number>();
  /** Since when processes on a new CPU weren't told of; null when all were. */
  private newCpuSinceNs: number | null = null;
  /** In words, for the start message, health and limits. */
  readonly way: string;
  /** What is missing and why, for the person who starts the daemon. */
  readonly notes: readonly string[];
  /** What is told, and so never has to be asked for. */
  readonly tells: Tells;

  /** Opens the best that the machine allows of what is wanted. */
  constructor(wanted: ReadonlySet<Source>) {
    const notes: string[] = [];
    const open = <T>(source: Source, what: string, how: () => T): T | null => {
      if (!wanted.has(source)) return null;
      try {
        return how();
      } catch (error) {
        notes.push(`${what} is not available: ${error instanceof Error ? error.message : String(error)}`);
        return null;
      }
    };
    this.perf = open("perf", "perf side-band", () => PerfSideband.open());
    this.connectorEvents = this.perf === null ? ALL_PROCESS_EVENTS : abi.PROC_EVENT_UID;
    this.connector = open("connector", "proc connector", () => ProcConnector.open(this.connectorEvents));
    const { perf, connector } = this;
    // Without them a new CPU is noticed within a second.
    this.devices = perf === null ? null : open("perf", "announcement of CPUs", () => new DeviceEvents());
    // Not beside the other two: it would only cost.
    this.taskStats =
      perf !== null && connector !== null ? null : open("taskstats", "taskstats", () => TaskStats.open());
    this.tells = {
      forks: perf !== null || connector !== null,
      names: perf !== null,
      users: connector !== null,
      ends: this.taskStats !== null,
    };
    this.way = wayText(this.tells);
    this.notes = notes;
  }

  /** Rings, readable at their watermark, and announcements of devices: they may wake at once. */
  get fds(): number[] {
    return [...(this.perf?.fds ?? []), ...(this.devices === null ? [] : [this.devices.fd])];
  }

  /** Sockets: readable from the first message on. Whoever waits for them must not do so all the time. */
  get chattyFds(): number[] {
    return [this.connector, this.taskStats].flatMap((one) => (one === null ? [] : [one.fd]));
  }

  /** One of fds woke: whether that can be because of a CPU. */
  mayBeCpus(fd: number): boolean {
    return fd === this.devices?.fd || (this.perf?.fds.includes(fd) ?? false);
  }

  /** CPUs came or went. */
  get cpusChanged(): boolean {
    const nowNs = monotonicNs();
    this.devices?.takeCpusGone(this.cpusGone);
    const changed = this.cpusGone.size > 0 || (this.perf?.cpusChanged ?? false);
    if (!changed) this.cpusFollowedNs = nowNs;
    return changed;
  }

  /**
   * Gives new CPUs a ring and takes those of others back, right after a drain. What happened on a new one meanwhile nobody
   * has told: the next drain says that records were lost.
   *
   * @param closing is told each descriptor before it is closed
   * @returns the new descriptors
   */
  followCpus(closing: (fd: number) => void): number[] {
    const { perf, cpusFollowedNs } = this;
    if (perf === null) return [];
    this.cpusFollowedNs = monotonicNs();
    const opened = perf.followCpus(this.cpusGone, closing);
    this.cpusGone.clear();
    if (opened.length > 0) this.newCpuSinceNs ??= cpusFollowedNs;
    return opened;
  }

  /**
   * Everything that both streams told until now, oldest first.
   *
   * The rings are read one after the other, so one that was read first may lack what happened before something in one that
   * was read last: a fork on CPU 0, its child's exec on CPU 1. Records from after the beginning of the drain therefore wait for
   * the next one. Whoever has a file event in a batch that was read before executed its program before, too.
   *
   * @returns what the kernel dropped since the last call, null when nothing
   */
  drain(records: ProcessRecord[]): RecordLoss | null {
    const { perf, tooNew, drainedNs } = this;
    const beganNs = monotonicNs();
    this.drainedNs = beganNs;
    records.length = 0;
    // Older ones first: sorting keeps the order of equal times.
    for (const record of tooNew) records.push(record);
    tooNew.length = 0;
    this.collect(records);
    const { newCpuSinceNs, connectorLost } = this;
    const lost = this.lost + (perf?.takeLost() ?? 0);
    const wholeUntilNs = Math.min(this.wholeUntilNs, beganNs);
    this.newCpuSinceNs = null;
    this.wholeUntilNs = Number.POSITIVE_INFINITY;
    this.lost = 0;
    this.connectorLost = false;
    if (records.length > 1) records.sort(byTime);
    const isLoss = lost > 0 || connectorLost || newCpuSinceNs !== null;
    // After a loss /proc is read, which is ahead of all of them.
    if (!isLoss)
      while (records.length > 0 && records.at(-1)!.timeNs > beganNs) tooNew.unshift(records.pop()!);
    // They have no time, and belong behind everything else that is told of a process.
    const endsLost = this.drainEnds(records);
    // A ring went on dropping records until it was drained itself.
    const untilNs = monotonicNs();
    // A socket doesn't say from when on, nor how much: from the last drain on nothing is certain.
    if (perf === null && connectorLost) return { count: null, sinceNs: drainedNs, untilNs, usersOnly: false };
    if (newCpuSinceNs !== null) return { count: null, sinceNs: newCpuSinceNs, untilNs, usersOnly: false };
    if (lost > 0)
      return { count: lost, sinceNs: Math.max(drainedNs, wholeUntilNs), untilNs, usersOnly: false };
    // Ends that are missing leave names or users unknown, not wrong.
    if (connectorLost) return { count: null, sinceNs: drainedNs, untilNs, usersOnly: true };
    return endsLost && !this.tells.forks
      ? { count: null, sinceNs: drainedNs, untilNs, usersOnly: false }
      : null;
  }

  /** Whether something was told of a number, a process's or a thread's, since the last drain; the next one will give it. */
  hasTold(kind: "fork" | "exit", tid: number): boolean {
    const { tooNew } = this;
    this.collect(tooNew);
    for (const record of tooNew) if (record.kind === kind && record.tid === tid) return true;
    return false;
  }

  /** Appends what the rings and the connector hold. */
  private collect(records: ProcessRecord[]): void {
    const { perf } = this;
    perf?.drain(this.buffer, (bytes, crowded) => {
      const from = records.length;
      decodePerfRecords(this.buffer, bytes, records);
      // A short record may have found room behind one that didn't: the last ones are not believed to be all.
      if (crowded) this.wholeUntilNs = Math.min(this.wholeUntilNs, timeBefore(records, from));
      if (perf.countsLost) return;
      for (let i = from; i < records.length; i++) {
        const record = records[i]!;
        if (record.kind === "lost") this.lost += record.count;
      }
    });
    if (this.drainConnector(records)) this.connectorLost = true;
  }

  /** What was told of ends by now; they are appended. Returns whether some were dropped. */
  drainEnds(records: ProcessRecord[]): boolean {
    const { taskStats, buffer } = this;
    if (taskStats === null) return false;
    for (;;) {
      const bytes = taskStats.receive(buffer);
      decodeTaskStats(buffer, bytes, records);
      if (bytes < BUFFER_BYTES / 2) return taskStats.takeLost();
    }
  }

  private drainConnector(records: ProcessRecord[]): boolean {
    const { connector, buffer } = this;
    if (connector === null) return false;
    for (;;) {
      const bytes = connector.receive(buffer);
      decodeProcMessages(buffer, bytes, this.connectorEvents, records);
      if (bytes < BUFFER_BYTES / 2) return connector.takeLost();
    }
  }

  close(): void {
    this.perf?.close();
    this.devices?.close();
    this.connector?.close();
    this.taskStats?.close();
  }
}

/** The time of a ring's record some way before its end. */
function timeBefore(records: readonly ProcessRecord[], from: number): number {
  return records[Math.max(from, records.length - CROWDED_RECORDS)]?.timeNs ?? 0;
}
