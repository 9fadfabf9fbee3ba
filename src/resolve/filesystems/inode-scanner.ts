// Marks and reads directories one by one, where a filesystem allows no other way: by path, because handles there can't
// be opened, each compared with its handle. A slice at a time, between batches of events.
import { closeSync } from "node:fs";
import { decodeScan, ScanEntry } from "../../decode/scan.ts";
import { markRefusal } from "../../kernel/mark-refusal.ts";
import { DirectoryScanner } from "../../kernel/scan.ts";
import { errnoName } from "../../kernel/syscall.ts";
import type { Learner } from "../learn.ts";
import type { Occurrences } from "../occurrence.ts";
import type { Filesystem } from "./filesystem.ts";
import type { Filesystems } from "./filesystems.ts";
import { arrived, tellFound } from "./newborn.ts";
import { type Known, tellEntry } from "./rescan.ts";
import { NOT_FOUND, NOWHERE } from "./tree.ts";

/** The directory isn't there any more, or not where the tree has it: its event is on the way. */
const ELSEWHERE = new Set(["ENOENT", "ESTALE", "ENOTDIR", "ELOOP"]);

export class InodeScanner {
  private readonly scanner = new DirectoryScanner();
  private readonly bytes = Buffer.from(this.scanner.buffer.buffer);
  private readonly entry = new ScanEntry();
  private learner!: Learner;

  constructor(private readonly filesystems: Filesystems) {}

  /**
   * @param untilMs on performance.now()'s clock
   * @param found is told what came, changed or moved in the time that a rescan asks for; so is the learner's
   * @param learner compares a known tree with what is met
   * @returns true when nothing is left to mark and read
   */
  scanSlice(fs: Filesystem, untilMs: number, found: Occurrences, learner: Learner): boolean {
    this.learner = learner;
    while (fs.unscanned.length > 0) {
      const node = fs.unscanned.pop()!;
      fs.unread.delete(node);
      // Where it went is queued: once more when the queue was read to its end.
      if (!this.scanDirectory(fs, node, found) && fs.inodeMarks!.miss(node)) fs.unread.add(node);
      if (performance.now() >= untilMs) break;
    }
    return fs.unscanned.length === 0 && fs.unread.size === 0;
  }

  /** Returns false when the directory isn't where the tree has it. */
  private scanDirectory(fs: Filesystem, node: number, found: Occurrences): boolean {
    const marks = fs.inodeMarks!;
    const places = fs.placesOf(node);
    const whole = places.find((place) => place.onlyName === null);
    // Excluded, moved out or removed since it was put on the list.
    if (whole === undefined || !fs.followsChildren(places)) {
      marks.forget(node);
      return true;
    }
    const fd = this.filesystems.openDirectory(fs, whole.path, fs.tree.handleOf(node));
    if (fd < 0) {
      if (ELSEWHERE.has(errnoName(-fd))) return false;
      marks.lost(whole, markRefusal(fs.type, -fd));
      return true;
    }
    const deeper = places.some((place) => place.onlyName === null && place.watch.recursive);
    const newborn = marks.newborns.has(node);
    // Marked first, read second: what is made in between is both an event and found, and told once.
    const refused = fs.group.mark("inode", fd, fs.markedMask);
    if (refused < 0) marks.lost(whole, markRefusal(fs.type, -refused));
    const telling = !newborn && fs.rescans.size > 0 && !fs.rescanned.has(node);
    const each = () => this.meet(fs, node, deeper, newborn, telling, found);
    this.scanner.startAt(null);
    do {
      const got = this.scanner.scanOpen(fd, telling);
      if (got < 0) break;
      decodeScan(this.bytes, got, this.entry, each);
    } while (!this.scanner.isDone);
    closeSync(fd);
    if (telling) fs.rescanned.add(node);
    marks.read(node);
    return true;
  }

  private meet(
    fs: Filesystem,
    node: number,
    deeper: boolean,
    newborn: boolean,
    telling: boolean,
    found: Occurrences,
  ): void {
    const { bytes, entry } = this;
    const { tree } = fs;
    const marks = fs.inodeMarks!;
    const { comparison } = this.learner;
    if (entry.mounted) return;
    const { handleAt, nameAt, nameBytes } = entry;
    const name = bytes.subarray(nameAt, nameAt + nameBytes);
    if (newborn) marks.found(node, Buffer.from(name).toString("latin1"), entry.directory);
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
    if (isNew) {
      comparison.makeRoom(fs, node, bytes, nameAt, nameBytes);
      if (child !== NOT_FOUND) fs.placesChanged();
      else known = fs.wasWhole ? "unknown, and all others were known" : "unknown";
      child = tree.put(bytes, handleAt, node, name);
      fs.fresh.add(child);
      const strayed = marks.strayed.delete(child);
      if (strayed && !newborn) tellFound(fs, node, name, true, found);
      if (deeper && (newborn || strayed)) arrived(fs, child);
      fs.verified?.add(child);
    } else if (fs.verified === null) fs.standsAt(child, node, name);
    else comparison.verifyMet(fs, child, node, name);
    if (telling) tellEntry(fs, node, bytes, entry, known, found);
    if (isNew) comparison.placed(fs);
    if (deeper) fs.unscanned.push(child);
  }
}
