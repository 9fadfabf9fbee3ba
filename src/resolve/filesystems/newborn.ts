// A directory between its making and the moment when all that happened in it is known: which of its entries were told
// by events, and which were found by reading it. An entry of which an event tells anything but its making had been
// made before the directory was marked: its CREATE is told first, as found.
import { type EventBatch, MASK, NAME_AT, NEW_NAME_AT, OBJECT_AT } from "../../decode/fan.ts";
import * as abi from "../../kernel/abi.ts";
import { nodesWithin } from "../comparison.ts";
import { entryPlaces } from "../entry.ts";
import type { Occurrences } from "../occurrence.ts";
import type { Filesystem } from "./filesystem.ts";
import { isSubvolume } from "./subvolume.ts";
import { NOT_FOUND } from "./tree.ts";

export interface Newborn {
  /** Names (latin1) whose making is in the log. */
  readonly told: Set<string>;
  /** Names that reading showed → whether it is a directory. */
  readonly found: Map<string, boolean>;
  /** Marked and read. */
  read: boolean;
}

export function isTold(newborn: Newborn, name: string): boolean {
  return newborn.told.has(name);
}

/** A subdirectory appeared, by an event. Returns whether it may hold what no event has told: then it is read. */
export function appeared(fs: Filesystem, batch: EventBatch, event: number, node: number): boolean {
  const moved = (batch.get(event, MASK) & abi.FAN_MOVED_TO) !== 0;
  if (moved) {
    fs.placesChanged();
    arrived(fs, node);
  } else fs.inodeMarks?.born(node);
  const isFull = moved || fs.inodeMarks !== null || isSubvolume(fs, batch.bytes, batch.get(event, OBJECT_AT));
  if (isFull) fs.unscanned.push(node);
  return isFull;
}

/** A directory came from where nothing is marked: nobody tells what is in it here, at any level, known or not. */
export function arrived(fs: Filesystem, node: number): void {
  const marks = fs.inodeMarks!;
  marks.strayed.delete(node);
  for (const one of nodesWithin(fs, node)) {
    marks.forget(one);
    if (fs.followsChildren(fs.placesOf(one))) marks.born(one);
  }
}

/** A directory left for one that isn't marked, or wasn't yet: it is put where reading has shown it, if it was shown. */
export function left(fs: Filesystem, node: number): void {
  fs.moveAway(node);
  const marks = fs.inodeMarks;
  if (marks === null) return;
  marks.strayed.add(node);
  const at = marks.seen.get(node);
  marks.seen.delete(node);
  if (at !== undefined) fs.standsAt(node, at.parent, at.name);
}

/** What was put there is there, for no other event is queued that tells where it was: that is told, and what is in it read. */
export function settleStrayed(fs: Filesystem, node: number, out: Occurrences): void {
  const marks = fs.inodeMarks!;
  if (!marks.strayed.has(node)) return;
  arrived(fs, node);
  fs.unscanned.push(node);
  const parent = fs.tree.parentOf(node);
  if (marks.newborns.has(parent)) tellDirectory(fs, node, out);
  else tellFound(fs, parent, fs.tree.nameOf(node), true, out);
}

/** An event about an entry of a directory is about to be told. */
export function mention(
  fs: Filesystem,
  node: number,
  batch: EventBatch,
  event: number,
  out: Occurrences,
): void {
  const made = (batch.get(event, MASK) & (abi.FAN_CREATE | abi.FAN_MOVED_TO)) !== 0;
  mentionName(fs, node, batch, event, NAME_AT, made, out);
}

/** The same of a rename with both ends. */
export function mentionRename(
  fs: Filesystem,
  oldNode: number,
  newNode: number,
  batch: EventBatch,
  event: number,
  out: Occurrences,
): void {
  if (oldNode !== NOT_FOUND) mentionName(fs, oldNode, batch, event, NAME_AT, false, out);
  if (newNode !== NOT_FOUND) mentionName(fs, newNode, batch, event, NEW_NAME_AT, true, out);
}

/** @param made whether the event tells that the entry came to be: its CREATE, or the new end of a rename */
function mentionName(
  fs: Filesystem,
  node: number,
  batch: EventBatch,
  event: number,
  nameColumn: number,
  made: boolean,
  out: Occurrences,
): void {
  const newborns = fs.inodeMarks?.newborns;
  if (newborns === undefined || newborns.size === 0) return;
  tellDirectory(fs, node, out);
  const newborn = newborns.get(node);
  if (newborn === undefined) return;
  const nameAt = batch.get(event, nameColumn);
  const name = batch.bytes.toString("latin1", nameAt, nameAt + batch.get(event, nameColumn + 1));
  if (newborn.told.has(name)) return;
  newborn.told.add(name);
  if (!made)
    tellFound(fs, node, Buffer.from(name, "latin1"), (batch.get(event, MASK) & abi.FAN_ONDIR) !== 0, out);
}

/** All events from before the reading are told: what is left was made before the directory was marked. */
export function settleNewborns(fs: Filesystem, out: Occurrences): void {
  const newborns = fs.inodeMarks?.newborns;
  if (newborns === undefined) return;
  for (const [node, newborn] of newborns) {
    if (!newborn.read) continue;
    if (fs.tree.has(node)) {
      tellDirectory(fs, node, out);
      for (const [name, directory] of newborn.found) {
        if (!newborn.told.has(name)) tellFound(fs, node, Buffer.from(name, "latin1"), directory, out);
      }
    }
    newborns.delete(node);
  }
  fs.inodeMarks!.caughtUp(!fs.isIncomplete && fs.unread.size === 0);
}

/** The directory itself may have been found only: its own CREATE comes before anything in it. */
function tellDirectory(fs: Filesystem, node: number, out: Occurrences): void {
  const newborns = fs.inodeMarks!.newborns;
  // Only what is inside newborn directories can be untold.
  const untold: number[] = [];
  for (let at = node; ; ) {
    const parent = fs.tree.parentOf(at);
    if (parent < 0 || !newborns.has(parent) || untold.length > fs.tree.size) break;
    untold.push(at);
    at = parent;
  }
  for (const one of untold.reverse()) {
    const parent = fs.tree.parentOf(one);
    const newborn = newborns.get(parent)!;
    const name = Buffer.from(fs.tree.nameOf(one)).toString("latin1");
    if (newborn.told.has(name)) continue;
    newborn.told.add(name);
    tellFound(fs, parent, fs.tree.nameOf(one), true, out);
  }
}

export function tellFound(
  fs: Filesystem,
  node: number,
  name: Uint8Array,
  directory: boolean,
  out: Occurrences,
): void {
  const bytes = Uint8Array.from(name);
  const places = entryPlaces(fs.placesOf(node), bytes, 0, bytes.length);
  if (places.length === 0) return;
  const one = out.add(abi.FAN_CREATE, 0, places, directory);
  one.bytes = bytes;
  one.nameBytes = bytes.length;
  one.found = true;
  one.filesystem = fs;
}
