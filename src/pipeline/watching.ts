// What is under watch: managed paths on the one side, filesystems with their marks and directory trees on the
// other, and how the two stay together while paths appear, vanish, are mounted over and unmounted.
import { isAtOrBelow } from "../containment.ts";
import type { ManagedPath } from "../event.ts";
import type { LogWriter } from "../log/writer.ts";
import { attach, type ChildAt, kindOf, SYMLINK_IN_PLACE } from "../resolve/filesystems/attach.ts";
import type { EventQueues } from "../resolve/filesystems/event-queues.ts";
import { countDirectories } from "../resolve/filesystems/extent.ts";
import type { Filesystem } from "../resolve/filesystems/filesystem.ts";
import { Filesystems } from "../resolve/filesystems/filesystems.ts";
import { InodeScanner } from "../resolve/filesystems/inode-scanner.ts";
import { leadsToMount, MountWatch } from "../resolve/filesystems/mounts.ts";
import { followRenaming, renamingOf } from "../resolve/filesystems/renamed-above.ts";
import { TreeScanner } from "../resolve/filesystems/scanner.ts";
import type { Learner } from "../resolve/learn.ts";
import type { StructureListener } from "../resolve/structure.ts";
import { pathText, type Watch } from "../resolve/watch.ts";
import { type Loss, Rescanning } from "./rescanning.ts";
import { WatchedPath } from "./watched-path.ts";

/** Of work on the trees, between two looks at the events. */
const SCAN_SLICE_MS = 3;
/** Directories that were read in one go from which on there is garbage worth a collection, which takes some 5 ms. */
const GARBAGE_DIRECTORIES = 20_000;

export class Watching implements StructureListener {
  readonly paths = new Map<string, WatchedPath>();
  readonly filesystems: Filesystems;
  readonly mounts = new MountWatch();
  readonly rescanning: Rescanning;
  private readonly byId = new Map<number, WatchedPath>();
  private readonly scanner = new TreeScanner();
  private readonly inodeScanner: InodeScanner;
  private readonly toAttach = new Set<WatchedPath>();
  private nextId = 0;
  /** Directories that were known when the scan that is under way began; null without one. */
  private knownBefore: number | null = null;

  constructor(
    queues: EventQueues,
    tellFound: () => void,
    private readonly childAt: ChildAt,
  ) {
    const wantedMask = (watch: Watch) => this.byId.get(watch.id)?.filter.askedMask ?? 0;
    this.filesystems = new Filesystems(queues, this.mounts, wantedMask);
    this.inodeScanner = new InodeScanner(this.filesystems);
    this.rescanning = new Rescanning(this.filesystems, (id) => this.byId.get(id), tellFound);
  }

  /** Hot. The managed path behind a place; undefined once it was removed. */
  byWatch(watch: Watch): WatchedPath | undefined {
    return this.byId.get(watch.id);
  }

  /** Adds a path, or gives a known one other filters; marks are set when this returns. */
  put(managed: ManagedPath, openLog: () => LogWriter): WatchedPath {
    const known = this.paths.get(managed.path);
    let watched = known;
    if (watched !== undefined) {
      this.forget(watched);
      watched.replace(managed);
    } else {
      watched = new WatchedPath(this.nextId++, managed, openLog());
      this.paths.set(managed.path, watched);
      this.byId.set(watched.id, watched);
    }
    this.attach(watched);
    this.filesystems.updateMarks(known === undefined ? watched : undefined);
    this.filesystems.coverLater();
    return watched;
  }

  remove(watched: WatchedPath): void {
    this.forget(watched);
    this.paths.delete(watched.path);
    this.byId.delete(watched.id);
    this.filesystems.updateMarks();
  }

