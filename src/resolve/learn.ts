// Directories that the tree doesn't know yet: events of them arrive while the first scan still runs. The disk
// says where they are now; renames that are still queued say where they were when the event happened.

import {
  DIR_AT,
  type EventBatch,
  MASK,
  NAME_AT,
  NAME_BYTES,
  NEW_DIR_AT,
  OBJECT_AT,
  OBJECT_BYTES,
} from "../decode/fan.ts";
import { FAN_DELETE, FAN_ONDIR, FAN_RENAME } from "../kernel/abi.ts";
import { handleOf } from "../kernel/handles.ts";
import type { Filesystem } from "./filesystem.ts";
import { isOn } from "./orphans.ts";
import { NOT_FOUND, NOWHERE } from "./tree.ts";

/**
 * Removed directories inside removed directories: deeper chains than any rm -rf leaves in one batch end the
 * search.
 */
const CLUE_DEPTH_MAX = 4096;

/**
 * The node of a directory that the tree doesn't know; NOT_FOUND when it lies outside every managed path; null when it is
 * gone and nothing in the batch tells where it was.
 *
 * @param pathOf asks the disk where a directory is now
 * @param event where in the batch the handle was met: later events of it are clues
 */
export function learn(
  fs: Filesystem,
  pathOf: (fs: Filesystem, handle: Uint8Array) => Uint8Array | null,
  batch: EventBatch,
  event: number,
  handleAt: number,
  handleBytes: number,
): number | null {
  const handle = batch.bytes.subarray(handleAt, handleAt + handleBytes);
  const path = pathOf(fs, handle);
  if (path !== null) {
    const node = learnPath(fs, Buffer.from(path));
    if (node === NOT_FOUND) return NOT_FOUND;
    if (node !== null) {
      rewind(fs, batch, event);
      return fs.tree.find(batch.bytes, handleAt);
    }
  }
  const node = learnFromClue(fs, batch, event, handleAt, handleBytes, 0);
  return node === NOT_FOUND ? null : node;
}

/**
 * Inserts the directories between the nearest one above that the tree knows and this one. That one needn't be
 * where the tree has it: a directory that was moved in, written into and moved out again is met when it is
 * out already.
 *
 * @returns the directory's node, NOT_FOUND when nothing above it is known, null when it vanished meanwhile
 */
function learnPath(fs: Filesystem, path: Buffer): number | null {
  const missing: { handle: Uint8Array; name: Uint8Array }[] = [];
  for (let end = path.length; end >= 0; ) {
    const slash = end === 0 ? -1 : path.lastIndexOf(0x2f, end - 1);
    const handle = handleOf(end === 0 ? "/" : path.subarray(0, end));
    if (typeof handle === "number") return null;
    const known = fs.tree.find(handle, 0);
    if (known !== NOT_FOUND) return insertBelow(fs, known, missing);
    missing.push({ handle, name: path.subarray(slash + 1, end) });
    end = slash;
  }
  return NOT_FOUND;
}

/** @param missing deepest first */
function insertBelow(
  fs: Filesystem,
  above: number,
  missing: { handle: Uint8Array; name: Uint8Array }[],
): number {
  let node = above;
  // Their own subdirectories are found by the scan that is under way: had it been here, they would be known.
  for (const { handle, name } of missing.reverse()) {
    // Above a managed path, or below one that isn't recursive, nothing has to be known.
    if (!fs.followsChildren(fs.placesOf(node))) return NOT_FOUND;
    node = fs.tree.put(handle, 0, node, name);
    fs.fresh.add(node);
  }
  return node;
}

/**
 * A directory that is gone: the queue still holds the event of its removal or renaming, with parent and name.
 */
function learnFromClue(
  fs: Filesystem,
  batch: EventBatch,
  event: number,
  handleAt: number,
  handleBytes: number,
  depth: number,
): number {
  if (depth > CLUE_DEPTH_MAX) return NOT_FOUND;
  for (let i = event; i < batch.count; i++) {
    const mask = batch.get(i, MASK);
    if ((mask & FAN_ONDIR) === 0 || (mask & (FAN_DELETE | FAN_RENAME)) === 0) continue;
    if (batch.get(i, OBJECT_BYTES) !== handleBytes || !isOn(fs, batch, i)) continue;
    if (!sameRange(batch.bytes, batch.get(i, OBJECT_AT), handleAt, handleBytes)) continue;
    const parentAt = batch.get(i, DIR_AT);
    let parent = fs.tree.find(batch.bytes, parentAt);
    if (parent === NOT_FOUND)
      parent = learnFromClue(fs, batch, i, parentAt, 8 + batch.bytes[parentAt]!, depth + 1);
    if (parent === NOT_FOUND) return NOT_FOUND;
    const nameAt = batch.get(i, NAME_AT);
    const name = batch.bytes.subarray(nameAt, nameAt + batch.get(i, NAME_BYTES));
    return fs.tree.put(batch.bytes, handleAt, parent, name);
  }
  return NOT_FOUND;
}

/**
 * Takes directories that were learned from the disk back to where they were before the renames that are still
 * queued: in reverse, so that each ends where its first one found it.
 */
export function rewind(fs: Filesystem, batch: EventBatch, fromEvent: number): void {
  if (fs.fresh.size === 0) return;
  let moved = false;
  for (let i = batch.count - 1; i >= fromEvent; i--) {
    const mask = batch.get(i, MASK);
    if ((mask & FAN_RENAME) === 0 || (mask & FAN_ONDIR) === 0 || batch.get(i, NEW_DIR_AT) < 0) continue;
    if (!isOn(fs, batch, i)) continue;
    const node = fs.tree.find(batch.bytes, batch.get(i, OBJECT_AT));
    if (node === NOT_FOUND || !fs.fresh.has(node)) continue;
    const parent = fs.tree.find(batch.bytes, batch.get(i, DIR_AT));
    const nameAt = batch.get(i, NAME_AT);
    fs.tree.move(
      node,
      parent === NOT_FOUND ? NOWHERE : parent,
      batch.bytes.subarray(nameAt, nameAt + batch.get(i, NAME_BYTES)),
    );
    moved = true;
  }
  if (moved) fs.placesChanged();
}

function sameRange(bytes: Uint8Array, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}
