// Removes from a tree the directories that no managed path needs any more, a slice at a time. From the inside out, and subdirectories have
// the higher numbers as a rule: what is left of a tree hangs together, because it may be moved back at any moment.
import type { Filesystem } from "./filesystem.ts";

/** Directories between two looks at the clock. */
const STEP = 64;

export class Sweep {
  private at = -1;
  /** Removed by this pass; and left, because of what is below. */
  private removed = 0;
  private spared = 0;

  constructor(private readonly fs: Filesystem) {}

  begin(): void {
    this.at = this.fs.tree.capacity - 1;
    this.removed = 0;
    this.spared = 0;
  }

  /**
   * Goes on until the time is over.
   *
   * @param untilMs on performance.now()'s clock
   * @returns true when nothing is left to do
   */
  slice(untilMs: number): boolean {
    const { fs } = this;
    const { tree } = fs;
    for (; this.at >= 0; this.at--) {
      const node = this.at;
      if (!tree.has(node) || fs.begins.anchors.has(node) || fs.begins.expectations.has(node)) continue;
      const isUnneeded = fs.findPlaces(node).length === 0;
      if (isUnneeded && tree.isLeaf(node)) {
        fs.removeNode(node);
        this.removed++;
      } else if (isUnneeded) this.spared++;
      if (node % STEP === 0 && performance.now() >= untilMs) return false;
    }
    if (this.removed === 0 || this.spared === 0) return true;
    this.begin();
    return false;
  }
}
