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
import { isOn, sameHandle } from "./endings/orphans.ts";
import type { Filesystem } from "./filesystems/filesystem.ts";
import { NOT_FOUND, NOWHERE } from "./filesystems/tree.ts";

/**
 * Removed directories inside removed directories: deeper chains than any rm -rf leaves in one batch end the
 * search.
 */
const CLUE_DEPTH_MAX = 4096;

type PathOf = (fs: Filesystem, handle: Uint8Array) => Uint8Array | null;

/**
 * The node of a directory that the tree doesn't know; NOT_FOUND when it lies outside every managed path; null when it is
 * gone and nothing in the batch tells where it was.
 *
 * @param pathOf asks the disk where a directory is now
 * @param event where in the batch the handle was met: later events of it are clues
 */
export function learn(
  fs: Filesystem,
  pathOf: PathOf,
  batch: EventBatch,
  event: number,
  handleAt: number,
  handleBytes: number,
  depth = 0,
): number | null {
  const handle = batch.bytes.subarray(handleAt, handleAt + handleBytes);
  const clue = clueOf(fs, batch, event, handle);
  if (clue >= 0) return learnFromClue(fs, pathOf, batch, event, clue, depth);
  const path = pathOf(fs, handle);
  return path === null ? null : learnPath(fs, pathOf, batch, event, Buffer.from(path), depth);
}

/**
 * Inserts the directories between the nearest one above that the tree knows (or that the queue tells of) and this one.
 *
 * @returns the directory's node, NOT_FOUND when nothing above it is known, null when it vanished meanwhile
 */
function learnPath(
  fs: Filesystem,
  pathOf: PathOf,
  batch: EventBatch,
  event: number,
  path: Buffer,
  depth: number,
): number | null {
  const missing: { handle: Uint8Array; name: Uint8Array }[] = [];
  for (let end = path.length; end >= 0; ) {
    const slash = end === 0 ? -1 : path.lastIndexOf(0x2f, end - 1);
    const handle = handleOf(end === 0 ? "/" : path.subarray(0, end));
    if (typeof handle === "number") return null;
    const known = fs.tree.find(handle, 0);
    if (known !== NOT_FOUND) return insertBelow(fs, known, missing);
    const clue = clueOf(fs, batch, event, handle);
    if (clue >= 0) {
      const node = learnFromClue(fs, pathOf, batch, event, clue, depth);
      return node === null || node === NOT_FOUND ? node : insertBelow(fs, node, missing);
    }
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

/** The first event from here on that tells where a directory was until then: its removal or renaming. -1 when there is none. */
function clueOf(fs: Filesystem, batch: EventBatch, event: number, handle: Uint8Array): number {
  for (let i = event; i < batch.count; i++) {
    const mask = batch.get(i, MASK);
    if ((mask & FAN_ONDIR) === 0 || (mask & (FAN_DELETE | FAN_RENAME)) === 0) continue;
    if (batch.get(i, OBJECT_BYTES) !== handle.length || !isOn(fs, batch, i)) continue;
    if (sameHandle(batch.bytes, batch.get(i, OBJECT_AT), handle, 0, handle.length)) return i;
  }
  return -1;
}

/** The directory was in the clue's directory since `event` at least. Where that one was then is found in the same way. */
function learnFromClue(
  fs: Filesystem,
  pathOf: PathOf,
  batch: EventBatch,
  event: number,
  clue: number,
  depth: number,
): number | null {
  if (depth > CLUE_DEPTH_MAX) return null;
  const parentAt = batch.get(clue, DIR_AT);
  const known = fs.tree.find(batch.bytes, parentAt);
  const parent =
    known !== NOT_FOUND
      ? known
      : learn(fs, pathOf, batch, event, parentAt, 8 + batch.bytes[parentAt]!, depth + 1);
  if (parent === null || parent === NOT_FOUND) return parent;
  if (!fs.followsChildren(fs.placesOf(parent))) return NOT_FOUND;
  const nameAt = batch.get(clue, NAME_AT);
  const name = batch.bytes.subarray(nameAt, nameAt + batch.get(clue, NAME_BYTES));
  return fs.tree.put(batch.bytes, batch.get(clue, OBJECT_AT), parent, name);
}

/**
 * Takes directories that were learned from the disk back to where they were before the renames that are still
 * queued: in reverse, so that each ends where its first one found it.
 */
export function rewind(fs: Filesystem, pathOf: PathOf, batch: EventBatch, fromEvent: number): void {
  if (fs.fresh.size === 0) return;
  let moved = false;
  for (let i = batch.count - 1; i >= fromEvent; i--) {
    const mask = batch.get(i, MASK);
    if ((mask & FAN_RENAME) === 0 || (mask & FAN_ONDIR) === 0 || batch.get(i, NEW_DIR_AT) < 0) continue;
    if (!isOn(fs, batch, i)) continue;
    const node = fs.tree.find(batch.bytes, batch.get(i, OBJECT_AT));
    if (node === NOT_FOUND || !fs.fresh.has(node)) continue;
    const parentAt = batch.get(i, DIR_AT);
    let parent: number | null = fs.tree.find(batch.bytes, parentAt);
    if (parent === NOT_FOUND)
      parent = learn(fs, pathOf, batch, fromEvent, parentAt, 8 + batch.bytes[parentAt]!) ?? NOT_FOUND;
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
