// A managed path as the resolver sees it, and the place of a directory seen from it.

/** One managed path. The pipeline knows the rest (filters, log) by its id. */
export interface Watch {
  readonly id: number;
  /** Absolute, no trailing slash; "/" for the root. */
  readonly path: string;
  readonly recursive: boolean;
  /** False when excludesDirectory() is never true, so that no path has to be made for it. */
  readonly hasExcludes: boolean;
  /**
   * True when an exclude pattern covers this directory: nothing in it is resolved then. Takes the path as
   * text.
   */
  excludesDirectory(path: string): boolean;
}

/**
 * A directory as one managed path sees it. Shared by all events of the directory, so whoever formats lines
 * may keep what it made of the path in `cached`; a rename above the directory makes new places.
 */
export interface Place {
  readonly watch: Watch;
  /** Absolute path of the directory, raw bytes, empty for "/": path + "/" + name is an entry's path. */
  readonly path: Uint8Array;
  /** 0 for the managed path itself, 1 for its direct subdirectories. */
  readonly depth: number;
  /** Set where only this one entry of the directory is managed: the directory above a managed path. */
  readonly onlyName: Uint8Array | null;
  cached: unknown;
}

export const NO_PLACES: readonly Place[] = [];

/** The node of a directory tree at which a managed path, or a mount below it, begins. */
export interface Anchor {
  readonly watch: Watch;
  readonly path: Uint8Array;
  readonly depth: number;
}

/** In a directory above a managed path: the entry that leads to it. */
export interface Expectation {
  readonly watch: Watch;
  readonly name: Uint8Array;
  /** The directory's own path. */
  readonly path: Uint8Array;
  /** True when the entry is the managed path itself. */
  readonly last: boolean;
}

/** The managed path itself, as if it were the one entry of its directory that is managed: no exclude pattern is asked for it. */
export function ownEntry(watch: Watch): Place & { onlyName: Uint8Array } {
  const slash = watch.path.lastIndexOf("/");
  const path = Buffer.from(watch.path.slice(0, slash));
  return { watch, path, depth: -1, onlyName: Buffer.from(watch.path.slice(slash + 1)), cached: null };
}

export function sameBytes(a: Uint8Array, b: Uint8Array, bAt: number, bBytes: number): boolean {
  if (a.length !== bBytes) return false;
  for (let i = 0; i < bBytes; i++) if (a[i] !== b[bAt + i]) return false;
  return true;
}

/** Levels from a managed path down to another one. */
export function depthBelow(managed: string, path: string): number {
  return path.slice(managed.length).split("/").length - (managed === "/" ? 0 : 1);
}

/** The path of a place as text. */
export function pathText(path: Uint8Array): string {
  return path.length === 0 ? "/" : Buffer.from(path).toString();
}

/** path + "/" + name; an empty path is the root's. */
export function joinPath(path: Uint8Array, name: Uint8Array): Uint8Array {
  const out = new Uint8Array(path.length + 1 + name.length);
  out.set(path);
  out[path.length] = 0x2f;
  out.set(name, path.length + 1);
  return out;
}
