// A tree is compared with the disk after a loss: takes its directories to where they are at the learner's place in the queue. What
// brought them there was lost, and is told as found; what is queued tells itself. Nothing is told at a name before the directory that the
// tree has there has left it: that one leaves first, and arrives behind it, because its new place may be inside.
import type { DirectoryEntry } from "../kernel/handles.ts";
import type { Filesystem } from "./filesystems/filesystem.ts";
import { bytesKey } from "./filesystems/handle-key.ts";
import { type Departure, fromBelow, tellArrival, tellDeparture, tellVanished } from "./filesystems/rescan.ts";
import { NOT_FOUND } from "./filesystems/tree.ts";
import type { Learner } from "./learn.ts";

/** Before a handle's data: its length, 4 bytes, and its type. */
const HANDLE_HEADER_BYTES = 8;

export class Comparison {
  /** Directories that have left their place, and aren't told at the next one yet: nowhere in the tree. */
  private readonly departed = new Map<number, { entry: DirectoryEntry; departure: Departure }>();
  /** Something is being put where it is: nothing arrives before. */
  private nested = 0;

  constructor(private readonly learner: Learner) {}

  /**
   * Hot. Takes a known directory, and those above it, to where they are.
   *
   * @param met known directories that are looked at already
   */
  verify(fs: Filesystem, node: number, met?: Set<number>): void {
    if (fs.verified === null) return;
    this.settle(fs, node);
    if (fs.verified.has(node)) return;
    this.nested++;
    this.verifyAs(fs, node, null, met ?? new Set());
    this.placed(fs);
  }

  /** A known directory that a scan has met: it needs no look at the disk where the tree has it as well. */
  verifyMet(fs: Filesystem, node: number, parent: number, name: Uint8Array): void {
    const { tree, verified } = fs;
    if (verified === null || verified.has(node)) return;
    const stays = tree.parentOf(node) === parent && tree.nameIs(node, name, 0, name.length);
    if (stays && this.learner.queued(fs, tree.handleOf(node)) === null) {
      verified.add(node);
      return;
    }
    this.nested++;
    const seen = { parent: tree.handleOf(parent), name: Uint8Array.from(name) };
    this.verifyAs(fs, node, seen, new Set());
    this.placed(fs);
  }

  /** Whether an event will tell of a directory that a scan has met and the tree doesn't know: it was elsewhere, or isn't made yet. */
  isQueued(fs: Filesystem, bytes: Uint8Array, handleAt: number): boolean {
    if (fs.verified === null) return false;
    const end = handleAt + HANDLE_HEADER_BYTES + bytes[handleAt]!;
    return this.learner.queued(fs, Uint8Array.from(bytes.subarray(handleAt, end))) !== null;
  }

  /** Hot. Something has that name: what the tree has there leaves. To be followed by placed() when what is there now was told. */
  makeRoom(fs: Filesystem, parent: number, bytes: Uint8Array, nameAt: number, nameBytes: number): void {
    this.nested++;
    if (fs.verified === null) return;
    const node = fs.verified.unverifiedAt(parent, bytes, nameAt, nameBytes);
    if (node !== NOT_FOUND) this.leave(fs, node);
  }

  /** Hot. A directory is about to be removed: what the tree still has in it has left it. */
  empty(fs: Filesystem, node: number): void {
    if (fs.verified === null || fs.tree.isLeaf(node)) return;
    this.nested++;
    for (const inside of fs.verified.unverifiedIn(node))
      if (fs.tree.parentOf(inside) === node) this.leave(fs, inside);
    this.placed(fs);
  }

  /** Hot. What had to make room is told where it is. */
  placed(fs: Filesystem): void {
    this.nested--;
    if (this.nested > 0 || this.departed.size === 0) return;
    this.nested++;
    for (const node of this.departed.keys()) this.arrive(fs, node);
    this.nested--;
  }

  /** Hot. An event is going to tell that something has that name. */
  vacate(fs: Filesystem, parent: number, bytes: Uint8Array, nameAt: number, nameBytes: number): void {
    if (fs.verified === null) return;
    this.makeRoom(fs, parent, bytes, nameAt, nameBytes);
    this.placed(fs);
  }

