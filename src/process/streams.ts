// The two kernel streams that tell of processes, as one: the perf side-band for fork, exec and exit, the proc
// connector for changes of user (and for everything where perf is locked down). Which way is in use is said
// once.

import { decodePerfRecords } from "../decode/perf.ts";
import { decodeProcMessages } from "../decode/proc.ts";
import { byTime, type ProcessRecord } from "../decode/process.ts";
import * as abi from "../kernel/abi.ts";
import { monotonicNs } from "../kernel/monotonic.ts";
import { PerfSideband } from "../kernel/perf.ts";
import { ProcConnector } from "../kernel/procconn.ts";

/** Chooses what is opened; "auto" takes the best that the machine allows. */
export type IdentificationWay = "auto" | "connector" | "proc";

const ALL_PROCESS_EVENTS =
  abi.PROC_EVENT_FORK | abi.PROC_EVENT_EXEC | abi.PROC_EVENT_UID | abi.PROC_EVENT_COMM | abi.PROC_EVENT_EXIT;
/** More than fit into what is left of a ring when it counts as crowded (kernel/perf.ts). */
const CROWDED_RECORDS = 128;
/** A full ring in one piece. */
const BUFFER_BYTES = 1 << 20;

/** Records that the kernel dropped. */
export interface RecordLoss {
  /** Null where the kernel doesn't say how many. */
  count: number | null;
  /** CLOCK_MONOTONIC until when nothing is missing. */
  sinceNs: number;
}

export class ProcessStreams {
  private readonly buffer = Buffer.alloc(BUFFER_BYTES);
  private readonly perf: PerfSideband | null;
  private readonly connector: ProcConnector | null;
  /** Records from after the beginning of the last drain. */
  private readonly tooNew: ProcessRecord[] = [];
  /** When the last drain began. */
  private drainedNs = 0;
  /** In words, for the start message, health and limits. */
  readonly way: string;
  /** What is missing and why, for the person who starts the daemon. */
  readonly notes: readonly string[];

  constructor(wanted: IdentificationWay) {
    const notes: string[] = [];
    this.perf = wanted === "auto" ? attempt(() => PerfSideband.open(), "perf side-band", notes) : null;
    const events = this.perf === null ? ALL_PROCESS_EVENTS : abi.PROC_EVENT_UID;
    this.connector =
      wanted === "proc" ? null : attempt(() => ProcConnector.open(events), "proc connector", notes);
    this.way =
      this.perf !== null
        ? this.connector !== null
          ? "perf side-band and proc connector"
          : "perf side-band; changes of user are not followed"
        : this.connector !== null
          ? "proc connector and /proc; the shortest-lived processes can stay nameless"
          : "/proc only; short-lived processes stay nameless";
    this.notes = notes;
  }

  /**
   * Descriptors on which to wake up even if no file event comes. The rings are readable at their watermark;
   * the connector only counts where it carries everything, because a wake-up for each process would be the
   * daemon's largest cost.
   */
  get fds(): number[] {
    if (this.perf !== null) return this.perf.fds;
    return this.connector === null ? [] : [this.connector.fd];
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
    const beganNs = monotonicNs();
    const { perf, connector, tooNew } = this;
    records.length = 0;
    let wholeUntilNs = beganNs;
    perf?.drain(this.buffer, (bytes, crowded) => {
      const from = records.length;
      decodePerfRecords(this.buffer, bytes, records);
      // A short record may have found room behind one that didn't: the last ones are not believed to be all.
      if (crowded) wholeUntilNs = Math.min(wholeUntilNs, timeBefore(records, from));
    });
    let lost = perf?.takeLost() ?? 0;
    for (const record of records)
      if (record.kind === "lost" && perf?.countsLost === false) lost += record.count;
    let uncounted = false;
    if (connector !== null) {
      for (;;) {
        const bytes = connector.receive(this.buffer);
        decodeProcMessages(this.buffer, bytes, records);
        if (bytes < BUFFER_BYTES / 2) break;
      }
      uncounted = connector.takeLost();
    }
    // Older ones first: sorting keeps the order of equal times.
    records.unshift(...tooNew.splice(0, tooNew.length));
    if (records.length > 1) records.sort(byTime);
    while (records.length > 0 && records.at(-1)!.timeNs > beganNs) tooNew.unshift(records.pop()!);
    const drainedNs = this.drainedNs;
    this.drainedNs = beganNs;
    // The socket doesn't say from when on: from what was queued in one piece onwards nothing is certain.
    if (uncounted) return { count: null, sinceNs: drainedNs };
    return lost > 0 ? { count: lost, sinceNs: Math.max(drainedNs, wholeUntilNs) } : null;
  }

  close(): void {
    this.perf?.close();
    this.connector?.close();
  }
}

/** The time of a ring's record some way before its end. */
function timeBefore(records: readonly ProcessRecord[], from: number): number {
  return records[Math.max(from, records.length - CROWDED_RECORDS)]?.timeNs ?? 0;
}

function attempt<T>(open: () => T, what: string, notes: string[]): T | null {
  try {
    return open();
  } catch (error) {
    notes.push(`${what} is not available: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}
