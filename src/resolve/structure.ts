// Managed paths appear, vanish and are made again: this follows the entries that lead to them. By events
// alone where a component is created (so the very next operation in it is recorded), from the disk where
// something that already had contents was moved into place.
import { type Arrival, pathBytesOf, type Ride, tellCarried } from "./carried.ts";
import type { Filesystem } from "./filesystems/filesystem.ts";
import type { Occurrences } from "./occurrence.ts";
import { joinPath, sameBytes, type Watch } from "./watch.ts";

export interface StructureListener {
  /** The managed path is there (again) as a directory. */
  appeared(watch: Watch): void;
  /** The managed path, or a directory above it, is gone. */
  vanished(watch: Watch): void;
  /** Something that is no directory has the managed path's name from now on. */
  entryAppeared(watch: Watch): void;
  /** Whether the managed path is there, by all that was told up to now. */
  isThere(watch: Watch): boolean;
  /**
   * A directory was renamed, or exchanged for something else.
   *
   * @returns managed paths into which it brought something that is mounted
   */
  directoryRenamed(from: Uint8Array, to: Uint8Array, exchange: boolean): readonly Watch[];
  /**
   * Directories above the managed path were moved into place: it is to be looked for.
   *
   * @param arrival how it came, if it turns out to be there; null where that is not to be told
   */
  needsAttach(watch: Watch, arrival: Arrival | null): void;
}

/** Keeps what is to be looked for until the event that brought it about has been told: tree and place in the queue are right then. */
export class Deferred implements StructureListener {
  private readonly waiting = new Map<Watch, Arrival | null>();

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

  isThere(watch: Watch): boolean {
    return this.listener.isThere(watch);
  }

  directoryRenamed(from: Uint8Array, to: Uint8Array, exchange: boolean): readonly Watch[] {
    const reached = this.listener.directoryRenamed(from, to, exchange);
    for (const watch of reached) if (!this.waiting.has(watch)) this.waiting.set(watch, null);
    return reached;
  }

  needsAttach(watch: Watch, arrival: Arrival | null): void {
    this.waiting.set(watch, arrival);
  }

  /** Hot. */
  get isEmpty(): boolean {
    return this.waiting.size === 0;
  }

  attach(out: Occurrences): void {
    for (const [watch, arrival] of this.waiting) {
      this.listener.needsAttach(watch, arrival);
      if (arrival === null || !this.listener.isThere(watch)) continue;
      tellCarried(arrival.fs, watch, arrival.pathBytes, arrival.ride, out);
    }
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
    fs.dropBelow(one.watch, one.path.length);
    listener.vanished(one.watch);
  }
}

/**
 * A directory appeared as an entry of `node`.
 *
 * @param withContents it was moved here, or is a snapshot, so what lies in it is not told by events
 * @param ride how a managed path came that it brought along; null where that is not to be told
 */
export function directoryAppeared(
  fs: Filesystem,
  node: number,
  bytes: Uint8Array,
  nameAt: number,
  nameBytes: number,
  child: number,
  withContents: boolean,
  ride: Ride | null,
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
      listener.needsAttach(one.watch, ride === null ? null : { fs, pathBytes: path.length, ride });
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
  ride: Ride | null,
  listener: StructureListener,
): void {
  for (const one of fs.begins.expectations.get(node) ?? []) {
    if (!sameBytes(one.name, bytes, nameAt, nameBytes)) continue;
    // What leaves isn't followed until it comes back.
    fs.forgetScan(one.watch);
    const arrival = one.last || ride === null ? null : { fs, pathBytes: pathBytesOf(one), ride };
    listener.needsAttach(one.watch, arrival);
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
  return watchesExpecting(fs, node, bytes, nameAt, nameBytes).length > 0;
}

/** The managed paths to which an entry of that name leads. */
export function watchesExpecting(
  fs: Filesystem,
  node: number,
  bytes: Uint8Array,
  nameAt: number,
  nameBytes: number,
): readonly Watch[] {
  const here = fs.begins.expectations.get(node);
  if (here === undefined) return NO_WATCHES;
  return here.filter((one) => sameBytes(one.name, bytes, nameAt, nameBytes)).map(({ watch }) => watch);
}

const NO_WATCHES: readonly Watch[] = [];
