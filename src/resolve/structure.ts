// Managed paths appear, vanish and are made again: this follows the entries that lead to them. By events
// alone where a component is created (so the very next operation in it is recorded), from the disk where
// something that already had contents was moved into place.
import type { Filesystem } from "./filesystems/filesystem.ts";
import { joinPath, sameBytes, type Watch } from "./watch.ts";

export interface StructureListener {
  /** The managed path is there (again) as a directory. */
  appeared(watch: Watch): void;
  /** The managed path, or a directory above it, is gone. */
  vanished(watch: Watch): void;
  /** Something that is no directory has the managed path's name from now on. */
  entryAppeared(watch: Watch): void;
  /** Directories above the managed path were moved into place: look at the disk after this batch. */
  needsAttach(watch: Watch): void;
}

/** Keeps what is to be looked for until the event that brought it about has been told: tree and place in the queue are right then. */
export class Deferred implements StructureListener {
  private readonly waiting = new Set<Watch>();

  constructor(private readonly listener: StructureListener) {}

  appeared(watch: Watch): void {
    this.listener.appeared(watch);
  }

  vanished(watch: Watch): void {
    this.listener.vanished(watch);
  }

  entryAppeared(watch: Watch): void {
    this.listener.entryAppeared(watch);
  }

  needsAttach(watch: Watch): void {
    this.waiting.add(watch);
  }

  /** Hot. */
  get isEmpty(): boolean {
    return this.waiting.size === 0;
  }

  attach(): void {
    for (const watch of this.waiting) this.listener.needsAttach(watch);
    this.waiting.clear();
  }
}

/**
 * A directory entry of `node` is gone: what was known of managed paths at and below it with it. Other
 * filesystems are the caller's.
 */
export function entryGone(
  fs: Filesystem,
  node: number,
  bytes: Uint8Array,
  nameAt: number,
  nameBytes: number,
  listener: StructureListener,
): void {
  for (const one of fs.begins.expectations.get(node) ?? []) {
    if (!sameBytes(one.name, bytes, nameAt, nameBytes)) continue;
    fs.drop(one.watch, one.path.length);
    listener.vanished(one.watch);
  }
}

/**
 * A directory appeared as an entry of `node`.
 *
 * @param withContents it was moved here, or is a snapshot, so what lies in it is not told by events
 */
export function directoryAppeared(
  fs: Filesystem,
  node: number,
  bytes: Uint8Array,
  nameAt: number,
  nameBytes: number,
  child: number,
  withContents: boolean,
  listener: StructureListener,
): void {
  for (const one of fs.begins.expectations.get(node) ?? []) {
    if (!sameBytes(one.name, bytes, nameAt, nameBytes)) continue;
    const path = joinPath(one.path, one.name);
    // Where each directory has to be marked, what was made in it meanwhile sent no event.
    const asksDisk = withContents || fs.inodeMarks !== null;
    if (one.last) {
      fs.addAnchor(child, { watch: one.watch, path, depth: 0 });
      if (asksDisk) fs.scanFrom(child, one.watch);
      listener.appeared(one.watch);
    } else if (asksDisk) {
      listener.needsAttach(one.watch);
    } else {
      const components = Buffer.from(one.watch.path).subarray(path.length + 1);
      const slash = components.indexOf(0x2f);
      const name = Uint8Array.from(slash < 0 ? components : components.subarray(0, slash));
      fs.addExpectation(child, { watch: one.watch, name, path, last: slash < 0 });
    }
  }
}

/** An entry of `node` was exchanged for another one. */
export function entryExchanged(
  fs: Filesystem,
  node: number,
  bytes: Uint8Array,
  nameAt: number,
  nameBytes: number,
  listener: StructureListener,
): void {
  for (const one of fs.begins.expectations.get(node) ?? []) {
    if (!sameBytes(one.name, bytes, nameAt, nameBytes)) continue;
    // What leaves isn't followed until it comes back.
    fs.forgetScan(one.watch);
    listener.needsAttach(one.watch);
  }
}

/** Something else than a directory appeared as an entry of `node`. */
export function fileAppeared(
  fs: Filesystem,
  node: number,
  bytes: Uint8Array,
  nameAt: number,
  nameBytes: number,
  listener: StructureListener,
): void {
  for (const one of fs.begins.expectations.get(node) ?? [])
    if (one.last && sameBytes(one.name, bytes, nameAt, nameBytes)) listener.entryAppeared(one.watch);
}

/** True when an entry of that name leads to a managed path. */
export function isExpected(
  fs: Filesystem,
  node: number,
  bytes: Uint8Array,
  nameAt: number,
  nameBytes: number,
): boolean {
  const here = fs.begins.expectations.get(node);
  if (here === undefined) return false;
  for (const one of here) if (sameBytes(one.name, bytes, nameAt, nameBytes)) return true;
  return false;
}
