// Directories whose DELETE_SELF came before their DELETE. In `rm -rf` the kernel merges it into the event of the opendir at the
// beginning, before the DELETEs of everything inside: it is held back until the directory's own DELETE.
import { FAN_DELETE_SELF } from "../../kernel/abi.ts";
import { ownPlaces } from "../entry.ts";
import type { Filesystem } from "../filesystems/filesystem.ts";
import { handleKey } from "../keys.ts";
import type { Occurrences } from "../occurrence.ts";
import type { Place } from "../watch.ts";
import type { Burials } from "./burial.ts";

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

  /** @param selfPid whose own work isn't reported */
  constructor(
    private readonly burials: Burials,
    private readonly selfPid: number,
  ) {}

  hold(key: string, fs: Filesystem, node: number, pid: number, out: Occurrences): void {
    const places = ownPlaces(fs.placesOf(node));
    // It dies by our own hand where a scan has it open while it is removed, so behind its DELETE.
    const remover = pid === this.selfPid ? this.burials.removerOf(fs, node) : undefined;
    if (remover === undefined) this.dying.set(key, { fs, node, pid, places, waited: 0 });
    else if (places.length > 0) out.add(FAN_DELETE_SELF, remover, places, true);
  }

  get empty(): boolean {
    return this.dying.size === 0;
  }

  /** True when the directory's DELETE_SELF was held: it belongs to the DELETE that is there now. */
  take(key: string): boolean {
    return this.dying.delete(key);
  }

  /** A directory is about to go, so those in it ended before. No DELETE of theirs can come any more: renames replaced them. */
  tellBelow(fs: Filesystem, node: number, out: Occurrences): void {
    if (this.dying.size === 0 || fs.tree.isLeaf(node)) return;
    for (const [key, one] of this.dying) {
      const isBelow = one.fs === fs && fs.tree.isAtOrBelow(fs.tree.parentOf(one.node), node);
      if (isBelow && isThere(key, one)) this.tell(key, one, out);
    }
  }

  /**
   * The queue was read to its end. Tells those whose DELETE hasn't come by the second time: they were replaced by a rename over
   * them. Not before: the DELETEs of a large tree come many batches later.
   */
  finish(out: Occurrences): void {
    for (const [key, one] of this.dying) if (one.waited++ > 0) this.tell(key, one, out);
  }

  private tell(key: string, one: Dying, out: Occurrences): void {
    const { fs, node, pid } = one;
    this.dying.delete(key);
    const there = isThere(key, one);
    const places = there ? ownPlaces(fs.placesOf(node)) : one.places;
    if (places.length > 0 && pid !== this.selfPid) out.add(FAN_DELETE_SELF, pid, places, true);
    if (there) this.burials.later(fs, node, pid);
  }
}

/**
 * False where its DELETE came before its DELETE_SELF, because somebody still stood in it: then it has left the tree, and its number may be
 * another directory's.
 */
function isThere(key: string, { fs, node }: Dying): boolean {
  if (!fs.tree.has(node)) return false;
  const handle = fs.tree.handleOf(node);
  return handleKey(fs, handle, 0, handle.length) === key;
}
