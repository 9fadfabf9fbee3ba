// After a loss: what reading the directories shows of the time that nobody saw. What is there and was made, written or
// changed in that time, and which directories came, went or have another place. Nobody knows who did it, nor when.
// Never tells what an event that is still queued will tell, as far as times can show that.
import type { ScanEntry } from "../../decode/scan.ts";
import type { GapReason } from "../../event.ts";
import * as abi from "../../kernel/abi.ts";
import type { TimeSpan } from "../../kernel/scan.ts";
import { wantsEntry } from "../entry.ts";
import type { Occurrence, Occurrences } from "../occurrence.ts";
import { NO_PLACES, ownEntry, type Place, type Watch } from "../watch.ts";
import type { Filesystem } from "./filesystem.ts";
import { NOWHERE } from "./tree.ts";

/** Lines that one rescan may write into one log: 20 MB of it at the most, a third of a segment. */
const LINES_MAX = 100_000;
/** The kernel stamps files with a clock that ticks 100 times a second on the slowest machines. */
const TICK_MS = 10;

const WRITTEN = abi.FAN_MODIFY | abi.FAN_CLOSE_WRITE;

/** What one managed path lost, while its directories are read again; shared by its filesystems. */
export class Rescan implements TimeSpan {
  readonly fromMs: number;
  private lines = 0;
  /** Lines that there was no room for, since takeUntold(). */
  private untold = 0;

  constructor(
    readonly reason: GapReason,
    readonly gapFromMs: number,
    readonly toMs: number,
  ) {
    this.fromMs = gapFromMs - TICK_MS;
  }

  /** One rescan for two losses, the second of which came while the first one's was under way. */
  static joined(before: Rescan | undefined, now: Rescan): Rescan {
    if (before === undefined) return now;
    const both = new Rescan(now.reason, Math.min(before.gapFromMs, now.gapFromMs), now.toMs);
    both.lines = before.lines;
    both.untold = before.untold;
    return both;
  }

  /** Room for so many lines; what doesn't fit is counted. */
  take(lines: number): boolean {
    if (this.lines + lines > LINES_MAX) {
      this.untold += lines;
      return false;
    }
    this.lines += lines;
    return true;
  }

  /** Nothing is told any more, only counted. */
  get isFull(): boolean {
    return this.lines >= LINES_MAX;
  }

  takeUntold(): number {
    const { untold } = this;
    this.untold = 0;
    return untold;
  }

  has(timeMs: number): boolean {
    return timeMs >= this.fromMs && timeMs <= this.toMs;
  }
}

/** The time that all rescans of a filesystem together ask for; null without one. */
export function spanOf(fs: Filesystem): TimeSpan | null {
  let span: TimeSpan | null = null;
  for (const { fromMs, toMs } of fs.rescans.values()) {
    if (span === null) span = { fromMs, toMs };
    else span = { fromMs: Math.min(span.fromMs, fromMs), toMs: Math.max(span.toMs, toMs) };
  }
  return span;
}

/** How the tree had a directory that was read. */
export type Known = "here" | "unknown" | "unknown, and all others were known";

/** An entry that was read in a directory. The name is copied. */
export function tellEntry(
  fs: Filesystem,
  node: number,
  bytes: Uint8Array,
  entry: ScanEntry,
  known: Known,
  out: Occurrences,
): void {
  let name: Uint8Array | null = null;
  for (const place of fs.placesOf(node)) {
    const rescan = fs.rescans.get(place.watch);
    if (rescan === undefined || !wantsEntry(place, bytes, entry.nameAt, entry.nameBytes)) continue;
    const mask = entry.directory ? directoryTypes(entry, rescan, known) : fileTypes(entry, rescan);
    if (mask === 0) continue;
    name ??= Uint8Array.from(bytes.subarray(entry.nameAt, entry.nameAt + entry.nameBytes));
    add(fs, mask, rescan, place, name, entry.directory, out);
  }
}

/**
 * A directory that was found before a scan came by, because something happens in it: told where that stands.
 *
 * @param times null for one that is gone by now
 */
export function tellLearned(fs: Filesystem, node: number, times: FoundTimes | null, out: Occurrences): void {
  const name = Uint8Array.from(fs.tree.nameOf(node));
  for (const place of fs.placesOf(fs.tree.parentOf(node))) {
    const rescan = fs.rescans.get(place.watch);
    if (rescan === undefined || !wantsEntry(place, name, 0, name.length)) continue;
    const known = fs.wasWhole ? "unknown, and all others were known" : "unknown";
    // Gone, it has no times; nor has anybody else told of it.
    const unseen = fs.wasWhole ? abi.FAN_CREATE : 0;
    const mask = times === null ? unseen : directoryTypes(times, rescan, known);
    if (mask !== 0) add(fs, mask, rescan, place, name, true, out);
  }
}

/** What times tell of a file. */
export function fileTypes(entry: FoundTimes & { regular: boolean }, rescan: Rescan): number {
  const { bornMs, writtenMs, changedMs, sizeBytes, regular } = entry;
  const made = rescan.has(bornMs);
  let mask = made ? abi.FAN_CREATE : 0;
  const written = rescan.has(writtenMs) && changedMs >= rescan.fromMs && (!made || sizeBytes > 0);
  // Made within it and not empty: written too, whatever time it was given since (cp -p, tar).
  if (regular && (written || (made && sizeBytes > 0))) mask |= WRITTEN;
  return mask === 0 && rescan.has(changedMs) ? abi.FAN_ATTRIB : mask;
}

