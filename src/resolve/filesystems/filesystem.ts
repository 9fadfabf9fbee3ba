// One watched filesystem: its directory tree, where managed paths begin in it, and the places of its
// directories. What is out of scope must cost next to nothing: an unknown handle is outside for certain,
// unless part of the tree is still unscanned.

import type { FanotifyGroup, MarkKind } from "../../kernel/fanotify.ts";
import type { Probe } from "../../kernel/probe.ts";
import { type Anchor, type Expectation, NO_PLACES, type Place, type Watch } from "../watch.ts";
import { Beginnings } from "./beginnings.ts";
import { bytesKey, bytesOfKey } from "./handle-key.ts";
import type { InodeMarks } from "./inode-marks.ts";
import type { Mount } from "./mounts.ts";
import { NodeSet } from "./node-set.ts";
import type { Rescan } from "./rescan.ts";
import { isSubvolume } from "./subvolume.ts";
import { Sweep } from "./sweep.ts";
import { DirectoryTree, NOT_FOUND, NOWHERE } from "./tree.ts";
import { Verified } from "./verified.ts";

/** Directories whose places are kept ready, and the bytes of their paths: 4 MB of both in the worst case. */
const CACHED_PLACES_MAX = 8192;
const CACHED_PATH_BYTES_MAX = 4 << 20;
const OUTSIDE_MAX = 4096;

export class Filesystem {
  tree = new DirectoryTree();
  /** Where managed paths begin, and are expected. */
  readonly begins = new Beginnings();
  /**
   * Directories whose subdirectories aren't known yet, last in first out. While there are any, an unknown
   * handle may be in scope.
   */
  readonly unscanned: number[] = [];
  /** The scan is done, but events from before its end may still be queued. */
  settling = false;
  /** Nodes that the tree has where the disk has them now: what is queued already may have brought them there (learn.ts). */
  readonly fresh = new Set<number>();
  /** Nodes whose subdirectories aren't known, and that no scan is on its way to. */
  readonly unread = new Set<number>();
  /** Directories (by handle) that were looked for and found to lie outside, as long as nothing moves. */
  readonly outside = new Set<string>();
  /** While directories are compared with the disk after a loss: the nodes found again. */
  verified: Verified | null = null;
  /** Every directory in scope was known when the loss happened: one that isn't is new. */
  wasWhole = false;
  /** Managed paths that lost something, until all directories were read again. */
  readonly rescans = new Map<Watch, Rescan>();
  /** Directories that were read for these. */
  readonly rescanned = new NodeSet();
  /** Directories of which a part was read, and where to go on. */
  readonly partlyScanned = new Map<number, Uint32Array>();
  /** Events the kernel's marks ask for now; 0 while unmarked. */
  markedMask = 0;
  /** Set where directories have to be marked one by one. */
  inodeMarks: InodeMarks | null = null;
  /** Set where a server stands behind it, which may hang. */
  probe: Probe | null = null;
  /** Where it is mounted and can be reached: the mount that shows most first. */
  mounts: readonly Mount[] = [];
  /** Directories (by handle) that another mount hides, and that mount: what is in them has no path. */
  covered: ReadonlyMap<string, Mount> = new Map();
  /** For which managed paths each directory was scanned. */
  private readonly scannedFor = new Map<number, Set<Watch>>();
  readonly sweep = new Sweep(this);
  private readonly placeCache = new Map<number, readonly Place[]>();
  private cachedPathBytes = 0;
  private readonly way: number[] = [];

  /**
   * @param id small number, unique among the filesystems of this daemon
   * @param fsidLow with fsidHigh what its events carry when they were read
   * @param group holds its marks; its own where `shared` is false
   */
  constructor(
    readonly id: number,
    readonly fsidLow: number,
    readonly fsidHigh: number,
    readonly type: string,
    /** "8:1", as mountinfo has it. */
    readonly device: string,
    readonly group: FanotifyGroup,
    readonly kind: MarkKind = "filesystem",
    readonly shared = true,
  ) {}

