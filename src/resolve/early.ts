// mkdir makes a directory visible before the kernel queues its CREATE: another process on another CPU can work in it, and its events
// stand before. So the directories that a batch creates are put into the tree before its events are resolved, and an event at
// the very end of a batch whose directory isn't known is looked at again with the next batch.
import { DIR_AT, decodeFanEvents, EventBatch, MASK, NAME_AT, NAME_BYTES, OBJECT_AT } from "../decode/fan.ts";
import { FAN_CREATE, FAN_ONDIR } from "../kernel/abi.ts";
import type { Filesystem } from "./filesystems/filesystem.ts";
import { NOT_FOUND } from "./filesystems/tree.ts";

/** Events that can be queued between a directory's appearance and its CREATE: microseconds, a few CPUs. */
const TAIL_EVENTS = 8;

export class EarlyEvents {
  private readonly held: Uint8Array[] = [];
  /** Rows of CREATEs that weren't told yet, by filesystem and node. */
  private readonly rows = new Map<number, number>();
  /** Rows that were told before their turn. */
  private readonly told = new Set<number>();

  /** Puts every directory that is created in the batch below a known one into the tree, before anything else is resolved. */
  putCreated(batch: EventBatch, fsOf: (i: number) => Filesystem | null): void {
    const wanted = FAN_CREATE | FAN_ONDIR;
    this.rows.clear();
    this.told.clear();
    for (let i = 0; i < batch.count; i++) {
      if ((batch.get(i, MASK) & wanted) !== wanted || batch.get(i, OBJECT_AT) < 0) continue;
      const fs = fsOf(i);
      if (fs === null) continue;
      const parent = fs.tree.find(batch.bytes, batch.get(i, DIR_AT));
      if (parent === NOT_FOUND) continue;
      if (!fs.followsChildren(fs.placesOf(parent))) continue;
      const nameAt = batch.get(i, NAME_AT);
      const name = batch.bytes.subarray(nameAt, nameAt + batch.get(i, NAME_BYTES));
      this.rows.set(rowKey(fs, fs.tree.put(batch.bytes, batch.get(i, OBJECT_AT), parent, name)), i);
    }
  }

  /** A directory became known before the row of its CREATE. */
  madeAt(fs: Filesystem, node: number, row: number): void {
    this.rows.set(rowKey(fs, node), row);
  }

  /** Hot. True while directories of this batch wait for their CREATE to be told. */
  get untold(): boolean {
    return this.rows.size > 0;
  }

  /** The row of a directory's CREATE, which is to be told now, or -1 when it was told or is from before. */
  takeUntold(fs: Filesystem, node: number): number {
    const key = rowKey(fs, node);
    const row = this.rows.get(key);
    if (row === undefined) return -1;
    this.rows.delete(key);
    this.told.add(row);
    return row;
  }

  /** The CREATE of this directory is being told in its turn. */
  tellNow(fs: Filesystem, node: number): void {
    if (this.rows.size > 0) this.rows.delete(rowKey(fs, node));
  }

  /** Hot. */
  wasTold(row: number): boolean {
    return this.told.size > 0 && this.told.has(row);
  }

  /** Hot. An event whose directory isn't known: kept if it stands at the end of the batch. */
  noteUnknown(batch: EventBatch, event: number): void {
    if (event >= batch.count - TAIL_EVENTS) this.held.push(batch.copyEvent(event));
  }

  /** What was kept, as a batch of its own; null when there is nothing. */
  take(): EventBatch | null {
    if (this.held.length === 0) return null;
    const batch = new EventBatch(this.held.reduce((sum, one) => sum + one.length, 0));
    for (const bytes of this.held) {
      const from = batch.usedBytes;
      batch.bytes.set(bytes, from);
      decodeFanEvents(batch, from, from + bytes.length);
    }
    this.held.length = 0;
    return batch;
  }
}

function rowKey(fs: Filesystem, node: number): number {
  return fs.id * 0x1_0000_0000 + node;
}
