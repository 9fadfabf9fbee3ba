// Fills directory trees from the disk, a slice at a time between batches of events, so that events are served
// while a million directories are read. A directory is opened by its handle; what the scan finds goes the
// same way into the tree as what events tell.

import { decodeScan, ScanEntry } from "../../decode/scan.ts";
import { DirectoryScanner, type TimeSpan } from "../../kernel/scan.ts";
import type { Learner } from "../learn.ts";
import type { Occurrences } from "../occurrence.ts";
import type { Filesystem } from "./filesystem.ts";
import { fromBelow, type Known, spanOf, tellEntry, tellVanished } from "./rescan.ts";
import { Survey } from "./survey.ts";
import { NOT_FOUND, NOWHERE } from "./tree.ts";
import { Verified } from "./verified.ts";

/** The longest handle record. */
const HANDLE_MAX_BYTES = 136;

/** Hot: nothing is allocated for a directory but what the tree itself needs. */
export class TreeScanner {
  private readonly scanner = new DirectoryScanner();
  private readonly bytes = Buffer.from(this.scanner.buffer.buffer);
  private readonly entry = new ScanEntry();
  private readonly handle = new Uint8Array(HANDLE_MAX_BYTES);
  /** Its beginning, by length: a filesystem's handles have one or two lengths. */
  private readonly handleViews: Uint8Array[] = [];
  /** The directory that is being read. */
  private fs!: Filesystem;
  private node = 0;
  private deeper = false;
  private telling = false;
  /** What wasn't changed since then has nothing to tell; most haven't been. */
  private sinceMs = 0;
  private found!: Occurrences;
  private learner!: Learner;

  /**
   * Scans unscanned directories of one filesystem until none is left or the time is over.
   *
   * @param mountFd any directory on it, open for reading
   * @param untilMs on performance.now()'s clock
   * @param found is told what came, changed or moved in the time that a rescan asks for; so is the learner's
   * @param learner compares a known tree with what is met
   * @returns true when nothing is left to scan
   */
  scanSlice(fs: Filesystem, mountFd: number, untilMs: number, found: Occurrences, learner: Learner): boolean {
    const span = spanOf(fs);
    this.fs = fs;
    this.learner = learner;
    this.found = found;
    this.sinceMs = span === null ? 0 : span.fromMs;
    do {
      for (let node = fs.unscanned.pop(); node !== undefined; node = fs.unscanned.pop()) {
        fs.unread.delete(node);
        this.scanDirectory(mountFd, node, span, untilMs);
        if (performance.now() >= untilMs) break;
      }
      // Learned while the scan was on its way to them, and moved elsewhere before it came by.
      if (fs.unscanned.length === 0) fs.unscanned.push(...fs.unread);
    } while (fs.unscanned.length > 0 && performance.now() < untilMs);
    if (fs.unscanned.length > 0) return false;
    fs.settling = true;
    return true;
  }

  private scanDirectory(mountFd: number, node: number, span: TimeSpan | null, untilMs: number): void {
    const { fs, scanner } = this;
    // Several managed paths lead to it: what it shows is told once.
    const asked = span !== null && fs.rescanned.has(node) ? null : span;
    const begun = fs.partlyScanned.size === 0 ? null : (fs.partlyScanned.get(node) ?? null);
    if (begun !== null) fs.partlyScanned.delete(node);
    const depth = fs.scanDepth(node);
    // Excluded, moved out or removed since it was put on the list.
    if (depth === "nothing") return;
    this.node = node;
    this.deeper = depth === "all";
    this.telling = asked !== null;
    const handle = this.handleOf(node);
    scanner.startAt(begun);
    do {
      // A directory that is gone (ESTALE) is told by its DELETE event; one that can't be read is followed by
      // events all the same.
      const got = scanner.scan(mountFd, handle, asked);
      if (got < 0) return;
      if (got > 0) decodeScan(this.bytes, got, this.entry, this.meet);
      if (!scanner.isDone && performance.now() >= untilMs) {
        fs.partlyScanned.set(node, scanner.position());
        fs.unscanned.push(node);
        return;
      }
    } while (!scanner.isDone);
    if (asked !== null) fs.rescanned.add(node);
  }