  /**
   * Hot. The places of a directory: none when no managed path covers it. The same array as long as nothing
   * above it moves.
   */
  placesOf(node: number): readonly Place[] {
    const cached = this.placeCache.get(node);
    if (cached !== undefined) return cached;
    // A number on some list may be a removed directory's: an answer kept for it would become the next one's.
    if (!this.tree.has(node)) return NO_PLACES;
    const places = this.findPlaces(node);
    for (const place of places) this.cachedPathBytes += place.path.length;
    if (this.placeCache.size >= CACHED_PLACES_MAX || this.cachedPathBytes > CACHED_PATH_BYTES_MAX)
      this.dropPlaces();
    this.placeCache.set(node, places);
    return places;
  }

  /** Hot. A directory that isn't known may be in scope all the same. */
  get isIncomplete(): boolean {
    return this.unscanned.length > 0 || this.settling;
  }

  /** A directory moved, or a managed path came or went. */
  placesChanged(): void {
    this.dropPlaces();
    this.outside.clear();
  }

  private dropPlaces(): void {
    this.placeCache.clear();
    this.cachedPathBytes = 0;
  }

  /** Remembers, until a directory moves, that this one lies outside every managed path. */
  noteOutside(key: string): void {
    if (this.outside.size >= OUTSIDE_MAX) this.outside.clear();
    this.outside.add(key);
  }

  forgetPlaces(node: number): void {
    this.placeCache.delete(node);
  }

  addAnchor(node: number, anchor: Anchor): void {
    this.begins.addAnchor(node, anchor);
    this.placesChanged();
  }

  addExpectation(node: number, expectation: Expectation): void {
    this.begins.addExpectation(node, expectation);
    this.placesChanged();
  }

  /** Removes all that some managed paths have here. */
  dropAll(watches: ReadonlySet<Watch>): void {
    this.begins.dropAll(watches);
    this.placesChanged();
  }

  /** An entry above a managed path is gone, and what the path has deeper than that entry's directory, a path of so many bytes. */
  dropBelow(watch: Watch, deeperThanBytes: number): void {
    this.begins.dropBelow(watch, deeperThanBytes);
    // What comes in its place was never scanned, and may get the same number.
    this.forgetScan(watch);
    this.placesChanged();
  }

  /** Puts what lies below a managed path's beginning on the list for the scan, unless that was done for it before. */
  scanFrom(node: number, watch: Watch): void {
    const done = this.scannedFor.get(node) ?? new Set();
    if (done.has(watch)) return;
    this.scannedFor.set(node, done.add(watch));
    this.unscanned.push(node);
  }

  /** The watch has other filters now, or is gone: what was scanned for it doesn't count any more. */
  forgetScan(watch: Watch): void {
    for (const [node, done] of this.scannedFor) {
      if (done.delete(watch) && done.size === 0) this.scannedFor.delete(node);
    }
  }

  /** The directory is gone. */
  forgetNode(node: number): void {
    // A deleted subvolume takes with it what is in it, which no event tells.
    if (this.type === "btrfs" && this.tree.has(node) && isSubvolume(this, this.tree.handleOf(node), 0))
      this.sweep.begin();
    this.removeNode(node);
  }

  removeNode(node: number): void {
    this.begins.forget(node);
    this.fresh.delete(node);
    this.unread.delete(node);
    this.inodeMarks?.remove(node);
    this.partlyScanned.delete(node);
    this.scannedFor.delete(node);
    this.tree.remove(node);
    this.forgetPlaces(node);
  }

  /** It was mounted before, and this was known of it: whatever the first scan doesn't find any more has vanished. */
  compareWith(tree: DirectoryTree): void {
    this.tree = tree;
    this.verified = new Verified(tree);
    this.wasWhole = true;
  }

  /** False while the server behind it is silent: nothing may be asked of it by a path then. */
  get answers(): boolean {
    const { probe } = this;
    return probe === null || this.mounts.some((mount) => probe.answers(mount.mountPoint));
  }

  /** The directory was renamed to where nothing is known. */
  moveAway(node: number): void {
    this.tree.move(node, NOWHERE, Uint8Array.from(this.tree.nameOf(node)));
    this.placesChanged();
  }

  /** A known directory stands there. Where the tree has it elsewhere, either its renaming is still queued (learn.ts), or the disk is right. */
  standsAt(node: number, parent: number, name: Uint8Array): void {
    if (this.tree.parentOf(node) === parent && this.tree.nameIs(node, name, 0, name.length)) return;
    this.fresh.add(node);
    this.tree.move(node, parent, name);
    this.placesChanged();
  }

