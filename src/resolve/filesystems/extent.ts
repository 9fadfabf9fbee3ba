// How many directories lie below each managed path of a filesystem: one walk over the tree, for whoever asks the daemon. Not
// hot, but a million directories must not hold events up: each node is looked at once.
import type { Watch } from "../watch.ts";
import type { Filesystem } from "./filesystem.ts";
import { NOWHERE } from "./tree.ts";

const UNKNOWN = -2;

/** Directories known below each managed path, its own included; a path that isn't recursive has one. */
export function countDirectories(fs: Filesystem): Map<Watch, number> {
  const { tree } = fs;
  const { anchors } = fs.begins;
  // For each node the nearest anchor at or above it, or NOWHERE.
  const nearest = new Int32Array(tree.capacity).fill(UNKNOWN);
  const own = new Map<number, number>();
  const climbed: number[] = [];
  tree.forEach((node) => {
    let at = node;
    while (at !== NOWHERE && nearest[at] === UNKNOWN && !anchors.has(at)) {
      climbed.push(at);
      at = tree.parentOf(at);
    }
    const found = at === NOWHERE ? NOWHERE : anchors.has(at) ? at : nearest[at]!;
    for (let one = climbed.pop(); one !== undefined; one = climbed.pop()) nearest[one] = found;
    if (found !== NOWHERE) own.set(found, (own.get(found) ?? 0) + 1);
  });
  const counts = new Map<Watch, number>();
  for (const [anchor, count] of own) {
    // What belongs to an inner path belongs to those around it, too.
    for (let at = anchor; at !== NOWHERE; at = above(at)) {
      for (const { watch } of anchors.get(at) ?? [])
        if (watch.recursive) counts.set(watch, (counts.get(watch) ?? 0) + count);
        else if (at === anchor) counts.set(watch, 1);
    }
  }
  return counts;

  function above(node: number): number {
    const parent = tree.parentOf(node);
    if (parent === NOWHERE || anchors.has(parent)) return parent;
    return nearest[parent]!;
  }
}