  private handleOf(node: number): Uint8Array {
    const length = this.fs.tree.copyHandle(node, this.handle);
    this.handleViews[length] ??= this.handle.subarray(0, length);
    return this.handleViews[length];
  }

  /** An entry of the directory. */
  private readonly meet = (): void => {
    const { bytes, entry, fs, node, found } = this;
    const telling = this.telling && entry.changedMs >= this.sinceMs;
    const { tree } = fs;
    const { comparison } = this.learner;
    const { handleAt, nameAt, nameBytes } = entry;
    if (entry.mounted) return;
    if (!entry.directory) {
      if (!telling) return;
      comparison.makeRoom(fs, node, bytes, nameAt, nameBytes);
      tellEntry(fs, node, bytes, entry, "unknown", found);
      comparison.placed(fs);
      return;
    }
    let child = tree.find(bytes, handleAt);
    let known: Known = "here";
    const isNew = child === NOT_FOUND || tree.parentOf(child) === NOWHERE;
    // An event that is queued says where it was until then.
    if (child === NOT_FOUND && comparison.isQueued(fs, bytes, handleAt)) return;
    if (isNew) {
      comparison.makeRoom(fs, node, bytes, nameAt, nameBytes);
      // Known without its place: a managed path begins there, seen through another mount.
      if (child !== NOT_FOUND) fs.placesChanged();
      else known = fs.wasWhole ? "unknown, and all others were known" : "unknown";
      child = tree.putEntry(bytes, handleAt, node, nameAt, nameBytes);
      fs.fresh.add(child);
      fs.verified?.add(child);
    } else if (fs.verified === null) fs.standsAt(child, node, bytes.subarray(nameAt, nameAt + nameBytes));
    else comparison.verifyMet(fs, child, node, bytes.subarray(nameAt, nameAt + nameBytes));
    if (telling) tellEntry(fs, node, bytes, entry, known, found);
    if (isNew) comparison.placed(fs);
    // Known ones too: another managed path may have known the directory and excluded what lies deeper.
    if (this.deeper) fs.unscanned.push(child);
  };
}

/**
 * Compares the tree with the disk: events were lost, so directories may have come, gone or moved unseen.
 *
 * @param wasWhole false before the first scan was done: a directory that isn't known tells nothing then
 */
export function beginVerification(fs: Filesystem, wasWhole: boolean): void {
  fs.wasWhole = wasWhole;
  if (fs.inodeMarks !== null) {
    fs.inodeMarks.clear();
    fs.inodeMarks.survey = new Survey(fs);
  }
  fs.verified = new Verified(fs.tree);
  fs.partlyScanned.clear();
  fs.unscanned.length = 0;
  for (const node of fs.begins.anchors.keys()) fs.unscanned.push(node);
}

/** Occurrences between two calls of tell(). */
const TOLD_AT_ONCE = 1024;

/**
 * All directories were read, and all events from before that are told: what wasn't met is gone.
 *
 * @param tell takes what was found, each time that some of it is there
 */
export function endVerification(fs: Filesystem, found: Occurrences, tell: () => void): void {
  const { verified, tree } = fs;
  if (verified === null) return;
  fs.verified = null;
  if (fs.inodeMarks !== null) fs.inodeMarks.survey = null;
  fs.wasWhole = false;
  const gone: number[] = [];
  tree.forEach((node) => {
    if (!verified.has(node) && !fs.begins.anchors.has(node) && !fs.begins.expectations.has(node)) {
      gone.push(node);
    }
  });
  for (const node of fromBelow(fs, gone)) {
    tellVanished(fs, node, found);
    if (found.count >= TOLD_AT_ONCE) tell();
  }
  if (found.count > 0) tell();
  for (const node of gone) fs.removeNode(node);
  fs.placesChanged();
}
