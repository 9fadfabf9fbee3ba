// Reads batches, and who is in them. A batch may wait a moment for the name of a user in it: events stay in the kernel's
// queue for so long, and the event loop is free.
import type { EventBatch } from "../decode/fan.ts";
import { monotonicNs } from "../kernel/monotonic.ts";
import type { RecordLoss } from "../process/streams.ts";
import type { Processes } from "./processes.ts";

/** What is known of a batch besides its events. */
interface BatchRead {
  /** CLOCK_MONOTONIC before it was read. */
  readonly beforeNs: number;
  /** The queue was read to its end. */
  readonly emptied: boolean;
  /** Of records of processes. */
  readonly lost: RecordLoss | null;
}

export class Reading {
  /** How often to ask again while a batch waits. */
  static readonly againMs = 2;
  private held: BatchRead | null = null;

  /** @param onRead is called between the reading of a batch and that of its processes */
  constructor(
    private readonly source: { readonly batch: EventBatch; next(): boolean },
    private readonly processes: Processes,
    private readonly onRead: () => void,
  ) {}

  /**
   * Reads a batch, unless there is one. True while it had better wait.
   *
   * @param sinceNs when the queue was last seen empty
   */
  waits(sinceNs: number): boolean {
    this.held ??= this.read(sinceNs);
    return this.source.batch.count > 0 && this.processes.attribution.awaitsNames;
  }

  /** The batch that is to be told now, whether it waits or not. */
  take(sinceNs: number): BatchRead {
    const batch = this.held ?? this.read(sinceNs);
    this.held = null;
    return batch;
  }

  private read(sinceNs: number): BatchRead {
    const beforeNs = monotonicNs();
    const emptied = this.source.next();
    this.onRead();
    return { beforeNs, emptied, lost: this.processes.follow(this.source.batch, sinceNs) };
  }
}
