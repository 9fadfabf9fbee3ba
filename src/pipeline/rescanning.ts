// After a loss: reads directories again, and hands on what came, went or changed in the time that nobody saw. Which
// managed paths, and how much of them; the reading itself is the scanners'.
import type { GapReason } from "../event.ts";
import { FAN_CREATE, FAN_DELETE } from "../kernel/abi.ts";
import { handleOf, type ObjectTimes, timesOf } from "../kernel/handles.ts";
import type { Filesystem } from "../resolve/filesystems/filesystem.ts";
import type { Filesystems } from "../resolve/filesystems/filesystems.ts";
import {
  directoryTypes,
  fileTypes,
  Rescan,
  tellItself,
  tellVanished,
} from "../resolve/filesystems/rescan.ts";
import { beginVerification, endVerification } from "../resolve/filesystems/scanner.ts";
import { Occurrences } from "../resolve/occurrence.ts";
import { pathText } from "../resolve/watch.ts";
import type { WatchedPath } from "./watched-path.ts";

/** Something that managed paths lost. */
export interface Loss {
  reason: GapReason;
  fromMs: number;
  toMs: number;
}

/** Where a managed path, or a mount below it, begins. */
interface Beginning {
  fs: Filesystem;
  node: number;
  path: string;
  depth: number;
}

export class Rescanning {
  readonly found = new Occurrences();

  constructor(
    private readonly filesystems: Filesystems,
    private readonly byId: (id: number) => WatchedPath | undefined,
    /** Takes what waits in `found`. */
    private readonly tell: () => void,
  ) {}

  /** A managed path was not watched for a while, and what was known of it before is gone. */
  begin(watched: WatchedPath, { reason, fromMs, toMs }: Loss): void {
    const rescan = new Rescan(reason, fromMs, toMs);
    for (const { fs, node } of this.beginningsOf(watched)) this.readAgain(fs, node, watched, rescan);
    this.tellItself(watched, rescan, "unknown");
  }

  /** Events were lost: every tree is compared with the disk. */
  beginAll(
    paths: Iterable<WatchedPath>,
    { reason, fromMs, toMs }: Loss,
    reattach: (one: WatchedPath) => void,
  ): void {
    const whole = new Set(
      [...this.filesystems.all()].filter((fs) => fs.unscanned.length === 0 && !fs.settling),
    );
    for (const watched of paths) {
      const rescan = new Rescan(reason, fromMs, toMs);
      for (const { fs } of this.beginningsOf(watched)) join(fs, watched, rescan);
      // Nothing of it can be asked now; its events come, and it is read when its server answers.
      if (this.isSilent(watched)) continue;
      const before = this.rootOf(watched);
      const stays = before !== null && isStillThere(watched.path, before);
      if (before !== null && !stays) this.tellTreeVanished(watched, before, rescan);
      const wasFile = before === null && watched.state === "watched";
      reattach(watched);
      for (const { fs } of this.beginningsOf(watched)) join(fs, watched, rescan);
      const there = this.tellItself(watched, rescan, stays ? "here" : "unknown, and all others were known");
      if (wasFile && !there) tellItself(null, watched, FAN_DELETE, rescan, false, this.found);
      if (this.found.count > 0) this.tell();
    }
    for (const fs of this.filesystems.all()) beginVerification(fs, whole.has(fs));
  }

  /**
   * Reads what a managed path begins at now and didn't before.
   *
   * @param lossOf what was lost of the filesystem that a path leads to
   * @returns whether there was something
   */
  beginNew(watched: WatchedPath, before: ReadonlySet<string>, lossOf: (path: string) => Loss): boolean {
    const isNew = (one: Beginning) => !before.has(keyOf(one));
    const all = this.beginningsOf(watched).filter(isNew);
    for (const { fs, node, path } of all) {
      const { reason, fromMs, toMs } = lossOf(path);
      this.readAgain(fs, node, watched, new Rescan(reason, fromMs, toMs));
    }
    return all.length > 0;
  }

  /** A managed path came back with a filesystem. A single file begins nowhere, and its directory isn't read. */
  beginFile(watched: WatchedPath, { reason, fromMs, toMs }: Loss): void {
    if (this.rootOf(watched) === null) this.tellItself(watched, new Rescan(reason, fromMs, toMs), "unknown");
  }

  /** For beginNew(). */
  beginningKeys(watched: WatchedPath): Set<string> {
    return new Set(this.beginningsOf(watched).map(keyOf));
  }

  /** True while something is to be finished. */
  get isUnderWay(): boolean {
    for (const fs of this.filesystems.all()) {
      if (fs.unscanned.length > 0) continue;
      if (fs.verified !== null || fs.rescans.size > 0 || fs.inodeMarks?.hasLost === true) return true;
    }
    return false;
  }

