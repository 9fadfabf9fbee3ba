// A managed path → its place in the directory trees: the directory itself if it is there, else the entry of the deepest existing
// directory above it that would lead to it. As it was at the place of the queue up to which events are told, where the queue can
// say that; else as it is on the disk now.
import { lstatSync } from "node:fs";
import { join, relative } from "node:path";
import { isAtOrBelow } from "../../containment.ts";
import { handleOf } from "../../kernel/handles.ts";
import { markRefusal } from "../../kernel/mark-refusal.ts";
import { depthBelow, type Watch } from "../watch.ts";
import type { Filesystem } from "./filesystem.ts";
import type { Filesystems } from "./filesystems.ts";
import { type Mount, mountOf, prefixes } from "./mounts.ts";
import { NOT_FOUND, NOWHERE } from "./tree.ts";

export type Attachment =
  | { state: "watched" | "pending"; filesystem: Filesystem; reason: string | null; notes: string[] }
  | { state: "impossible"; reason: string; filesystemType: string };

/** The handle of the directory that an entry of another one was, at the place in the queue up to which events are told (learn.ts). */
export type ChildAt = (fs: Filesystem, parent: Uint8Array, name: Uint8Array) => Uint8Array | null;

/** Why a managed path isn't watched. */
export const SYMLINK_IN_PLACE = "a symlink stands in its place";
/** An event of a file tells the directory and the name that it was opened by, which a bind mount of a file doesn't change. */
const FILE_MOUNTED =
  "a file from elsewhere is mounted there, of which the kernel tells under the name that it has where it comes from: it isn't recorded";
/** How often a path that changes under our eyes is looked at again before it is taken as it is. */
const LOOKS_MAX = 5;

/**
 * Marks the filesystem first and looks at the directories second: what happens in between is in the queue by
 * then. Whatever the watch had before must have been dropped.
 */
export function attach(filesystems: Filesystems, watch: Watch, childAt: ChildAt): Attachment {
  for (let look = 1; ; look++) {
    const silent = filesystems.servers.silentOn(filesystems.mounts, watch.path);
    if (silent !== null) {
      return { state: "impossible", reason: silenceOf(silent), filesystemType: silent.type };
    }
    const over = mountOf(filesystems.mounts, watch.path);
    if (over?.mountPoint === watch.path && isForeignFile(filesystems.mounts, over)) {
      return { state: "impossible", reason: FILE_MOUNTED, filesystemType: over.type };
    }
    const deepest = deepestDirectory(watch.path);
    const fs = filesystems.open(deepest);
    if (typeof fs === "string") {
      return {
        state: "impossible",
        reason: fs,
        filesystemType: mountOf(filesystems.mounts, deepest)?.type ?? "unknown",
      };
    }
    const reached = attachChain(filesystems, fs, watch, deepest, childAt);
    // A component that appeared or went between the look and the mark sent no event.
    if (fs.inodeMarks !== null && deepestDirectory(watch.path) !== deepest && look < LOOKS_MAX) {
      fs.dropAll(new Set([watch]));
      continue;
    }
    if (typeof reached === "string") return { state: "impossible", reason: reached, filesystemType: fs.type };
    if (reached) {
      return {
        state: "watched",
        filesystem: fs,
        reason: null,
        notes: [
          ...limitsOf(fs),
          ...(watch.recursive ? attachMountsBelow(filesystems, watch) : []),
          ...foreignFiles(filesystems, watch),
        ],
      };
    }
    return { ...stateOf(watch.path), filesystem: fs, notes: limitsOf(fs) };
  }
}

/** Of a managed path that is no directory, and why it is so. */
function stateOf(path: string): { state: "watched" | "pending"; reason: string | null } {
  const kind = kindOf(path);
  if (kind === "file") return { state: "watched", reason: null };
  const reason = kind === "symlink" ? SYMLINK_IN_PLACE : "it doesn't exist yet";
  return { state: "pending", reason };
}

/**
 * Anchors and expectations on the filesystem of `deepest`, from its mount point down.
 *
 * @returns whether the managed path itself is there, or why it can't be watched
 */
function attachChain(
  filesystems: Filesystems,
  fs: Filesystem,
  watch: Watch,
  deepest: string,
  childAt: ChildAt,
): boolean | string {
  const mountPoint = mountOf(filesystems.mounts, deepest)?.mountPoint ?? "/";
  let parent = NOWHERE;
  for (const path of prefixes(watch.path)) {
    if (!isAtOrBelow(path, mountPoint)) continue;
    const name = Buffer.from(path.slice(path.lastIndexOf("/") + 1));
    let handle: Uint8Array | number | null = null;
    if (path !== mountPoint && fs.inodeMarks === null) handle = childAt(fs, fs.tree.handleOf(parent), name);
    else if (isAtOrBelow(deepest, path)) handle = handleOf(path);
    if (handle === null) return false;
    if (typeof handle === "number") return `"${path}": ${markRefusal(fs.type, -handle)}`;
    const known = fs.tree.find(handle, 0);
    // The mount point's own name and parent belong to another filesystem (or, for a bind mount, to another
    // place of this one).
    const node = path === mountPoint && known !== NOT_FOUND ? known : fs.tree.put(handle, 0, parent, name);
    if (known === NOT_FOUND) tellBirth(fs, parent, name, node);
    parent = node;
    if (path === watch.path) {
      fs.addAnchor(node, { watch, path: pathBytes(path), depth: 0 });
      fs.scanFrom(node, watch);
    } else {
      const rest = watch.path.slice(path === "/" ? 1 : path.length + 1);
      const slash = rest.indexOf("/");
      const next = Buffer.from(slash < 0 ? rest : rest.slice(0, slash));
      fs.addExpectation(node, { watch, name: next, path: pathBytes(path), last: slash < 0 });
      if (slash < 0 && kindOf(watch.path) === "file")
        fs.inodeMarks?.found(node, next.toString("latin1"), false);
      fs.inodeMarks?.read(node);
    }
    const refused = fs.inodeMarks === null ? 0 : filesystems.markDirectory(fs, node);
    if (refused < 0) return `"${path}": ${markRefusal(fs.type, -refused)}`;
  }
  return true;
}