  /** Which directories other mounts hide now. Those that appear again are read. */
  cover(covered: ReadonlyMap<string, Mount>): void {
    const before = this.covered;
    this.covered = covered;
    if (before.size === 0 && covered.size === 0) return;
    this.placesChanged();
    for (const key of before.keys()) {
      const node = covered.has(key) ? NOT_FOUND : this.tree.find(bytesOfKey(key), 0);
      if (node !== NOT_FOUND) this.unscanned.push(node);
    }
  }

  /** True when new subdirectories of this directory have to be known: something of theirs can be in scope. */
  followsChildren(places: readonly Place[]): boolean {
    for (const place of places) {
      if (place.onlyName === null && (place.watch.recursive || place.depth === 0)) return true;
    }
    return false;
  }

  /**
   * Hot. What a scan has to know of a directory: nothing, its subdirectories, or all that lies below them. Without making its
   * places, as long as no path is needed to tell: a million directories are scanned before anything happens in them.
   */
  scanDepth(node: number): "nothing" | "children" | "all" {
    if (!this.tree.has(node)) return "nothing";
    if (this.begins.hasExcludes || this.covered.size > 0) {
      const places = this.placesOf(node);
      if (!this.followsChildren(places)) return "nothing";
      return places.some((place) => place.watch.recursive) ? "all" : "children";
    }
    let depth: "nothing" | "children" | "all" = "nothing";
    // Never further than there are directories, as in findPlaces().
    for (
      let at = node, steps = this.tree.size + 1;
      at >= 0 && steps > 0;
      at = this.tree.parentOf(at), steps--
    ) {
      const here = this.begins.anchors.get(at);
      if (here === undefined) continue;
      for (const { watch, depth: anchorDepth } of here) {
        if (watch.recursive) return "all";
        if (at === node && anchorDepth === 0) depth = "children";
      }
    }
    return depth;
  }

  findPlaces(node: number): readonly Place[] {
    const places: Place[] = [];
    // Of the directories on the way up: their names are copied once the path's length is known. A tree may be thousands of levels deep.
    const way = this.way;
    way.length = 0;
    // A merged rename can leave two directories each below the other until the disk was asked: never walk
    // further than there are directories.
    for (
      let at = node, steps = this.tree.size + 1;
      at >= 0 && steps > 0;
      at = this.tree.parentOf(at), steps--
    ) {
      if (this.covered.size > 0 && this.covered.has(bytesKey(this.tree.handleOf(at)))) break;
      const known = at === node ? undefined : this.placeCache.get(at);
      if (known !== undefined) {
        for (const place of known) if (place.onlyName === null) this.addPlace(places, place);
        break;
      }
      for (const anchor of this.begins.anchors.get(at) ?? []) this.addPlace(places, anchor);
      way.push(at);
    }
    for (const { watch, name, path, last } of this.begins.expectations.get(node) ?? []) {
      if (last) places.push({ watch, path, depth: -1, onlyName: name, cached: null });
    }
    return places.length === 0 ? NO_PLACES : places;
  }

  private addPlace(places: Place[], above: Anchor): void {
    const { watch } = above;
    const { way, tree } = this;
    const depth = above.depth + way.length;
    // One level below a non-recursive path: the subdirectory's own events (ATTRIB …) are still those of a
    // direct child.
    if (!watch.recursive && depth > 1) return;
    let path = above.path;
    if (way.length > 0) {
      let bytes = path.length;
      for (const node of way) bytes += tree.nameBytesOf(node) + 1;
      const whole = new Uint8Array(bytes);
      whole.set(path);
      let at = path.length;
      for (let i = way.length - 1; i >= 0; i--) {
        whole[at++] = 0x2f;
        at = tree.copyName(way[i]!, whole, at);
      }
      path = whole;
      if (
        watch.hasExcludes &&
        watch.excludesDirectory(Buffer.from(path.buffer, path.byteOffset, path.length).toString())
      )
        return;
    }
    places.push({ watch, path, depth, onlyName: null, cached: null });
  }
}
