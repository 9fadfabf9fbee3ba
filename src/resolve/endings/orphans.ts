// Events of a file that carry its handle and no name: ATTRIB (link count) and DELETE_SELF. The name comes from the CREATE or
// DELETE that belongs to them, which the same system call queues right behind (fs/namei.c: vfs_unlink, vfs_link), or from the
// rename that overwrote the file (vfs_rename). What an event is; nameless.ts decides.

import { DIR_AT, type EventBatch, FSID_HIGH, FSID_LOW, MASK, NUMBER } from "../../decode/fan.ts";
import {
  FAN_ATTRIB,
  FAN_CREATE,
  FAN_DELETE,
  FAN_DELETE_SELF,
  FAN_ONDIR,
  FAN_RENAME,
} from "../../kernel/abi.ts";
import type { Filesystem } from "../filesystems/filesystem.ts";

/** Whether this event names a file that a nameless one can belong to. */
export function isMate(batch: EventBatch, row: number): boolean {
  const mask = batch.get(row, MASK);
  return (mask & (FAN_CREATE | FAN_DELETE)) !== 0 && (mask & FAN_ONDIR) === 0;
}

/** Whether this event tells that a file's number of links changed, or that it died. */
export function isOrphan(batch: EventBatch, row: number): boolean {
  return (batch.get(row, MASK) & (FAN_ATTRIB | FAN_DELETE_SELF)) !== 0 && batch.get(row, DIR_AT) < 0;
}

/** Whether this event tells of a file's death: it stands behind its mate where the kernel merged the unlinking into an older event. */
export function isDeath(batch: EventBatch, row: number): boolean {
  return (batch.get(row, MASK) & FAN_DELETE_SELF) !== 0 && batch.get(row, DIR_AT) < 0;
}

/** True for a rename of something that is no directory. */
export function isFileRename(batch: EventBatch, event: number): boolean {
  const mask = batch.get(event, MASK);
  return (mask & FAN_RENAME) !== 0 && (mask & FAN_ONDIR) === 0;
}

/** Puts down for each row the row of the same process's event before it, or -1. */
export function linkProcesses(batch: EventBatch, previous: Int32Array): void {
  const last = new Map<number, number>();
  for (let row = 0; row < batch.count; row++) {
    const pid = batch.get(row, NUMBER);
    previous[row] = last.get(pid) ?? -1;
    last.set(pid, row);
  }
}

export function sameHandle(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}

/** The event of the same process before this one, or -1. */
export function previousOfProcess(batch: EventBatch, event: number): number {
  const pid = batch.get(event, NUMBER);
  for (let i = event - 1; i >= 0; i--) if (batch.get(i, NUMBER) === pid) return i;
  return -1;
}

/** The event of the same process behind this one, or -1. */
export function nextOfProcess(batch: EventBatch, event: number): number {
  const pid = batch.get(event, NUMBER);
  for (let i = event + 1; i < batch.count; i++) if (batch.get(i, NUMBER) === pid) return i;
  return -1;
}

/** Handles are a filesystem's own: a cloned image has the same ones. */
export function isOn(fs: Filesystem, batch: EventBatch, event: number): boolean {
  return batch.get(event, FSID_LOW) === fs.fsidLow && batch.get(event, FSID_HIGH) === fs.fsidHigh;
}