/** On the way to a managed path that is being made: a directory in one that was just made. */
function tellBirth(fs: Filesystem, parent: number, name: Buffer, node: number): void {
  if (fs.inodeMarks === null || !fs.inodeMarks.newborns.has(parent)) return;
  fs.inodeMarks.found(parent, name.toString("latin1"), true);
  fs.inodeMarks.born(node);
}

/** What a person has to know of how a filesystem is watched. */
function limitsOf(fs: Filesystem): string[] {
  if (fs.kind === "filesystem") return [];
  return [
    `${fs.type} lets only single directories be marked: DELETE_SELF, links' ATTRIB and FS_ERROR of its files aren't reported, and what is made in a new directory within its first moments is told as found (docs/limits.md)`,
  ];
}

/**
 * Filesystems mounted below a recursive path belong to it. Returns what can't be watched of them, in words.
 */
function attachMountsBelow(filesystems: Filesystems, watch: Watch): string[] {
  const notes: string[] = [];
  for (const mount of filesystems.mounts) {
    if (mount.mountPoint === watch.path || !isAtOrBelow(mount.mountPoint, watch.path)) continue;
    if (watch.excludesDirectory(mount.mountPoint)) continue;
    // Covered by a later mount on the same point, or unreachable: not what a path names.
    if (mountOf(filesystems.mounts, mount.mountPoint) !== mount) continue;
    const silent = filesystems.servers.silentOn(filesystems.mounts, mount.mountPoint);
    if (silent !== null) {
      notes.push(silenceOf(silent));
      continue;
    }
    try {
      if (!lstatSync(mount.mountPoint).isDirectory()) continue;
      const fs = filesystems.open(mount.mountPoint);
      if (typeof fs === "string") {
        notes.push(`${mount.mountPoint}: ${fs}`);
        continue;
      }
      const handle = handleOf(mount.mountPoint);
      if (typeof handle === "number") continue;
      const known = fs.tree.find(handle, 0);
      const node = known === NOT_FOUND ? fs.tree.put(handle, 0, NOWHERE, Buffer.alloc(0)) : known;
      // A bind mount of a directory that this managed path covers already: its events come under that path.
      if (fs.placesOf(node).some((place) => place.watch === watch && place.onlyName === null)) continue;
      const depth = depthBelow(watch.path, mount.mountPoint);
      fs.addAnchor(node, { watch, path: pathBytes(mount.mountPoint), depth });
      const refused = fs.inodeMarks === null ? 0 : filesystems.markDirectory(fs, node);
      if (refused < 0) {
        notes.push(`${mount.mountPoint}: ${markRefusal(fs.type, -refused)}`);
        continue;
      }
      fs.scanFrom(node, watch);
      for (const limit of limitsOf(fs)) notes.push(`${mount.mountPoint}: ${limit}`);
    } catch (error) {
      notes.push(`${mount.mountPoint}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return notes;
}

/** Files that are mounted where a managed path covers them, each with the reason why nothing is recorded of it. */
function foreignFiles({ mounts, servers }: Filesystems, watch: Watch): string[] {
  const covers = ({ mountPoint }: Mount) =>
    mountPoint !== watch.path &&
    isAtOrBelow(mountPoint, watch.path) &&
    (watch.recursive || depthBelow(watch.path, mountPoint) === 1) &&
    !watch.excludesDirectory(mountPoint);
  return mounts
    .filter(
      (mount) =>
        covers(mount) &&
        mountOf(mounts, mount.mountPoint) === mount &&
        servers.silentOn(mounts, mount.mountPoint) === null &&
        isForeignFile(mounts, mount),
    )
    .map(({ mountPoint }) => `${mountPoint}: ${FILE_MOUNTED}`);
}

/** Whether a mount shows a single file, and not the one that has its path anyway. */
function isForeignFile(mounts: readonly Mount[], mount: Mount): boolean {
  if (kindOf(mount.mountPoint) !== "file") return false;
  const below = mounts.find(({ id }) => id === mount.parentId);
  if (below?.device !== mount.device) return true;
  return join(below.root, relative(below.mountPoint, mount.mountPoint)) !== mount.root;
}

function silenceOf({ mountPoint, type }: Mount): string {
  return `the server of ${mountPoint} (${type}) doesn't answer; it is tried again`;
}

/**
 * The longest prefix all of whose components are real directories. Symlinks were resolved when the path was
 * added; one that stands there now isn't followed.
 */
function deepestDirectory(path: string): string {
  let deepest = "/";
  for (const prefix of prefixes(path)) {
    if (kindOf(prefix) !== "directory") break;
    deepest = prefix;
  }
  return deepest;
}

/** What the disk has under a path. */
export function kindOf(path: string): "directory" | "symlink" | "file" | "nothing" {
  try {
    const stat = lstatSync(path);
    return stat.isDirectory() ? "directory" : stat.isSymbolicLink() ? "symlink" : "file";
  } catch {
    return "nothing";
  }
}

/** As places keep them: the root is empty, so that path + "/" + name is right for it too. */
function pathBytes(path: string): Uint8Array {
  return path === "/" ? new Uint8Array(0) : Buffer.from(path);
}
