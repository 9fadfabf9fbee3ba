// Where a batch tells about which file, by its handle: the rows of one kind, so that asking costs one look-up for each event instead of
// a search through the batch. Filled once a batch; rows of one object are found in the kernel's order. Hot.
import { type EventBatch, FSID_HIGH, FSID_LOW, OBJECT_AT, OBJECT_BYTES } from "../../decode/fan.ts";
import type { Filesystem } from "../filesystems/filesystem.ts";
import { sameHandle } from "./orphans.ts";

const START_ROWS = 512;
const NONE = -1;

export class ObjectRows {
  private batch: EventBatch | null = null;
  /** Open addressing, linear probing, one slot an object: its first row + 1, 0 for a free slot. At most half full. */
  private slots = new Int32Array(START_ROWS * 2);
  /** By row: the next one of the same object, or NONE. */
  private next = new Int32Array(START_ROWS);
  /** By first row: the last one of the same object. */
  private last = new Int32Array(START_ROWS);
  private objects = 0;

  /**
   * Notes the rows of a batch that are of the wanted kind. All of them carry a handle.
   *
   * @param isWanted called for each row
   */
  begin(batch: EventBatch, isWanted: (batch: EventBatch, row: number) => boolean): void {
    if (this.objects > 0) this.slots.fill(0);
    this.objects = 0;
    this.batch = batch;
    if (batch.count > this.next.length) {
      this.next = new Int32Array(batch.count * 2);
      this.last = new Int32Array(batch.count * 2);
    }
    for (let row = 0; row < batch.count; row++)
      if (isWanted(batch, row) && batch.get(row, OBJECT_AT) >= 0) this.add(batch, row);
  }

  get empty(): boolean {
    return this.objects === 0;
  }

  /** The first noted row behind this row that is about the same object, or -1; for another batch than the noted one, too. */
  after(batch: EventBatch, row: number): number {
    let found = this.first(batch, row);
    while (found >= 0 && found <= row) found = this.next[found]!;
    return found;
  }

  /** The last noted row before this row that is about the same object, or -1. */
  before(batch: EventBatch, row: number): number {
    let found = NONE;
    for (let at = this.first(batch, row); at >= 0 && at < row; at = this.next[at]!) found = at;
    return found;
  }

  /** The last noted row behind this row that is about the same object, or -1. */
  lastAfter(batch: EventBatch, row: number): number {
    const first = this.first(batch, row);
    return first >= 0 && this.last[first]! > row ? this.last[first]! : NONE;
  }

  /** The first noted row about an object whose handle record stands elsewhere, or -1. */
  firstOf(fs: Filesystem, handle: Uint8Array): number {
    const { batch, slots } = this;
    if (batch === null || this.objects === 0) return NONE;
    const end = slots.length - 1;
    for (let slot = hashOf(handle, 0, handle.length) & end; slots[slot] !== 0; slot = (slot + 1) & end) {
      const row = slots[slot]! - 1;
      if (
        batch.get(row, OBJECT_BYTES) === handle.length &&
        batch.get(row, FSID_LOW) === fs.fsidLow &&
        batch.get(row, FSID_HIGH) === fs.fsidHigh &&
        sameHandle(batch.bytes, batch.get(row, OBJECT_AT), handle, 0, handle.length)
      )
        return row;
    }
    return NONE;
  }

  private first(batch: EventBatch, row: number): number {
    if (this.objects === 0 || batch !== this.batch || batch.get(row, OBJECT_AT) < 0) return NONE;
    return this.slots[this.slotOf(batch, row)]! - 1;
  }

  /** The slot of the object of this row, or the free one where it would stand. */
  private slotOf(batch: EventBatch, row: number): number {
    const { slots } = this;
    const end = slots.length - 1;
    let slot = hashOf(batch.bytes, batch.get(row, OBJECT_AT), batch.get(row, OBJECT_BYTES)) & end;
    while (slots[slot] !== 0 && !sameObject(batch, row, slots[slot]! - 1)) slot = (slot + 1) & end;
    return slot;
  }

  private add(batch: EventBatch, row: number): void {
    this.next[row] = NONE;
    const slot = this.slotOf(batch, row);
    const first = this.slots[slot]! - 1;
    if (first >= 0) {
      this.next[this.last[first]!] = row;
      this.last[first] = row;
      return;
    }
    this.slots[slot] = row + 1;
    this.last[row] = row;
    this.objects++;
    if (this.objects * 2 > this.slots.length) this.grow(batch);
  }

  private grow(batch: EventBatch): void {
    const old = this.slots;
    this.slots = new Int32Array(old.length * 2);
    for (const filled of old) if (filled !== 0) this.slots[this.slotOf(batch, filled - 1)] = filled;
  }
}

/** Whether two events of a batch are about the same object. */
export function sameObject(batch: EventBatch, a: number, b: number): boolean {
  const length = batch.get(a, OBJECT_BYTES);
  return (
    length === batch.get(b, OBJECT_BYTES) &&
    // Handles are a filesystem's own: a cloned image has the same ones.
    batch.get(a, FSID_LOW) === batch.get(b, FSID_LOW) &&
    batch.get(a, FSID_HIGH) === batch.get(b, FSID_HIGH) &&
    sameHandle(batch.bytes, batch.get(a, OBJECT_AT), batch.bytes, batch.get(b, OBJECT_AT), length)
  );
}

/** Of a handle's data alone: length and type, the first eight bytes, are the same for all files of a filesystem. */
function hashOf(bytes: Uint8Array, at: number, length: number): number {
  let h = 0x811c9dc5;
  for (let i = at + 8; i < at + length; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}
