// Fills directory trees from the disk, a slice at a time between batches of events, so that events are served
// while a million directories are read. A directory is opened by its handle; what the scan finds goes the
// same way into the tree as what events tell.

import { decodeScan } from "../../decode/scan.ts";
import { DirectoryScanner } from "../../kernel/scan.ts";
import type { Filesystem } from "./filesystem.ts";
import { NOT_FOUND, NOWHERE } from "./tree.ts";

export class TreeScanner {
  private readonly scanner = new DirectoryScanner();
  private readonly bytes = Buffer.from(this.scanner.buffer.buffer);

  /**
   * Scans unscanned directories of one filesystem until none is left or the time is over.
   *
   * @param mountFd any directory on it, open for reading
   * @param untilMs on performance.now()'s clock
   * @returns true when nothing is left to scan
   */
  scanSlice(fs: Filesystem, mountFd: number, untilMs: number): boolean {
    while (fs.unscanned.length > 0) {
      this.scanDirectory(fs, mountFd, fs.unscanned.pop()!);
      if (performance.now() >= untilMs) break;
    }
    if (fs.unscanned.length > 0) return false;
    fs.settling = true;
    if (fs.verified !== null) forgetUnverified(fs);
    return true;
  }

  private scanDirectory(fs: Filesystem, mountFd: number, node: number): void {
    const { tree } = fs;
    const places = fs.placesOf(node);
    // Excluded, moved out or removed since it was put on the list.
    if (!fs.followsChildren(places)) return;
    const deeper = places.some((place) => place.watch.recursive);
    // A directory that is gone (ESTALE) is told by its DELETE event; one that can't be read is followed by
    // events all the same.
    this.scanner.scan(mountFd, tree.handleOf(node), (length) => {
      decodeScan(this.bytes, length, (handleAt, _handleBytes, nameAt, nameBytes, mounted) => {
        if (mounted) return;
        const name = this.bytes.subarray(nameAt, nameAt + nameBytes);
        let child = tree.find(this.bytes, handleAt);
        if (child === NOT_FOUND || tree.parentOf(child) === NOWHERE) {
          // Known without its place: a managed path begins there, seen through another mount.
          if (child !== NOT_FOUND) fs.placesChanged();
          child = tree.put(this.bytes, handleAt, node, name);
          fs.fresh.add(child);
          fs.verified?.add(child);
        } else if (fs.verified !== null) {
          this.verify(fs, child, node, name);
        }
        // Known ones too: another managed path may have known the directory and excluded what lies deeper.
        if (deeper) fs.unscanned.push(child);
      });
    });
  }

  /** After a loss the disk is right and the tree may not be. */
  private verify(fs: Filesystem, child: number, parent: number, name: Uint8Array): void {
    fs.verified?.add(child);
    fs.fresh.add(child);
    if (fs.tree.parentOf(child) === parent && fs.tree.nameIs(child, name, 0, name.length)) return;
    fs.tree.move(child, parent, name);
    fs.placesChanged();
  }
}

/** Compares the tree with the disk: events were lost, so directories may have come, gone or moved unseen. */
export function beginVerification(fs: Filesystem): void {
  fs.verified = new Set();
  fs.unscanned.length = 0;
  for (const node of fs.anchors.keys()) fs.unscanned.push(node);
}

function forgetUnverified(fs: Filesystem): void {
  const verified = fs.verified!;
  fs.verified = null;
  fs.tree.forEach((node) => {
    if (!verified.has(node) && !fs.fresh.has(node) && !fs.anchors.has(node) && !fs.expectations.has(node)) {
      fs.tree.remove(node);
    }
  });
  fs.placesChanged();
}
