// Whether what names the object of a nameless event, queued right behind it by the same system call, is still to come: a batch can end
// between the two.
import { type EventBatch, MASK, NUMBER, OBJECT_AT, OBJECT_BYTES } from "../../decode/fan.ts";
import { FAN_ATTRIB } from "../../kernel/abi.ts";
import type { Queued } from "../exchanges.ts";
import type { Filesystem } from "../filesystems/filesystem.ts";
import { isMate, sameHandle } from "./orphans.ts";

/**
 * Whether one of the process's next events behind the batch names the object of a nameless one.
 *
 * @param directories in one of which that may be happening: all its events are queued while it is locked
 * @param among how many events of the process are looked at: its threads' come in between
 */
export function isNamedNext(
  queued: Queued,
  fs: Filesystem,
  batch: EventBatch,
  i: number,
  directories: readonly Uint8Array[],
  among: number,
): boolean {
  for (const directory of directories) queued.awaitChanges(fs, directory);
  for (let skipped = 0; skipped < among; skipped++) {
    const behind = queued.nextOfProcess(batch.get(i, NUMBER), skipped);
    if (behind === null) return false;
    if (!isSameObject(batch, i, behind, 0)) continue;
    if (isMate(behind, 0)) return true;
    // The number of links changed once more: what comes behind belongs to that.
    if ((behind.get(0, MASK) & FAN_ATTRIB) !== 0) return false;
  }
  return false;
}

/** Whether an event names the file of a nameless one. */
export function isMateOf(batch: EventBatch, i: number, other: EventBatch, row: number): boolean {
  return isMate(other, row) && isSameObject(batch, i, other, row);
}

function isSameObject(batch: EventBatch, i: number, other: EventBatch, row: number): boolean {
  const length = batch.get(i, OBJECT_BYTES);
  if (other.get(row, OBJECT_BYTES) !== length) return false;
  return sameHandle(batch.bytes, batch.get(i, OBJECT_AT), other.bytes, other.get(row, OBJECT_AT), length);
}