  /** For each managed path: directories known below it, and whether its filesystems are still being scanned. */
  extents(): Map<Watch, { directories: number; scanning: boolean }> {
    const extents = new Map<Watch, { directories: number; scanning: boolean }>();
    for (const fs of this.filesystems.all()) {
      const counts = countDirectories(fs);
      for (const watch of fs.begins.watches()) {
        const extent = extents.get(watch) ?? { directories: 0, scanning: false };
        extent.directories += counts.get(watch) ?? 0;
        extent.scanning ||= fs.unscanned.length > 0;
        extents.set(watch, extent);
      }
    }
    return extents;
  }

  /** Scans what is unscanned and sweeps what is unneeded, for a few milliseconds; true when something is left. */
  workOnTrees(learner: Learner): boolean {
    learner.out = this.rescanning.found;
    let left = this.filesystems.isBehind;
    const untilMs = performance.now() + SCAN_SLICE_MS;
    for (const fs of this.filesystems.all()) {
      if (fs.unscanned.length === 0) {
        if (!fs.sweep.slice(untilMs)) left = true;
      } else if (!this.scan(fs, untilMs, learner)) left = true;
      if (fs.inodeMarks?.hasUnsettled) left = true;
    }
    // Asked last: what this slice has finished is told with the next round, which nothing else might bring about for a long time.
    if (this.rescanning.isUnderWay) left = true;
    this.cleanUpAfterScan(left);
    return left;
  }

  /** What a large scan leaves behind would stay in memory until the engine finds the time to look, minutes later. */
  private cleanUpAfterScan(left: boolean): void {
    if (left ? this.knownBefore !== null : this.knownBefore === null) return;
    let known = 0;
    for (const fs of this.filesystems.all()) known += fs.tree.size;
    if (left) this.knownBefore = known;
    else {
      if (known - this.knownBefore! >= GARBAGE_DIRECTORIES) Bun.gc(true);
      this.knownBefore = null;
    }
  }

  private scan(fs: Filesystem, untilMs: number, learner: Learner): boolean {
    // Later, when its server answers: answersAgain().
    if (!this.filesystems.answers(fs)) return true;
    const { found } = this.rescanning;
    if (fs.inodeMarks !== null) return this.inodeScanner.scanSlice(fs, untilMs, found, learner);
    const slice = (mountFd: number) => this.scanner.scanSlice(fs, mountFd, untilMs, found, learner);
    const done = this.filesystems.withMount(fs, slice, null);
    if (done !== null) return done;
    // Not now, because mounts have changed and will be looked at first; or not any more, and nothing is to be scanned.
    if (this.mounts.hasChanged()) return false;
    fs.unscanned.length = 0;
    return true;
  }

  /** Compares every tree with the disk: events were lost. */
  verify(loss: Loss): void {
    this.rescanning.beginAll(this.paths.values(), loss, (watched) => {
      this.detach(new Set([watched]));
      this.attach(watched);
    });
    this.filesystems.updateMarks();
    this.filesystems.coverLater();
  }

  /** False while it isn't known yet where directories are now, after events were lost: no event may be resolved until then. */
  get isSurveyed(): boolean {
    for (const fs of this.filesystems.all()) if (fs.inodeMarks?.survey?.isDone === false) return false;
    return true;
  }

  /** Looks for where they are, for a few milliseconds. */
  survey(): void {
    const untilMs = performance.now() + SCAN_SLICE_MS;
    for (const fs of this.filesystems.all()) fs.inodeMarks?.survey?.slice(this.filesystems, untilMs);
  }

  /** Looks at the disk for paths whose way there was moved into place by the last batch. */
  attachMoved(): void {
    if (this.toAttach.size === 0) return;
    const some = new Set(this.toAttach);
    this.toAttach.clear();
    this.reattach(some);
    this.filesystems.updateMarks();
  }

  /** Looks at the disk for where some managed paths are now. Marks are the caller's to update. */
  reattach(some: ReadonlySet<WatchedPath>): void {
    const { servers, mounts } = this.filesystems;
    const answers = ({ state, path }: WatchedPath) =>
      state === "impossible" || servers.silentOn(mounts, path) === null;
    // Behind a silent server it keeps what it has, and is looked at when the server answers.
    const lookedAt = new Set([...some].filter(answers));
    this.detach(lookedAt);
    for (const watched of lookedAt) this.attach(watched);
  }