/** What they tell of a directory, whose time of writing says only that something came or went in it. */
export function directoryTypes(entry: FoundTimes, rescan: Rescan, known: Known): number {
  const { bornMs, writtenMs, changedMs } = entry;
  const attributes = rescan.has(changedMs) && !rescan.has(writtenMs) ? abi.FAN_ATTRIB : 0;
  if (known === "here") return attributes;
  if (rescan.has(bornMs)) return abi.FAN_CREATE;
  if (known === "unknown") return attributes;
  // Born later: its event is still queued. Not changed since: it came along with the directory that it is in. A move
  // changes what is moved, on every filesystem that fsmon knows.
  if (bornMs > rescan.toMs || changedMs < rescan.fromMs) return 0;
  return Number.isNaN(bornMs) ? abi.FAN_CREATE : abi.FAN_MOVED_TO;
}

export interface FoundTimes {
  /** NaN where it isn't known. */
  bornMs: number;
  writtenMs: number;
  changedMs: number;
  sizeBytes: number;
}

/** The half of a move that was told: a directory has left its place. */
export interface Departure {
  /** Lines that want to know where it has gone. */
  told: readonly Occurrence[];
  /** Where it was; null outside every managed path. */
  path: Uint8Array | null;
}

/** A directory has another place than the tree has it at; call it before the tree is changed. */
export function tellDeparture(fs: Filesystem, node: number, out: Occurrences): Departure {
  if (fs.rescans.size === 0) return { told: [], path: null };
  const parent = fs.tree.parentOf(node);
  const name = Uint8Array.from(fs.tree.nameOf(node));
  const places = parent === NOWHERE ? NO_PLACES : fs.placesOf(parent);
  return { told: tellEnd(fs, abi.FAN_MOVED_FROM, places, name, out), path: pathAt(places, name) };
}

/** @param parent NOWHERE where it has left every managed path */
export function tellArrival(
  fs: Filesystem,
  { told, path }: Departure,
  parent: number,
  name: Uint8Array,
  out: Occurrences,
): void {
  if (fs.rescans.size === 0) return;
  const places = parent === NOWHERE ? NO_PLACES : fs.placesOf(parent);
  const end = pathAt(places, name);
  for (const one of told) one.otherEnd = end;
  const mask = abi.FAN_MOVED_TO | abi.FAN_MOVE_SELF;
  for (const one of tellEnd(fs, mask, places, Uint8Array.from(name), out)) one.otherEnd = path;
}

/** One end of a move, to every managed path that sees it. */
function tellEnd(
  fs: Filesystem,
  mask: number,
  places: readonly Place[],
  name: Uint8Array,
  out: Occurrences,
): Occurrence[] {
  const told: Occurrence[] = [];
  for (const place of places) {
    const rescan = fs.rescans.get(place.watch);
    if (rescan === undefined || !wantsEntry(place, name, 0, name.length)) continue;
    told.push(add(fs, mask, rescan, place, name, true, out));
  }
  return told;
}

/**
 * A directory of the tree that the disk doesn't have any more; call it before the tree is changed.
 *
 * @param only the one managed path that lost it; null for all
 */
export function tellVanished(
  fs: Filesystem,
  node: number,
  out: Occurrences,
  only: Watch | null = null,
): void {
  const parent = fs.tree.parentOf(node);
  if (parent < 0) return;
  const name = Uint8Array.from(fs.tree.nameOf(node));
  for (const place of fs.placesOf(parent)) {
    const rescan = fs.rescans.get(place.watch);
    // A managed path itself isn't one of those that a comparison tells of: it has a place of its own then.
    if (rescan === undefined || (only === null ? place.onlyName !== null : place.watch !== only)) continue;
    if (!wantsEntry(place, name, 0, name.length)) continue;
    add(fs, abi.FAN_DELETE, rescan, place, name, true, out);
  }
}

/** What is inside before what it is in, as rm -rf does it. */
export function fromBelow(fs: Filesystem, nodes: number[]): number[] {
  const depths = new Map(nodes.map((node) => [node, depthOf(fs, node)]));
  return nodes.sort((a, b) => depths.get(b)! - depths.get(a)!);
}

function depthOf(fs: Filesystem, node: number): number {
  let depth = 0;
  for (let at = node; at >= 0 && depth <= fs.tree.size; at = fs.tree.parentOf(at)) depth++;
  return depth;
}

/** The managed path itself, on that filesystem. */
export function tellItself(
  fs: Filesystem | null,
  watch: Watch,
  mask: number,
  rescan: Rescan,
  directory: boolean,
  out: Occurrences,
): void {
  if (mask === 0) return;
  const place = ownEntry(watch);
  add(fs, mask, rescan, place, place.onlyName, directory, out);
}

function add(
  fs: Filesystem | null,
  mask: number,
  rescan: Rescan,
  place: Place,
  name: Uint8Array,
  directory: boolean,
  out: Occurrences,
): Occurrence {
  const one = out.add(mask, 0, [place], directory);
  one.bytes = name;
  one.nameBytes = name.length;
  one.found = true;
  one.filesystem = fs;
  one.rescan = rescan;
  return one;
}

function pathAt(places: readonly Place[], name: Uint8Array): Uint8Array | null {
  const place = places[0];
  return place === undefined ? null : Buffer.concat([place.path, Uint8Array.of(0x2f), name]);
}
