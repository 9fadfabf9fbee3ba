// Which renames are halves of an exchange: RENAME_EXCHANGE comes as two renames of the same process, one right behind the other, with the
// ends swapped and different objects. The process may lose its CPU between the two, and others' events come in between; but it holds
// both directories' locks until both are queued (fs/namei.c: do_renameat2), so whoever waits for one of the locks need not guess.
import * as fan from "../decode/fan.ts";
import * as abi from "../kernel/abi.ts";
import { nextOfProcess, previousOfProcess, sameHandle } from "./endings/orphans.ts";
import type { Filesystem } from "./filesystems/filesystem.ts";
import { handleKey } from "./keys.ts";
import type { Learner } from "./learn.ts";

type Batch = fan.EventBatch;

/** What it needs of the queue and the disk (learn.ts). */
export type Queued = Pick<Learner, "awaitChanges" | "nextOfProcess">;

export type Half = "first" | "second";

const START_ROWS = 1024;

export class Exchanges {
  /** Places in the queue of second halves that were recognised. */
  private readonly second = new Set<number>();
  /** Directories whose lock was waited for since the batch was read: its renames are over. */
  private readonly awaited = new Set<string>();
  /** The handle of the directory that the second half moves, when the first was recognised; null where it is a file. */
  other: Uint8Array | null = null;
  private live: Batch | null = null;
  /** By row: the row of the same process's next event, or -1. Made when the batch has a rename. */
  private following = new Int32Array(START_ROWS);
  private isLinked = false;

  constructor(private readonly queued: Queued) {}

  /** @param batch that was read, as opposed to one that is taken out of limbo */
  begin(batch: Batch): void {
    this.live = batch;
    this.isLinked = false;
    if (this.awaited.size > 0) this.awaited.clear();
  }

  /** Which half of an exchange this rename is; null when it is none. */
  halfOf(fs: Filesystem, batch: Batch, i: number): Half | null {
    if (batch !== this.live) return halfAmong(batch, i);
    if (this.second.size > 0 && this.second.delete(batch.placeOf(i))) return "second";
    return this.isFirstHalf(fs, batch, i) ? "first" : null;
  }

  private isFirstHalf(fs: Filesystem, batch: Batch, i: number): boolean {
    const next = this.next(batch, i);
    if (next >= 0) return this.isFirst(batch, i, batch, next);
    const at = batch.get(i, fan.DIR_AT);
    const length = batch.get(i, fan.DIR_BYTES);
    const key = handleKey(fs, batch.bytes, at, length);
    if (!this.awaited.has(key)) {
      this.awaited.add(key);
      this.queued.awaitChanges(fs, Uint8Array.from(batch.bytes.subarray(at, at + length)));
    }
    const behind = this.queued.nextOfProcess(batch.get(i, fan.NUMBER));
    return behind !== null && this.isFirst(batch, i, behind, 0);
  }

  private isFirst(batch: Batch, i: number, other: Batch, next: number): boolean {
    if (!isSwapped(batch, i, other, next)) return false;
    this.second.add(other.placeOf(next));
    const at = other.get(next, fan.OBJECT_AT);
    const handle = other.bytes.subarray(at, at + other.get(next, fan.OBJECT_BYTES));
    this.other = (other.get(next, fan.MASK) & abi.FAN_ONDIR) === 0 ? null : Uint8Array.from(handle);
    return true;
  }

  private next(batch: Batch, i: number): number {
    if (!this.isLinked) {
      if (batch.count > this.following.length) this.following = new Int32Array(batch.count * 2);
      linkFollowing(batch, this.following);
      this.isLinked = true;
    }
    return this.following[i]!;
  }
}

/** Puts down for each row the row of the same process's next event, or -1. */
function linkFollowing(batch: Batch, following: Int32Array): void {
  const next = new Map<number, number>();
  for (let row = batch.count - 1; row >= 0; row--) {
    const pid = batch.get(row, fan.NUMBER);
    following[row] = next.get(pid) ?? -1;
    next.set(pid, row);
  }
}

/** The same among events that waited to be told: both halves waited, or neither is known for one. */
function halfAmong(batch: Batch, i: number): Half | null {
  const before = previousOfProcess(batch, i);
  if (before >= 0 && isSwapped(batch, before, batch, i)) return "second";
  const next = nextOfProcess(batch, i);
  return next >= 0 && isSwapped(batch, i, batch, next) ? "first" : null;
}

function isSwapped(a: Batch, i: number, b: Batch, k: number): boolean {
  if ((a.get(i, fan.MASK) & abi.FAN_RENAME) === 0 || (b.get(k, fan.MASK) & abi.FAN_RENAME) === 0)
    return false;
  if (isSame(a, i, fan.OBJECT_AT, b, k, fan.OBJECT_AT)) return false;
  return sameEnd(a, i, fan.DIR_AT, b, k, fan.NEW_DIR_AT) && sameEnd(a, i, fan.NEW_DIR_AT, b, k, fan.DIR_AT);
}

/** Directory and name, whose columns stand in a row. */
function sameEnd(a: Batch, i: number, aColumn: number, b: Batch, k: number, bColumn: number): boolean {
  return isSame(a, i, aColumn, b, k, bColumn) && isSame(a, i, aColumn + 2, b, k, bColumn + 2);
}

function isSame(a: Batch, i: number, aColumn: number, b: Batch, k: number, bColumn: number): boolean {
  const length = a.get(i, aColumn + 1);
  if (length !== b.get(k, bColumn + 1)) return false;
  return sameHandle(a.bytes, a.get(i, aColumn), b.bytes, b.get(k, bColumn), length);
}
