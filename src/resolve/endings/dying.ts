// Directories whose DELETE_SELF came before their DELETE. In `rm -rf` the kernel merges it into the event of the opendir at the
// beginning, before the DELETEs of everything inside: it is held back until the directory's own DELETE.
import { FAN_DELETE_SELF } from "../../kernel/abi.ts";
import { ownPlaces } from "../entry.ts";
import type { Filesystem } from "../filesystems/filesystem.ts";
import { handleKey } from "../keys.ts";
import type { Occurrences } from "../occurrence.ts";
import type { Place } from "../watch.ts";

interface Dying {
  fs: Filesystem;
  node: number;
  pid: number;
  /** Where it was then. */
  places: readonly Place[];
  /** Times that the queue was seen empty while it waited. */
  waited: number;
}

export class DyingDirectories {
  private readonly dying = new Map<string, Dying>();

  hold(key: string, fs: Filesystem, node: number, pid: number): void {
    this.dying.set(key, { fs, node, pid, places: ownPlaces(fs.placesOf(node)), waited: 0 });
  }

  get empty(): boolean {
    return this.dying.size === 0;
  }

  /** True when the directory's DELETE_SELF was held: it belongs to the DELETE that is there now. */
  take(key: string): boolean {
    return this.dying.delete(key);
  }

  /**
   * The queue was read to its end. Tells those whose DELETE hasn't come by the second time: they were replaced by a rename over
   * them. Not before: the DELETEs of a large tree come many batches later.
   *
   * @param selfPid whose own work isn't reported
   * @param forget removes the directory from the tree
   */
  finish(out: Occurrences, selfPid: number, forget: (fs: Filesystem, node: number) => void): void {
    for (const [key, one] of this.dying) {
      if (one.waited++ === 0) continue;
      this.dying.delete(key);
      // Its DELETE came before it where somebody still stood in the directory: then it has left the tree, and its number
      // may be another directory's.
      const { fs, node } = one;
      const handle = fs.tree.has(node) ? fs.tree.handleOf(node) : null;
      const isThere = handle !== null && handleKey(fs, handle, 0, handle.length) === key;
      const places = isThere ? ownPlaces(fs.placesOf(node)) : one.places;
      if (places.length > 0 && one.pid !== selfPid) out.add(FAN_DELETE_SELF, one.pid, places, true);
      if (isThere) forget(fs, node);
    }
  }
}
