// What queued events say of a directory's entries: which directory had a name at some place in the queue, told by the first event
// behind it that takes that name away or gives it to another. Found by the entry. Holds 8 bytes an event, and only when it was asked for.
import * as fan from "../decode/fan.ts";
import * as abi from "../kernel/abi.ts";
import { isOn, sameHandle } from "./endings/orphans.ts";
import type { Filesystem } from "./filesystems/filesystem.ts";
import { handleHash } from "./filesystems/tree.ts";
import { sameBytes } from "./watch.ts";

/** What takes an entry's name away, and what gives it one. */
const TAKING = abi.FAN_DELETE | abi.FAN_RENAME | abi.FAN_MOVED_FROM;
const TELLING = TAKING | abi.FAN_CREATE | abi.FAN_MOVED_TO;

export class EntryClues {
  /** By a hash of directory and name: places in the queue. */
  private readonly places = new Map<number, number[]>();
  indexedTo = 0;

  /** @param eventAt gives an event that was read, by its place in the queue, as a batch of its own */
  constructor(private readonly eventAt: (place: number) => fan.EventBatch) {}

  clear(): void {
    this.places.clear();
  }

  /** Takes in what a batch tells of directories, from where the index ends on. */
  index(batch: fan.EventBatch): void {
    if (this.indexedTo >= batch.endsAt) return;
    for (let i = 0; i < batch.count; i++) {
      const mask = batch.get(i, fan.MASK);
      const place = batch.placeOf(i);
      if ((mask & abi.FAN_ONDIR) === 0 || (mask & TELLING) === 0 || place < this.indexedTo) continue;
      for (const column of [fan.DIR_AT, fan.NEW_DIR_AT]) {
        if (batch.get(i, column) < 0) continue;
        const { bytes } = batch;
        this.add(
          entryHash(
            bytes,
            batch.get(i, column),
            bytes,
            batch.get(i, column + NAME),
            batch.get(i, column + NAME + 1),
          ),
          place,
        );
      }
    }
    this.indexedTo = batch.endsAt;
  }

  /**
   * The handle of the directory that had this name behind a place in the queue; null when none had; undefined when no event tells,
   * so that it is as the disk says.
   */
  had(fs: Filesystem, parent: Uint8Array, name: Uint8Array, from: number): Uint8Array | null | undefined {
    let given: Uint8Array | null = null;
    const places = this.places.get(entryHash(parent, 0, name, 0, name.length)) ?? [];
    for (let k = firstFrom(places, from); k < places.length; k++) {
      const one = this.eventAt(places[k]!);
      if (!isOn(fs, one, 0)) continue;
      const mask = one.get(0, fan.MASK);
      const object = objectOf(one);
      if ((mask & abi.FAN_CREATE) === 0 && (mask & TAKING) !== 0 && isEntry(one, fan.DIR_AT, parent, name)) {
        // Given before to another one, which hasn't lost it since: an exchange, whose halves stand behind one another.
        return given === null || Buffer.compare(given, object) !== 0 ? object : null;
      }
      const column = (mask & abi.FAN_RENAME) === 0 ? fan.DIR_AT : fan.NEW_DIR_AT;
      if (!isEntry(one, column, parent, name)) continue;
      if (given !== null || (mask & abi.FAN_RENAME) === 0) return null;
      given = object;
    }
    return given === null ? undefined : null;
  }

  private add(hashed: number, place: number): void {
    const places = this.places.get(hashed);
    if (places === undefined) this.places.set(hashed, [place]);
    else places.push(place);
  }
}

/** From the column of a directory's handle to that of the name in it. */
const NAME = fan.NAME_AT - fan.DIR_AT;

function isEntry(one: fan.EventBatch, column: number, parent: Uint8Array, name: Uint8Array): boolean {
  return (
    one.get(0, column + 1) === parent.length &&
    sameHandle(one.bytes, one.get(0, column), parent, 0, parent.length) &&
    sameBytes(name, one.bytes, one.get(0, column + NAME), one.get(0, column + NAME + 1))
  );
}

/** The index of the first place that is at or behind this one: a name may have been given and taken away thousands of times. */
function firstFrom(places: readonly number[], from: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle]! < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A copy. */
function objectOf(one: fan.EventBatch): Uint8Array {
  const at = one.get(0, fan.OBJECT_AT);
  return Uint8Array.from(one.bytes.subarray(at, at + one.get(0, fan.OBJECT_BYTES)));
}

function entryHash(
  bytes: Uint8Array,
  handleAt: number,
  nameBytes: Uint8Array,
  nameAt: number,
  nameLength: number,
): number {
  let h = handleHash(bytes, handleAt);
  for (let i = 0; i < nameLength; i++) h = Math.imul(h ^ nameBytes[nameAt + i]!, 0x01000193);
  return h >>> 0;
}