  /**
   * The queues were read to their end: what the scans up to now didn't meet isn't there.
   *
   * @param sinceMs when that was so for the last time
   */
  caughtUp(sinceMs: number, timeMs: number): void {
    for (const fs of this.filesystems.all()) {
      if (fs.unscanned.length > 0) continue;
      if (fs.verified !== null) endVerification(fs, this.found, this.tell);
      for (const [{ id }, rescan] of fs.rescans) this.tellCut(this.byId(id), rescan, timeMs);
      fs.rescans.clear();
      fs.rescanned.clear();
      for (const [{ id }, what] of fs.inodeMarks?.takeLost() ?? [])
        this.tellLost(this.byId(id), what, sinceMs, timeMs);
    }
  }

  /** It found more than there was room for. */
  private tellCut(watched: WatchedPath | undefined, rescan: Rescan, timeMs: number): void {
    const untold = rescan.takeUntold();
    if (watched === undefined || untold === 0) return;
    const { reason, gapFromMs: fromMs, toMs } = rescan;
    watched.log.gap({ reason, fromMs, toMs, lost: null, untold }, timeMs);
  }

  /** Directories can't be marked or read, where each has to be. */
  private tellLost(watched: WatchedPath | undefined, what: string, fromMs: number, timeMs: number): void {
    if (watched === undefined) return;
    watched.log.gap({ reason: "internal", fromMs, toMs: timeMs, lost: null }, timeMs);
    watched.notes = [...watched.notes, what];
  }

  forget(watched: WatchedPath): void {
    for (const fs of this.filesystems.all()) fs.rescans.delete(watched);
  }

  private readAgain(fs: Filesystem, node: number, watched: WatchedPath, rescan: Rescan): void {
    join(fs, watched, rescan);
    fs.unscanned.push(node);
  }

  private isSilent({ path }: WatchedPath): boolean {
    return this.filesystems.servers.silentOn(this.filesystems.mounts, path) !== null;
  }

  private beginningsOf(watched: WatchedPath): Beginning[] {
    const all: Beginning[] = [];
    for (const fs of this.filesystems.all()) {
      for (const node of fs.begins.anchorsOf(watched)) {
        const anchor = fs.begins.anchors.get(node)?.find(({ watch }) => watch === watched);
        if (anchor !== undefined) all.push({ fs, node, path: pathText(anchor.path), depth: anchor.depth });
      }
    }
    return all;
  }

  private rootOf(watched: WatchedPath): Beginning | null {
    return this.beginningsOf(watched).find((one) => one.depth === 0) ?? null;
  }

  /** The managed path itself, by its times. Returns whether it is there. */
  private tellItself(
    watched: WatchedPath,
    rescan: Rescan,
    known: "here" | "unknown" | "unknown, and all others were known",
  ): boolean {
    const times: ObjectTimes | null =
      watched.state === "impossible" || this.isSilent(watched) ? null : timesOf(watched.path);
    if (times === null) return false;
    const isNew = known === "unknown, and all others were known";
    let mask = 0;
    if (!times.directory) mask = fileTypes(times, rescan);
    else if (watched.path !== "/") mask = directoryTypes(times, rescan, known);
    // Another directory than before stands there, however old it is.
    if (isNew && times.directory && mask === 0) mask = FAN_CREATE;
    tellItself(this.rootOf(watched)?.fs ?? null, watched, mask, rescan, times.directory, this.found);
    return true;
  }

  private tellTreeVanished(watched: WatchedPath, { fs, node: root }: Beginning, rescan: Rescan): void {
    const gone: { node: number; depth: number }[] = [];
    fs.tree.forEach((node) => {
      if (node === root) return;
      const place = fs.placesOf(node).find((one) => one.watch === watched && one.onlyName === null);
      if (place !== undefined) gone.push({ node, depth: place.depth });
    });
    for (const { node } of gone.sort((a, b) => b.depth - a.depth)) {
      if (rescan.isFull) rescan.take(1);
      else tellVanished(fs, node, this.found, watched);
      if (this.found.count >= 1024) this.tell();
    }
    tellItself(fs, watched, FAN_DELETE, rescan, true, this.found);
  }
}

function join(fs: Filesystem, watched: WatchedPath, rescan: Rescan): void {
  if (fs.rescans.get(watched) === rescan) return;
  fs.rescans.set(watched, Rescan.joined(fs.rescans.get(watched), rescan));
  // What is being read was asked for another time, or for fewer paths.
  fs.rescanned.clear();
  fs.partlyScanned.clear();
}

function keyOf({ fs, node }: Beginning): string {
  return `${fs.id}:${node}`;
}

function isStillThere(path: string, { fs, node }: Beginning): boolean {
  const handle = handleOf(path);
  return typeof handle !== "number" && Buffer.compare(handle, fs.tree.handleOf(node)) === 0;
}