  /**
   * @param seen the entry that it was just read as; null: the disk is asked
   * @param met known directories that are looked at already
   */
  private verifyAs(fs: Filesystem, node: number, seen: DirectoryEntry | null, met: Set<number>): void {
    const { tree, verified } = fs;
    for (let at = node; at >= 0 && !met.has(at) && verified?.has(at) === false; at = tree.parentOf(at)) {
      met.add(at);
      // A managed path was just looked for.
      if (isManaged(fs, at)) return;
      const handle = tree.handleOf(at);
      const read = at === node ? seen : null;
      const entry =
        read === null ? this.learner.entryAt(fs, handle) : (this.learner.queued(fs, handle) ?? read);
      // Gone: its event tells that, or the end of the comparison.
      if (entry === null) continue;
      // That one first: it may have been below this one.
      const parent = this.directory(fs, entry.parent, met);
      // In that one's way was what this one is in, or this one itself.
      this.settle(fs, at);
      if (verified.has(at)) return;
      if (stands(fs, at, parent, entry.name)) verified.add(at);
      else {
        this.depart(fs, at, entry);
        this.arrive(fs, at, parent);
      }
    }
  }

  /** The directory of an entry, where it is. */
  private directory(fs: Filesystem, handle: Uint8Array, met: Set<number>): number {
    const node = fs.tree.find(handle, 0);
    if (node === NOT_FOUND) return this.learner.learn(fs, handle, met) ?? NOT_FOUND;
    this.verify(fs, node, met);
    return node;
  }

  /** Something is going to be put in a directory: it, or what it is in, may have left and not come yet. */
  private settle(fs: Filesystem, node: number): void {
    if (this.departed.size === 0) return;
    let top = node;
    // Never further than there are directories: merged renames can form a circle.
    for (let steps = fs.tree.size; fs.tree.parentOf(top) >= 0 && steps > 0; steps--)
      top = fs.tree.parentOf(top);
    if (this.departed.has(top)) this.arrive(fs, top);
  }

  /** A directory that isn't verified leaves its place, if it has. */
  private leave(fs: Filesystem, node: number): void {
    if (isManaged(fs, node)) return;
    const entry = this.learner.entryAt(fs, fs.tree.handleOf(node));
    if (entry === null) this.vanish(fs, node);
    else this.makeWay(fs, node, entry);
  }

  /** A directory leaves, if it has; what the tree has below it, and its new place is in, leaves before. */
  private makeWay(fs: Filesystem, node: number, entry: DirectoryEntry): void {
    if (stands(fs, node, fs.tree.find(entry.parent, 0), entry.name)) return;
    const met = new Set<string>();
    let above: DirectoryEntry | null = entry;
    while (above !== null && !met.has(bytesKey(above.parent))) {
      met.add(bytesKey(above.parent));
      const inner = fs.tree.find(above.parent, 0);
      above = this.learner.entryAt(fs, above.parent);
      if (above !== null && inner !== NOT_FOUND && isWithin(fs, inner, node)) this.makeWay(fs, inner, above);
    }
    this.depart(fs, node, entry);
  }

  private depart(fs: Filesystem, node: number, entry: DirectoryEntry): void {
    this.departed.set(node, { entry, departure: tellDeparture(fs, node, this.learner.out) });
    fs.moveAway(node);
  }

  private arrive(fs: Filesystem, node: number, to = NOT_FOUND): void {
    const { entry, departure } = this.departed.get(node)!;
    this.departed.delete(node);
    const parent = to === NOT_FOUND ? this.directory(fs, entry.parent, new Set()) : to;
    this.makeRoom(fs, parent, entry.name, 0, entry.name.length);
    tellArrival(fs, departure, parent, entry.name, this.learner.out);
    fs.tree.move(node, parent, entry.name);
    fs.verified!.add(node);
    fs.placesChanged();
    this.placed(fs);
  }

  /** It is gone, and its name is another's: what is below it is gone as well, or elsewhere. */
  private vanish(fs: Filesystem, top: number): void {
    for (const node of fromBelow(fs, nodesWithin(fs, top))) {
      const entry = node === top ? null : this.learner.entryAt(fs, fs.tree.handleOf(node));
      if (entry === null) {
        tellVanished(fs, node, this.learner.out);
        fs.removeNode(node);
      } else this.makeWay(fs, node, entry);
    }
  }
}

function isManaged(fs: Filesystem, node: number): boolean {
  return fs.begins.anchors.has(node) || fs.begins.expectations.has(node);
}

export function stands(fs: Filesystem, node: number, parent: number, name: Uint8Array): boolean {
  return fs.tree.parentOf(node) === parent && fs.tree.nameIs(node, name, 0, name.length);
}

/** A directory and all below it. */
export function nodesWithin(fs: Filesystem, top: number): number[] {
  const { tree } = fs;
  if (tree.isLeaf(top)) return [top];
  const within: number[] = [];
  tree.forEach((node) => {
    if (isWithin(fs, node, top)) within.push(node);
  });
  return within;
}

function isWithin(fs: Filesystem, node: number, top: number): boolean {
  let at = node;
  // Never further than there are directories: merged renames can form a circle.
  for (let steps = fs.tree.size; at >= 0 && at !== top && steps > 0; steps--) at = fs.tree.parentOf(at);
  return at === top;
}
