// Events of a file that carry its handle and no name: ATTRIB (link count) and DELETE_SELF. The name comes
// from the CREATE or DELETE that belongs to them, which the same system call queues right behind (fs/namei.c:
// vfs_unlink, vfs_link), or from the rename that overwrote the file (vfs_rename).

import {
  DIR_AT,
  type EventBatch,
  FSID_HIGH,
  FSID_LOW,
  MASK,
  OBJECT_AT,
  OBJECT_BYTES,
  PID,
} from "../decode/fan.ts";
import { FAN_CREATE, FAN_DELETE, FAN_DELETE_SELF, FAN_ONDIR, FAN_RENAME } from "../kernel/abi.ts";

/**
 * How far behind an orphan its mate may lie: other CPUs' events come in between, a few at the most, as both
 * are queued within one system call.
 */
const MATE_DISTANCE_MAX = 256;

/** An orphan at the end of a batch whose mate can only be in the next one. */
export interface HeldOrphan {
  mask: number;
  pid: number;
  fsidLow: number;
  fsidHigh: number;
  handle: Uint8Array;
}

/**
 * Hot. The event at or behind `from` that names the object at objectAt by a CREATE or DELETE.
 *
 * @returns its index, or -1
 */
export function findMate(
  batch: EventBatch,
  from: number,
  bytes: Uint8Array,
  objectAt: number,
  objectBytes: number,
): number {
  const end = Math.min(batch.count, from + MATE_DISTANCE_MAX);
  for (let i = from; i < end; i++) {
    const mask = batch.get(i, MASK);
    if ((mask & (FAN_CREATE | FAN_DELETE)) === 0 || (mask & FAN_ONDIR) !== 0) continue;
    if (batch.get(i, OBJECT_BYTES) !== objectBytes) continue;
    if (sameHandle(batch.bytes, batch.get(i, OBJECT_AT), bytes, objectAt, objectBytes)) return i;
  }
  return -1;
}

/**
 * The orphan at or behind `from` that tells of the death of the object at objectAt: it stands behind its mate
 * where the kernel merged the unlinking into an older event of the same name.
 *
 * @returns its index, or -1
 */
export function findDeath(batch: EventBatch, from: number, objectAt: number, objectBytes: number): number {
  const end = Math.min(batch.count, from + MATE_DISTANCE_MAX);
  for (let i = from; i < end; i++) {
    if ((batch.get(i, MASK) & FAN_DELETE_SELF) === 0 || batch.get(i, DIR_AT) >= 0) continue;
    if (batch.get(i, OBJECT_BYTES) !== objectBytes) continue;
    if (sameHandle(batch.bytes, batch.get(i, OBJECT_AT), batch.bytes, objectAt, objectBytes)) return i;
  }
  return -1;
}

/**
 * The rename whose target the orphan at `event` was: the last event of the same process before it, if that is
 * a rename of a file.
 *
 * @returns its index, or -1
 */
export function findOverwriter(batch: EventBatch, event: number): number {
  const pid = batch.get(event, PID);
  for (let i = event - 1; i >= 0 && i >= event - MATE_DISTANCE_MAX; i--) {
    if (batch.get(i, PID) !== pid) continue;
    const mask = batch.get(i, MASK);
    return (mask & FAN_RENAME) !== 0 && (mask & FAN_ONDIR) === 0 ? i : -1;
  }
  return -1;
}

export function hold(batch: EventBatch, event: number): HeldOrphan {
  const at = batch.get(event, OBJECT_AT);
  return {
    mask: batch.get(event, MASK),
    pid: batch.get(event, PID),
    fsidLow: batch.get(event, FSID_LOW),
    fsidHigh: batch.get(event, FSID_HIGH),
    handle: Uint8Array.from(batch.bytes.subarray(at, at + batch.get(event, OBJECT_BYTES))),
  };
}

export function sameHandle(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}
