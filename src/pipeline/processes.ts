// Everything about processes that a batch needs, in the one order that is safe: the streams are drained when the batch has
// been read, then the numbers in it are told apart.
import type { EventBatch } from "../decode/fan.ts";
import type { ProcessRecord } from "../decode/process.ts";
import { monotonicNs } from "../kernel/monotonic.ts";
import { Executables } from "../process/executables.ts";
import { ProcessStreams, type RecordLoss } from "../process/streams.ts";
import { ProcessTable } from "../process/table.ts";
import type { Source } from "../process/way.ts";
import { Attribution } from "./attribution.ts";
import { tellReusedApart } from "./reused.ts";

export class Processes {
  readonly streams: ProcessStreams;
  readonly attribution: Attribution;
  private readonly table: ProcessTable;
  private readonly executables: Executables;
  private readonly records: ProcessRecord[] = [];

  constructor(sources: ReadonlySet<Source>) {
    const streams = new ProcessStreams(sources);
    const tellEnds = () => {
      this.records.length = 0;
      streams.drainEnds(this.records);
      this.table.apply(this.records);
    };
    this.streams = streams;
    this.table = new ProcessTable(streams.tells, tellEnds);
    this.executables = new Executables(sources.has("perf"));
    this.attribution = new Attribution(this.table, this.executables);
    // After the streams were opened: whoever is forked from now on is told by them.
    this.table.seed();
    for (const process of this.table.all()) this.attribution.expectUser(process.uid);
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
    table.follow(records);
    this.attribution.noteUsers(records);
    if (lost !== null) table.repair(lost);
    if (table.hasReused) tellReusedApart(batch, table, sinceNs, readNs);
    this.attribution.beginBatch(sinceNs, readNs);
    return lost;
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
