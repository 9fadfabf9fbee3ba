// A filesystem with a few directories and managed paths, made by hand.
import type { FanotifyGroup } from "../../src/kernel/fanotify.ts";
import { Filesystem } from "../../src/resolve/filesystems/filesystem.ts";
import { NOWHERE } from "../../src/resolve/filesystems/tree.ts";
import type { StructureListener } from "../../src/resolve/structure.ts";
import type { Place, Watch } from "../../src/resolve/watch.ts";
import { FSID, inode } from "../decode/fan-bytes.ts";

/** For filesystems whose marks nobody touches. */
export const NO_GROUP = null as unknown as FanotifyGroup;

let watches = 0;

export function watch(
  path: string,
  options: { recursive?: boolean; excludes?: readonly string[] } = {},
): Watch {
  const { recursive = true, excludes = [] } = options;
  return {
    id: watches++,
    path,
    recursive,
    hasExcludes: excludes.length > 0,
    excludesDirectory: (directory) =>
      excludes.some((one) => directory === one || directory.startsWith(`${one}/`)),
  };
}

/** Directories of a new filesystem by path; "" is its root, inode 2, and the others count on from there. */
export function filesystemWith(paths: readonly string[]): { fs: Filesystem; node: (path: string) => number } {
  const fs = new Filesystem(0, FSID.low | 0, FSID.high | 0, "ext4", "8:1", NO_GROUP);
  const nodes = new Map([["", fs.tree.put(inode(2), 0, NOWHERE, Buffer.alloc(0))]]);
  const node = (path: string): number => {
    const found = nodes.get(path);
    if (found === undefined) throw new Error(`${path} was not made`);
    return found;
  };
  for (const [i, path] of paths.entries()) {
    const slash = path.lastIndexOf("/");
    nodes.set(
      path,
      fs.tree.put(inode(3 + i), 0, node(path.slice(0, slash)), Buffer.from(path.slice(slash + 1))),
    );
  }
  return { fs, node };
}

export function anchor(fs: Filesystem, node: number, one: Watch, path = one.path, depth = 0): void {
  fs.addAnchor(node, { watch: one, path: pathBytes(path), depth });
}

export function expectation(fs: Filesystem, node: number, one: Watch, directory: string, name: string): void {
  const last = `${directory}/${name}` === one.path;
  fs.addExpectation(node, { watch: one, name: Buffer.from(name), path: pathBytes(directory), last });
}

/** As places keep them: the root is empty. */
export function pathBytes(path: string): Uint8Array {
  return Buffer.from(path === "/" ? "" : path);
}

/** A place in words: managed path, its own path, depth, and the one name that is managed, if it is one. */
export function shown(places: readonly Place[]): string[] {
  return places.map((place) => {
    const only = place.onlyName === null ? "" : ` only ${Buffer.from(place.onlyName)}`;
    return `${place.watch.path}: ${Buffer.from(place.path)} ${place.depth}${only}`;
  });
}

/** Notes what it is told. */
export class Told implements StructureListener {
  readonly words: string[] = [];
  appeared(one: Watch): void {
    this.words.push(`appeared ${one.path}`);
  }
  vanished(one: Watch): void {
    this.words.push(`vanished ${one.path}`);
  }
  entryAppeared(one: Watch): void {
    this.words.push(`entry ${one.path}`);
  }
  isThere(): boolean {
    return false;
  }
  directoryRenamed(): readonly Watch[] {
    return [];
  }
  needsAttach(one: Watch): void {
    this.words.push(`attach ${one.path}`);
  }
}