  /**
   * Servers that were silent answer again: what belongs to them is attached and read.
   *
   * @returns whether there is something to do now
   */
  answersAgain(nowMs: () => number): boolean {
    const sinceMs = this.filesystems.servers.answering(this.filesystems.mounts);
    if (sinceMs === null) return false;
    const { rescanning } = this;
    const known = new Map([...this.paths.values()].map((one) => [one, rescanning.beginningKeys(one)]));
    for (const watched of known.keys()) this.toAttach.add(watched);
    this.attachMoved();
    this.filesystems.coverLater();
    this.filesystems.release();
    const toMs = nowMs();
    const loss = { reason: "internal", fromMs: sinceMs, toMs } as const;
    for (const [watched, before] of known) {
      // Of the others the marks stayed, and what happened is in the queue.
      if (rescanning.beginNew(watched, before, () => loss)) watched.log.gap({ ...loss, lost: null }, toMs);
    }
    return true;
  }

  appeared(watch: Watch): void {
    this.byWatch(watch)?.becomes("watched", null);
  }

  vanished(watch: Watch): void {
    this.byWatch(watch)?.becomes("pending", "it doesn't exist at the moment");
  }

  entryAppeared(watch: Watch): void {
    const watched = this.byWatch(watch);
    if (watched === undefined) return;
    // What is gone by now was there when this happened, and its end will be told.
    if (kindOf(watched.path) === "symlink") watched.becomes("pending", SYMLINK_IN_PLACE);
    else watched.becomes("watched", null);
  }

  isThere(watch: Watch): boolean {
    return this.byWatch(watch)?.state === "watched";
  }

  directoryRenamed(from: Uint8Array, to: Uint8Array, exchange: boolean): readonly Watch[] {
    const [old, now] = [pathText(from), pathText(to)];
    const renamed = renamingOf(old, now, exchange);
    for (const watched of this.paths.values()) watched.moveUnmounted(renamed);
    const { mounts } = this.filesystems;
    if (!leadsToMount(mounts, old) && !(exchange && leadsToMount(mounts, now))) return [];
    followRenaming(this.filesystems, renamed);
    const reaches = ({ recursive, path }: Watch, other: string) => recursive && isAtOrBelow(other, path);
    const isNew = (watch: Watch) =>
      exchange ? reaches(watch, old) !== reaches(watch, now) : reaches(watch, now) && !reaches(watch, old);
    return [...this.paths.values()].filter(isNew);
  }

  needsAttach(watch: Watch): void {
    const watched = this.byWatch(watch);
    if (watched === undefined) return;
    this.detach(new Set([watched]));
    this.attach(watched);
    // Where each directory is marked by itself, the disk was asked, which is ahead of the queue: once more when the batch is done.
    if (watched.mark === "inode") this.toAttach.add(watched);
  }

  watchedOn(fs: Filesystem): WatchedPath[] {
    return [...fs.begins.watches()].map((watch) => this.byWatch(watch)).filter((one) => one !== undefined);
  }

  private attach(watched: WatchedPath): void {
    watched.take(attach(this.filesystems, watched, this.childAt), this.filesystems.mounts);
  }

  private detach(some: ReadonlySet<WatchedPath>): void {
    for (const fs of this.filesystems.all()) fs.dropAll(some);
    for (const watched of some) this.toAttach.delete(watched);
  }

  /** Detaches for good, or for other filters: what only this path needed leaves the trees bit by bit. */
  private forget(watched: WatchedPath): void {
    this.rescanning.forget(watched);
    for (const fs of this.filesystems.all()) {
      if (!fs.begins.has(watched)) continue;
      fs.forgetScan(watched);
      fs.sweep.begin();
    }
    this.detach(new Set([watched]));
  }
}
