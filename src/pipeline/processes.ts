// Everything about processes that a batch needs, in the one order that is safe: the streams are drained when the batch has
// been read, then the numbers in it are told apart.
import type { EventBatch } from "../decode/fan.ts";
import type { ProcessRecord } from "../decode/process.ts";
import { monotonicNs } from "../kernel/monotonic.ts";
import { EPOLLIN, type Waiter } from "../kernel/waiter.ts";
import { Executables } from "../process/executables.ts";
import { ProcessStreams, type RecordLoss } from "../process/streams.ts";
import { ProcessTable } from "../process/table.ts";
import type { Source } from "../process/way.ts";
import { Attribution } from "./attribution.ts";
import { tellReusedApart } from "./reused.ts";

/** Sockets hold some 10,000 processes (kernel/procconn.ts), which take longer than this to run. */
const CHATTY_REST_MS = 100;

export class Processes {
  readonly streams: ProcessStreams;
  readonly attribution: Attribution;
  private readonly table: ProcessTable;
  private readonly executables: Executables;
  private readonly records: ProcessRecord[] = [];
  /** Found to be lost between two batches. */
  private missed: RecordLoss | null = null;

  constructor(sources: ReadonlySet<Source>) {
    const streams = new ProcessStreams(sources);
    const tellEnds = () => {
      this.records.length = 0;
      streams.drainEnds(this.records);
      this.table.apply(this.records);
    };
    this.streams = streams;
    this.table = new ProcessTable(streams.tells, {
      hasTold: (kind, pid) => streams.hasTold(kind, pid),
      tellEnds,
    });
    this.executables = new Executables(streams.tells.names);
    this.attribution = new Attribution(this.table, this.executables);
    // After the streams were opened: whoever is forked from now on is told by them.
    this.table.seed();
    this.attribution.expectUsers(this.table.all());
  }

  /**
   * Right after a batch was read.
   *
   * @param sinceNs CLOCK_MONOTONIC of when the queue was last seen empty
   * @returns what the kernel dropped, null when nothing
   */
  follow(batch: EventBatch, sinceNs: number): RecordLoss | null {
    const { streams, table, records } = this;
    const readNs = monotonicNs();
    const lost = streams.drain(records);
    const { missed } = this;
    this.missed = null;
    table.follow(records, lost);
    this.attribution.noteUsers(records);
    if (table.hasReused(sinceNs)) tellReusedApart(batch, table, sinceNs, readNs);
    this.attribution.beginBatch(sinceNs, readNs);
    return together(lost, missed);
  }

  /** Has the waiter wait for whatever the streams wait for. */
  waitBy(waiter: Waiter): void {
    for (const fd of this.streams.fds) waiter.add(fd, EPOLLIN);
    for (const fd of this.streams.chattyFds) waiter.add(fd, EPOLLIN, CHATTY_REST_MS);
  }

  /**
   * Where CPUs came or went: their rings. Called once a second, and when a descriptor woke that may mean it.
   *
   * @returns true when records are missing, which the next batch tells
   */
  followCpus(waiter: Waiter, woken: number | null = null): boolean {
    if (woken !== null && !this.streams.mayBeCpus(woken)) return false;
    if (!this.streams.cpusChanged) return false;
    // A ring that is given back takes along what wasn't read.
    const lost = this.streams.drain(this.records);
    this.table.follow(this.records, lost);
    this.missed = together(lost, this.missed);
    this.executables.followCpus(this.streams.cpusGone);
    const opened = this.streams.followCpus((fd) => waiter.remove(fd));
    for (const fd of opened) waiter.add(fd, EPOLLIN);
    return opened.length > 0 || lost !== null;
  }

  /** The queue was read to its end, and nothing of it waits for the next batch. */
  caughtUp(): void {
    this.table.sweep();
  }

  close(): void {
    this.streams.close();
    this.executables.close();
  }
}

function together(lost: RecordLoss | null, missed: RecordLoss | null): RecordLoss | null {
  if (lost === null || missed === null) return lost ?? missed;
  return { ...lost, count: lost.count === null || missed.count === null ? null : lost.count + missed.count };
}
