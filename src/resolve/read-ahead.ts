// The event queue, one batch after the other; and, where somebody has to know, what stands further back in it. Whatever is read ahead
// is handed out later in its turn: no event is told early, and none twice.
import { decodeFanEvents, EventBatch } from "../decode/fan.ts";
import { Clues } from "./clues.ts";
import { LastPlaces } from "./endings/last-places.ts";
import { EntryClues } from "./entry-clues.ts";
import type { Filesystem } from "./filesystems/filesystem.ts";
import { ProcessPlaces } from "./process-places.ts";

/** One batch: about 1,000 events. Larger ones are no faster, and what is made of them stays taken: 9 MB with four times the size. */
const BATCH_BYTES = 128 * 1024;
/** What is read ahead at a time: two of them fill a batch. */
const CHUNK_BYTES = 64 * 1024;

/** The largest event is 656 bytes. */
const EVENT_ROOM_BYTES = 1024;

/** The kernel's queues (filesystems/event-queues.ts). */
export interface EventSource {
  /** Reads until they are empty or the batch is full. Returns whether they were empty. */
  fill(batch: EventBatch): boolean;
  /** Events that wait now. */
  pendingEvents(): number;
  /** Waits for an event, at most so many milliseconds. */
  wait(timeoutMs: number): void;
}

/** What is kept of queued events by place. Made when it is first asked for, and again once the queue was empty. */
interface Index {
  /** Events before this place are in it, or nobody asks for them any more. */
  indexedTo: number;
  index(batch: EventBatch): void;
  clear(): void;
}

interface Chunk {
  bytes: Uint8Array;
  startsAt: number;
  events: number;
}

export class ReadAhead {
  readonly batch: EventBatch;
  readonly clues = new Clues((place) => this.eventAt(place));
  private readonly lastPlaces = new LastPlaces();
  private readonly processPlaces = new ProcessPlaces();
  private readonly entries = new EntryClues((place) => this.alone(place));
  private readonly one = new EventBatch(EVENT_ROOM_BYTES);
  private chunks: Chunk[] = [];
  private chunkEvents = 0;
  private scratch: EventBatch | null = null;
  /** All is read that was queued when the batch was. */
  private isWhole = true;

  constructor(
    private readonly source: EventSource,
    batchBytes = BATCH_BYTES,
    private readonly chunkBytes = CHUNK_BYTES,
  ) {
    this.batch = new EventBatch(batchBytes);
  }

  /** Events that wait, in the kernel or here. */
  pendingEvents(): number {
    return this.chunkEvents + this.source.pendingEvents();
  }

  /** True while something was read that isn't handed out yet. */
  get isAhead(): boolean {
    return this.chunkEvents > 0;
  }

  /** Puts the next events into the batch. Returns whether no more were queued. */
  next(): boolean {
    const { batch, clues } = this;
    batch.clear();
    let taken = 0;
    for (const { bytes, events } of this.chunks) {
      if (batch.bytes.length - batch.usedBytes < bytes.length) break;
      const from = batch.usedBytes;
      batch.bytes.set(bytes, from);
      decodeFanEvents(batch, from, from + bytes.length);
      this.chunkEvents -= events;
      taken++;
    }
    this.chunks = this.chunks.slice(taken);
    if (this.chunks.length > 0) {
      this.isWhole = false;
      return false;
    }
    for (const index of [clues, this.lastPlaces, this.processPlaces, this.entries])
      if (index.indexedTo <= batch.startsAt) index.clear();
    this.isWhole = this.source.fill(batch);
    return this.isWhole;
  }

  /** What was read can be asked for clues when this returns. */
  cover(): void {
    this.coverBy(this.clues);
  }

  /**
   * The place of the last event in a directory that was gone when its event in the batch was read, so that everything that happened
   * in it is queued; -1 when nothing has.
   */
  lastIn(bytes: Uint8Array, handleAt: number): number {
    if (!this.isWhole) this.readAll();
    this.isWhole = true;
    this.coverBy(this.lastPlaces);
    return this.lastPlaces.of(bytes, handleAt);
  }

  /**
   * An event of a process behind the batch, of what was read by now.
   *
   * @param skipped how many of its events stand before that one
   * @returns a batch of this one event, good until the next call; null when there is none
   */
  nextOfProcess(pid: number, skipped = 0): EventBatch | null {
    if (!this.isAhead) return null;
    this.coverBy(this.processPlaces);
    const place = this.processPlaces.at(pid, this.batch.endsAt, skipped);
    return place < 0 ? null : this.alone(place);
  }

  /** What the events that were read by now say of an entry behind a place in the queue (entry-clues.ts). */
  entryHad(
    fs: Filesystem,
    parent: Uint8Array,
    name: Uint8Array,
    from: number,
  ): Uint8Array | null | undefined {
    this.coverBy(this.entries);
    return this.entries.had(fs, parent, name, from);
  }

  /** One event as a batch, good until the next call. */
  private alone(place: number): EventBatch {
    const { one } = this;
    const bytes = this.eventAt(place);
    one.clear();
    one.startsAt = place;
    one.bytes.set(bytes);
    decodeFanEvents(one, 0, bytes.length);
    return one;
  }

  private coverBy(index: Index): void {
    index.index(this.batch);
    for (const { bytes, startsAt } of this.chunks) {
      if (index.indexedTo >= startsAt + bytes.length) continue;
      const again = this.again();
      again.startsAt = startsAt;
      again.bytes.set(bytes);
      decodeFanEvents(again, 0, bytes.length);
      index.index(again);
    }
  }

  /** The one buffer for what isn't handed out, empty. */
  private again(): EventBatch {
    this.scratch ??= new EventBatch(this.chunkBytes);
    this.scratch.clear();
    return this.scratch;
  }

  /**
   * Everything that is queued by now can be asked for clues when this returns.
   *
   * @returns whether there was anything new
   */
  readAll(): boolean {
    this.cover();
    let left = this.source.pendingEvents();
    if (left === 0) return false;
    // Bounded by what is there as it begins: more may come as fast as it is read.
    for (let emptied = false; left > 0 && !emptied; ) {
      const scratch = this.again();
      const last = this.chunks.at(-1);
      scratch.startsAt = last === undefined ? this.batch.endsAt : last.startsAt + last.bytes.length;
      emptied = this.source.fill(scratch);
      left -= scratch.count;
      if (scratch.count === 0) continue;
      this.clues.index(scratch);
      const bytes = Uint8Array.from(scratch.bytes.subarray(0, scratch.usedBytes));
      this.chunks.push({ bytes, startsAt: scratch.startsAt, events: scratch.count });
      this.chunkEvents += scratch.count;
    }
    return true;
  }

  /** The same with what comes within so many milliseconds. */
  readSoon(timeoutMs: number): boolean {
    this.source.wait(timeoutMs);
    return this.readAll();
  }

  private eventAt(place: number): Uint8Array {
    const { batch, chunks } = this;
    if (place < batch.endsAt) return eventOf(batch.bytes, place - batch.startsAt);
    let low = 0;
    let high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (chunks[middle]!.startsAt <= place) low = middle;
      else high = middle - 1;
    }
    return eventOf(chunks[low]!.bytes, place - chunks[low]!.startsAt);
  }
}

function eventOf(bytes: Uint8Array, at: number): Uint8Array {
  const length = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true);
  return bytes.subarray(at, at + length);
}
