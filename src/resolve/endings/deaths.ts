// Which files have died within a batch: the rows of their DELETE_SELF events, which carry a handle and no name, by that handle.
// Made once a batch, so that the question costs one look-up for each event of a file instead of a search through the batch. Hot.
import {
  DIR_AT,
  type EventBatch,
  FSID_HIGH,
  FSID_LOW,
  MASK,
  OBJECT_AT,
  OBJECT_BYTES,
} from "../../decode/fan.ts";
import { FAN_DELETE_SELF } from "../../kernel/abi.ts";
import { sameHandle } from "./orphans.ts";

const START_SLOTS = 1024;

export class Deaths {
  private batch: EventBatch | null = null;
  /** Open addressing, linear probing: row + 1, 0 for a free slot. At most half full. */
  private slots = new Int32Array(START_SLOTS);
  private count = 0;

  /** Notes the deaths of a batch. */
  begin(batch: EventBatch): void {
    if (this.count > 0) this.slots.fill(0);
    this.count = 0;
    this.batch = batch;
    for (let row = 0; row < batch.count; row++) if (isDeath(batch, row)) this.add(batch, row);
  }

  /**
   * The row that tells of the death of the object of this row; -1 when it lives on, or the batch isn't the one that was begun.
   */
  of(batch: EventBatch, row: number): number {
    if (this.count === 0 || batch !== this.batch) return -1;
    const at = batch.get(row, OBJECT_AT);
    if (at < 0) return -1;
    const { slots } = this;
    const last = slots.length - 1;
    for (let slot = hashOf(batch, row) & last; slots[slot] !== 0; slot = (slot + 1) & last) {
      const death = slots[slot]! - 1;
      if (sameObject(batch, row, death)) return death;
    }
    return -1;
  }

  private add(batch: EventBatch, row: number): void {
    if ((this.count + 1) * 2 > this.slots.length) {
      const old = this.slots;
      this.slots = new Int32Array(old.length * 2);
      for (const filled of old) if (filled !== 0) this.put(batch, filled - 1);
    }
    this.put(batch, row);
    this.count++;
  }

  private put(batch: EventBatch, row: number): void {
    const last = this.slots.length - 1;
    let slot = hashOf(batch, row) & last;
    while (this.slots[slot] !== 0) slot = (slot + 1) & last;
    this.slots[slot] = row + 1;
  }
}

function isDeath(batch: EventBatch, row: number): boolean {
  return (
    (batch.get(row, MASK) & FAN_DELETE_SELF) !== 0 &&
    batch.get(row, DIR_AT) < 0 &&
    batch.get(row, OBJECT_AT) >= 0
  );
}

function sameObject(batch: EventBatch, a: number, b: number): boolean {
  const length = batch.get(a, OBJECT_BYTES);
  return (
    length === batch.get(b, OBJECT_BYTES) &&
    // Handles are a filesystem's own: a cloned image has the same ones.
    batch.get(a, FSID_LOW) === batch.get(b, FSID_LOW) &&
    batch.get(a, FSID_HIGH) === batch.get(b, FSID_HIGH) &&
    sameHandle(batch.bytes, batch.get(a, OBJECT_AT), batch.bytes, batch.get(b, OBJECT_AT), length)
  );
}

/** Of the handle's words: records are aligned to 4 bytes and padded by the kernel. */
function hashOf(batch: EventBatch, row: number): number {
  const { words } = batch;
  const from = batch.get(row, OBJECT_AT) >> 2;
  // A length that is no multiple of 4 leaves its last bytes out: they may be padding.
  const to = from + (batch.get(row, OBJECT_BYTES) >> 2);
  let h = 0x811c9dc5;
  for (let i = from; i < to; i++) h = Math.imul(h ^ words[i]!, 0x01000193);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}
