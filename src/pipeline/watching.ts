// What is under watch: managed paths on the one side, filesystems with their marks and directory trees on the
// other, and how the two stay together while paths appear, vanish, are mounted over and unmounted.
import type { ManagedPath } from "../event.ts";
import type { FanotifyGroup } from "../kernel/fanotify.ts";
import type { LogWriter } from "../log/writer.ts";
import { attach } from "../resolve/attach.ts";
import type { Filesystem } from "../resolve/filesystem.ts";
import { Filesystems } from "../resolve/filesystems.ts";
import { MountWatch } from "../resolve/mounts.ts";
import { beginVerification, TreeScanner } from "../resolve/scanner.ts";
import type { StructureListener } from "../resolve/structure.ts";
import type { Watch } from "../resolve/watch.ts";
import { WatchedPath } from "./watched-path.ts";

/** Of work on the trees, between two looks at the events. */
const SCAN_SLICE_MS = 3;

export class Watching implements StructureListener {
  readonly paths = new Map<string, WatchedPath>();
  readonly filesystems: Filesystems;
  readonly mounts = new MountWatch();
  private readonly byId = new Map<number, WatchedPath>();
  private readonly scanner = new TreeScanner();
  private readonly toAttach = new Set<WatchedPath>();
  private nextId = 0;

  constructor(group: FanotifyGroup) {
    this.filesystems = new Filesystems(group, (watch) => this.byId.get(watch.id)?.filter.typesMask ?? 0);
  }

  /** Hot. The managed path behind a place; undefined once it was removed. */
  byWatch(watch: Watch): WatchedPath | undefined {
    return this.byId.get(watch.id);
  }

  /** Adds a path, or gives a known one other filters; marks are set when this returns. */
  put(managed: ManagedPath, openLog: () => LogWriter): WatchedPath {
    let watched = this.paths.get(managed.path);
    if (watched !== undefined) {
      this.forget(watched);
      watched.replace(managed);
    } else {
      watched = new WatchedPath(this.nextId++, managed, openLog());
      this.paths.set(managed.path, watched);
      this.byId.set(watched.id, watched);
    }
    this.attach(watched);
    this.filesystems.updateMarks();
    return watched;
  }

  remove(watched: WatchedPath): void {
    this.forget(watched);
    this.paths.delete(watched.path);
    this.byId.delete(watched.id);
    this.filesystems.updateMarks();
  }

  /** Directories known on the filesystems of a managed path, and whether they are still being scanned. */
  extentOf(watched: WatchedPath): { directories: number; scanning: boolean } {
    let directories = 0;
    let scanning = false;
    for (const fs of this.filesystems.all()) {
      if (!fs.watches().has(watched)) continue;
      directories += fs.tree.size;
      scanning ||= fs.unscanned.length > 0;
    }
    return { directories, scanning };
  }

  /** Scans what is unscanned and sweeps what is unneeded, for a few milliseconds; true when something is left. */
  workOnTrees(): boolean {
    let left = false;
    const untilMs = performance.now() + SCAN_SLICE_MS;
    for (const fs of this.filesystems.all()) {
      if (fs.unscanned.length === 0) {
        if (!fs.sweepSlice(untilMs)) left = true;
        continue;
      }
      const slice = (mountFd: number) => this.scanner.scanSlice(fs, mountFd, untilMs);
      const done = this.filesystems.withMount(fs, slice, null);
      // A filesystem that can't be opened any more (unmounted) has nothing to scan.
      if (done === null) fs.unscanned.length = 0;
      else if (!done) left = true;
    }
    return left;
  }

  /** Compares every tree with the disk: events were lost. */
  verify(): void {
    for (const fs of this.filesystems.all()) beginVerification(fs);
  }

  /** Looks at the disk for paths whose way there was moved into place by the last batch. */
  attachMoved(): void {
    if (this.toAttach.size === 0) return;
    for (const watched of this.toAttach) {
      this.detach(watched);
      this.attach(watched);
    }
    this.toAttach.clear();
    this.filesystems.updateMarks();
  }

  /**
   * Follows what was mounted and unmounted: what is managed may be elsewhere now, or gone with its mark, which the
   * kernel removes silently.
   *
   * @param unmounted is told the managed paths of each filesystem that is gone
   */
  lookAtMounts(unmounted: (concerned: WatchedPath[]) => void): void {
    if (!this.mounts.changed()) return;
    for (const fs of this.filesystems.refreshMounts()) unmounted(this.watchedOn(fs));
    for (const watched of this.paths.values()) this.toAttach.add(watched);
    this.attachMoved();
  }

  appeared(watch: Watch): void {
    this.byWatch(watch)?.becomes("watched", null);
  }

  vanished(watch: Watch): void {
    this.byWatch(watch)?.becomes("pending", "it doesn't exist at the moment");
  }

  needsAttach(watch: Watch): void {
    const watched = this.byWatch(watch);
    if (watched !== undefined) this.toAttach.add(watched);
  }

  private watchedOn(fs: Filesystem): WatchedPath[] {
    return [...fs.watches()].map((watch) => this.byWatch(watch)).filter((one) => one !== undefined);
  }

  private attach(watched: WatchedPath): void {
    watched.take(attach(this.filesystems, watched));
  }

  private detach(watched: WatchedPath): void {
    for (const fs of this.filesystems.all()) fs.drop(watched);
    this.toAttach.delete(watched);
  }

  /** Detaches for good, or for other filters: what only this path needed leaves the trees bit by bit. */
  private forget(watched: WatchedPath): void {
    for (const fs of this.filesystems.all()) {
      if (!fs.watches().has(watched)) continue;
      fs.forgetScan(watched);
      fs.beginSweep();
    }
    this.detach(watched);
  }
}
