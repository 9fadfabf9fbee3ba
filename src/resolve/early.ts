// mkdir makes a directory visible before the kernel queues its CREATE: another process on another CPU can work in it, and its events
// stand before. So the directories that a batch creates are put into the tree before its events are resolved, and an event at
// the very end of a batch whose directory isn't known is looked at again with the next batch.
import {
  DIR_AT,
  decodeFanEvents,
  EventBatch,
  MASK,
  NAME_AT,
  NAME_BYTES,
  NEW_DIR_AT,
  OBJECT_AT,
} from "../decode/fan.ts";
import { FAN_CREATE, FAN_ONDIR } from "../kernel/abi.ts";
import type { Filesystem } from "./filesystems/filesystem.ts";
import { NOT_FOUND } from "./filesystems/tree.ts";
import { handleKey } from "./keys.ts";

/** Events that can be queued between a directory's appearance and its CREATE: microseconds, a few CPUs. */
const TAIL_EVENTS = 8;
/** The largest event is 656 bytes. */
const TAIL_BYTES = TAIL_EVENTS * 1024;

export class EarlyEvents {
  private held = new EventBatch(TAIL_BYTES);
  /** Rows of CREATEs that weren't told yet, by filesystem and node. */
  private readonly rows = new Map<number, number>();
  /** Rows that were told before their turn. */
  private readonly told = new Set<number>();

  /** Puts every directory that is created in the batch below a known one into the tree, before anything else is resolved. */
  putCreated(batch: EventBatch, fsOf: (i: number) => Filesystem | null): void {
    this.rows.clear();
    this.told.clear();
    for (let i = 0; i < batch.count; i++) {
      if (!isMaking(batch, i)) continue;
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

  /** The CREATE of this directory is there, and told or not: it may lie outside by now, though it didn't at the batch's beginning. */
  inItsTurn(fs: Filesystem, node: number): void {
    if (this.rows.size > 0) this.rows.delete(rowKey(fs, node));
  }

  /** Hot. */
  wasTold(row: number): boolean {
    return this.told.size > 0 && this.told.has(row);
  }

  /** Hot. An event whose directory isn't known: kept if it stands at the end of the batch. */
  noteUnknown(batch: EventBatch, event: number): void {
    if (event >= batch.count - TAIL_EVENTS) append(this.held, batch.copyEvent(event));
  }

  /**
   * What was kept and happened in a directory that this batch creates, or that was created in such a one, as a batch of its own; null when
   * there is nothing. All else was outside, wherever its directory has come to since.
   */
  take(fsOf: (batch: EventBatch, i: number) => Filesystem | null): EventBatch | null {
    const { held } = this;
    if (held.count === 0) return null;
    this.held = new EventBatch(TAIL_BYTES);
    const taken = new EventBatch(TAIL_BYTES);
    const made = new Set<string>();
    for (let i = 0; i < held.count; i++) {
      const fs = fsOf(held, i);
      const isEarly = (column: number) =>
        fs !== null && (this.isMade(fs, held, i, column) || made.has(keyAt(fs, held, i, column)));
      if (fs === null || !(isEarly(DIR_AT) || (held.get(i, NEW_DIR_AT) >= 0 && isEarly(NEW_DIR_AT))))
        continue;
      append(taken, held.copyEvent(i));
      if (isMaking(held, i)) made.add(keyAt(fs, held, i, OBJECT_AT));
    }
    return taken.count === 0 ? null : taken;
  }

  /** Whether the directory is one of those that this batch creates. */
  private isMade(fs: Filesystem, batch: EventBatch, i: number, column: number): boolean {
    const node = fs.tree.find(batch.bytes, batch.get(i, column));
    return node !== NOT_FOUND && this.rows.has(rowKey(fs, node));
  }
}

function rowKey(fs: Filesystem, node: number): number {
  return fs.id * 0x1_0000_0000 + node;
}

function isMaking(batch: EventBatch, i: number): boolean {
  const wanted = FAN_CREATE | FAN_ONDIR;
  return (batch.get(i, MASK) & wanted) === wanted && batch.get(i, OBJECT_AT) >= 0;
}

/** Of the handle in a column, whose length stands in the next. */
function keyAt(fs: Filesystem, batch: EventBatch, i: number, column: number): string {
  return handleKey(fs, batch.bytes, batch.get(i, column), batch.get(i, column + 1));
}

function append(batch: EventBatch, event: Uint8Array): void {
  const from = batch.usedBytes;
  batch.bytes.set(event, from);
  decodeFanEvents(batch, from, from + event.length);
}
