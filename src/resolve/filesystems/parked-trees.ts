// Trees of filesystems that were unmounted, kept for when they are mounted again: what is missing in them then vanished
// meanwhile. Bounded: one that is too large, or too old among too many, is forgotten, and only times can tell then.
import type { Filesystem } from "./filesystem.ts";
import type { DirectoryTree } from "./tree.ts";

const TREES_MAX = 8;
/** Directories of all of them: some 10 MB. */
const DIRECTORIES_MAX = 200_000;

export class ParkedTrees {
  private readonly trees = new Map<string, DirectoryTree>();

  /** Takes the tree of a filesystem that is gone, if all of it was known. */
  park(fs: Filesystem): void {
    // Handles of the others can't be opened, or mean something only as long as it is mounted.
    if (fs.kind !== "filesystem" || !fs.shared || fs.unscanned.length > 0 || fs.verified !== null) return;
    const key = keyOf(fs);
    this.trees.delete(key);
    this.trees.set(key, fs.tree);
    let directories = 0;
    for (const tree of this.trees.values()) directories += tree.size;
    for (const [oldest, tree] of this.trees) {
      if (this.trees.size <= TREES_MAX && directories <= DIRECTORIES_MAX) break;
      this.trees.delete(oldest);
      directories -= tree.size;
    }
  }

  /** The tree of this very filesystem from before; null where there is none. */
  take(fs: Filesystem): DirectoryTree | null {
    const key = keyOf(fs);
    const tree = this.trees.get(key) ?? null;
    this.trees.delete(key);
    return tree;
  }
}

/** The id of ext4, XFS and btrfs outlives a mount; a tmpfs gets a new one each time, and is a new one. */
function keyOf(fs: Filesystem): string {
  return `${fs.type} ${fs.fsidLow} ${fs.fsidHigh}`;
}
