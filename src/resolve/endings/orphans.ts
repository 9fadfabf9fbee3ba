// Events of a file that carry its handle and no name: ATTRIB (link count) and DELETE_SELF. The name comes from the CREATE or
// DELETE that belongs to them, which the same system call queues right behind (fs/namei.c: vfs_unlink, vfs_link), or from the
// rename that overwrote the file (vfs_rename). Searches in a batch only; nameless.ts decides.

import {
  type EventBatch,
  FSID_HIGH,
  FSID_LOW,
  MASK,
  OBJECT_AT,
  OBJECT_BYTES,
  PID,
} from "../../decode/fan.ts";
import { FAN_CREATE, FAN_DELETE, FAN_ONDIR, FAN_RENAME } from "../../kernel/abi.ts";
import type { Filesystem } from "../filesystems/filesystem.ts";

/**
 * Hot. The event in [from, to) that names the object at objectAt by a CREATE or DELETE.
 *
 * @returns its index, or -1
 */
export function findMate(
  batch: EventBatch,
  from: number,
  to: number,
  fs: Filesystem,
  bytes: Uint8Array,
  objectAt: number,
  objectBytes: number,
): number {
  const end = Math.min(batch.count, to);
  for (let i = from; i < end; i++) {
    const mask = batch.get(i, MASK);
    if ((mask & (FAN_CREATE | FAN_DELETE)) === 0 || (mask & FAN_ONDIR) !== 0) continue;
    if (batch.get(i, OBJECT_BYTES) !== objectBytes || !isOn(fs, batch, i)) continue;
    if (sameHandle(batch.bytes, batch.get(i, OBJECT_AT), bytes, objectAt, objectBytes)) return i;
  }
  return -1;
}

/** True for a rename of something that is no directory. */
export function isFileRename(batch: EventBatch, event: number): boolean {
  const mask = batch.get(event, MASK);
  return (mask & FAN_RENAME) !== 0 && (mask & FAN_ONDIR) === 0;
}

/** The event of the same process before this one, or -1. */
export function previousOfProcess(batch: EventBatch, event: number): number {
  const pid = batch.get(event, PID);
  for (let i = event - 1; i >= 0; i--) if (batch.get(i, PID) === pid) return i;
  return -1;
}

/** Handles are a filesystem's own: a cloned image has the same ones. */
export function isOn(fs: Filesystem, batch: EventBatch, event: number): boolean {
  return batch.get(event, FSID_LOW) === fs.fsidLow && batch.get(event, FSID_HIGH) === fs.fsidHigh;
}

export function sameHandle(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}
