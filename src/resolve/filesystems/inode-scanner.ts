// Marks and reads directories one by one, where a filesystem allows no other way: by path, because handles there can't
// be opened, each compared with its handle. A slice at a time, between batches of events.
import { closeSync } from "node:fs";
import { decodeScan } from "../../decode/scan.ts";
import { DirectoryScanner } from "../../kernel/scan.ts";
import type { Filesystem } from "./filesystem.ts";
import type { Filesystems } from "./filesystems.ts";
import { NOT_FOUND, NOWHERE } from "./tree.ts";

export class InodeScanner {
  private readonly scanner = new DirectoryScanner();
  private readonly bytes = Buffer.from(this.scanner.buffer.buffer);

  constructor(private readonly filesystems: Filesystems) {}

  /**
   * @param untilMs on performance.now()'s clock
   * @returns true when nothing is left to mark and read
   */
  scanSlice(fs: Filesystem, untilMs: number): boolean {
    const again: number[] = [];
    while (fs.unscanned.length > 0) {
      const node = fs.unscanned.pop()!;
      if (!this.scanDirectory(fs, node) && fs.inodeMarks!.miss(node)) again.push(node);
      if (performance.now() >= untilMs) break;
    }
    fs.unscanned.push(...again);
    return fs.unscanned.length === 0;
  }

  /** Returns false when the directory isn't where the tree has it. */
  private scanDirectory(fs: Filesystem, node: number): boolean {
    const marks = fs.inodeMarks!;
    const { tree } = fs;
    const places = fs.placesOf(node);
    const whole = places.find((place) => place.onlyName === null);
    // Excluded, moved out or removed since it was put on the list.
    if (whole === undefined || !fs.followsChildren(places)) {
      marks.forget(node);
      return true;
    }
    const fd = this.filesystems.openDirectory(fs, whole.path, node);
    if (fd < 0) return false;
    const deeper = places.some((place) => place.onlyName === null && place.watch.recursive);
    const newborn = marks.newborns.has(node);
    // Marked first, read second: what is made in between is both an event and found, and told once.
    fs.group.mark("inode", fd, fs.markedMask);
    this.scanner.scanOpen(fd, (length) => {
      decodeScan(this.bytes, length, (handleAt, _handleBytes, nameAt, nameBytes, mounted, directory) => {
        if (mounted) return;
        const name = this.bytes.subarray(nameAt, nameAt + nameBytes);
        if (newborn) marks.found(node, Buffer.from(name).toString("latin1"), directory);
        if (!directory) return;
        let child = tree.find(this.bytes, handleAt);
        if (child === NOT_FOUND || tree.parentOf(child) === NOWHERE) {
          if (child !== NOT_FOUND) fs.placesChanged();
          child = tree.put(this.bytes, handleAt, node, name);
          fs.fresh.add(child);
          if (newborn && deeper) marks.born(child);
        }
        fs.verified?.add(child);
        if (deeper) fs.unscanned.push(child);
      });
    });
    closeSync(fd);
    marks.read(node);
    return true;
  }
}
