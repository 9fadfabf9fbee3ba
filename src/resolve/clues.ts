// What queued events say of directories' places: a rename, a removal or a making tells where the directory was until then. Found by
// the directory's handle. Holds 16 bytes an event; the events themselves stay where they were read (read-ahead.ts).
import * as fan from "../decode/fan.ts";
import * as abi from "../kernel/abi.ts";
import { isOn, sameHandle } from "./endings/orphans.ts";
import type { Filesystem } from "./filesystems/filesystem.ts";
import { handleHash } from "./filesystems/tree.ts";

/** MOVED_FROM: half of a rename, where each directory is marked by itself. */
const TELLING = abi.FAN_CREATE | abi.FAN_DELETE | abi.FAN_RENAME | abi.FAN_MOVED_FROM;
const START_CLUES = 256;
/** The largest event is 656 bytes. */
const EVENT_ROOM_BYTES = 1024;

/** Gives the bytes of an event that was read, by its place in the queue. */
export type EventAt = (place: number) => Uint8Array;

export class Clues {
  /** Hash chains, the newest first: heads by hash, next by clue; -1 ends one. */
  private heads = new Int32Array(START_CLUES).fill(-1);
  private next = new Int32Array(START_CLUES);
  private hashes = new Uint32Array(START_CLUES);
  private places = new Float64Array(START_CLUES);
  private count = 0;
  private readonly one = new fan.EventBatch(EVENT_ROOM_BYTES);
  /** Events before this place are indexed, or nobody asks for them any more. */
  indexedTo = 0;

  constructor(private readonly eventAt: EventAt) {}

  get empty(): boolean {
    return this.count === 0;
  }

  clear(): void {
    if (this.count > 0) this.heads.fill(-1);
    this.count = 0;
  }

  /** Hot while something is read ahead. Takes in what a batch tells, from where the index ends on. */
  index(batch: fan.EventBatch): void {
    if (this.indexedTo >= batch.endsAt) return;
    for (let i = 0; i < batch.count; i++) {
      const mask = batch.get(i, fan.MASK);
      if ((mask & abi.FAN_ONDIR) === 0 || (mask & TELLING) === 0) continue;
      if (batch.placeOf(i) < this.indexedTo || batch.get(i, fan.OBJECT_AT) < 0) continue;
      this.add(handleHash(batch.bytes, batch.get(i, fan.OBJECT_AT)), batch.placeOf(i));
    }
    this.indexedTo = batch.endsAt;
  }

  /**
   * The first event at or behind a place in the queue that tells where a directory was until then.
   *
   * @returns a batch of this one event, good until the next call; null when the directory stayed where it was
   */
  first(fs: Filesystem, handle: Uint8Array, from: number): fan.EventBatch | null {
    const { one } = this;
    const hashed = handleHash(handle, 0);
    let found = -1;
    let loaded = -1;
    for (let clue = this.heads[hashed & (this.heads.length - 1)]!; clue >= 0; clue = this.next[clue]!) {
      const place = this.places[clue]!;
      if (place < from) break;
      if (this.hashes[clue] !== hashed) continue;
      this.load(place);
      loaded = place;
      if (isOn(fs, one, 0) && isObject(one, handle)) found = place;
    }
    if (found < 0) return null;
    if (loaded !== found) this.load(found);
    return one;
  }

  private load(place: number): void {
    const bytes = this.eventAt(place);
    const { one } = this;
    one.usedBytes = 0;
    one.count = 0;
    one.startsAt = place;
    one.bytes.set(bytes);
    fan.decodeFanEvents(one, 0, bytes.length);
  }

  private add(hashed: number, place: number): void {
    if (this.count === this.next.length) this.grow();
    const clue = this.count++;
    this.hashes[clue] = hashed;
    this.places[clue] = place;
    this.chain(clue);
  }

  private chain(clue: number): void {
    const slot = this.hashes[clue]! & (this.heads.length - 1);
    this.next[clue] = this.heads[slot]!;
    this.heads[slot] = clue;
  }

  private grow(): void {
    const size = this.next.length * 2;
    const hashes = new Uint32Array(size);
    hashes.set(this.hashes);
    this.hashes = hashes;
    const places = new Float64Array(size);
    places.set(this.places);
    this.places = places;
    this.next = new Int32Array(size);
    this.heads = new Int32Array(size).fill(-1);
    for (let clue = 0; clue < this.count; clue++) this.chain(clue);
  }
}

function isObject(one: fan.EventBatch, handle: Uint8Array): boolean {
  if (one.get(0, fan.OBJECT_BYTES) !== handle.length) return false;
  return sameHandle(one.bytes, one.get(0, fan.OBJECT_AT), handle, 0, handle.length);
}
