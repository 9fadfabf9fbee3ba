// Follows what is mounted and unmounted: the managed paths that it concerns may be elsewhere now, or gone with their marks, which the
// kernel removes silently. Where it concerns thousands they are looked at in slices, between which clients have their turn. Until that is
// done no event may be resolved: those of a path whose turn hasn't come would be taken for others'.
import { isAtOrBelow } from "../containment.ts";
import type { Filesystem } from "../resolve/filesystems/filesystem.ts";
import { concernedBy, type Mount, mountOf } from "../resolve/filesystems/mounts.ts";
import { pathText } from "../resolve/watch.ts";
import type { Loss } from "./rescanning.ts";
import type { WatchedPath } from "./watched-path.ts";
import type { Watching } from "./watching.ts";

/** Of looking at managed paths, between two turns of the event loop. */
const SLICE_MS = 20;
/** Looked at together: whatever is walked over once for all of them takes no time then. */
const PATHS_AT_ONCE = 100;

/** What the pipeline knows of time. */
interface Times {
  now(): number;
  readonly completeUntilMs: number;
}

export class MountChanges {
  private waiting: WatchedPath[] = [];
  /** Those of them that lost something, and the mount points of that which is gone for good. */
  private readonly losers = new Map<WatchedPath, Set<string>>();
  /** When what they lost was there for the last time. */
  private lostMs = 0;
  /** When the mounts were the same as before for the last time. */
  private sinceMs = 0;

  constructor(
    private readonly watching: Watching,
    private readonly times: Times,
  ) {}

  /** Every managed path that the last change concerns was looked at. */
  get isDone(): boolean {
    return this.waiting.length === 0;
  }

  /**
   * Sees whether the mounts have changed, and begins to follow it. Not before isDone.
   *
   * @param sinceMs when they were the same as before for the last time
   */
  look(sinceMs: number): void {
    const { filesystems, mounts, paths } = this.watching;
    if (!mounts.changed() || !filesystems.mountsMatter(paths.keys())) return;
    this.sinceMs = sinceMs;
    this.losers.clear();
    this.lostMs = this.times.completeUntilMs;
    const before = filesystems.mounts;
    const { gone, vanished, points } = filesystems.refreshMounts();
    for (const fs of gone) for (const watched of this.watching.watchedOn(fs)) this.pointsLostBy(watched);
    const isConcerned = concernedBy(points);
    const concerned = new Set([...paths.values()].filter(({ path }) => isConcerned(path)));
    if (vanished.length > 0) {
      for (const fs of [...filesystems.all(), ...gone]) this.noteLosers(fs, concerned, before, vanished);
    }
    this.waiting = [...new Set([...concerned, ...this.losers.keys()])];
    this.step();
  }

  /** Looks at some more of the paths. */
  step(): void {
    const untilMs = performance.now() + SLICE_MS;
    do this.follow(this.waiting.splice(0, PATHS_AT_ONCE));
    while (!this.isDone && performance.now() < untilMs);
    if (!this.isDone) return;
    const { filesystems } = this.watching;
    filesystems.updateMarks();
    filesystems.coverLater();
  }

  /** Managed paths that began, or were expected, on a mount that is there no more. */
  private noteLosers(
    fs: Filesystem,
    concerned: ReadonlySet<WatchedPath>,
    before: readonly Mount[],
    vanished: readonly Mount[],
  ): void {
    const here = vanished.filter(({ device }) => device === fs.device);
    if (here.length === 0) return;
    for (const { watch, path } of [
      ...fs.begins.anchors.values(),
      ...fs.begins.expectations.values(),
    ].flat()) {
      const watched = this.watching.byWatch(watch);
      if (watched === undefined || !concerned.has(watched)) continue;
      const text = pathText(path);
      for (const mount of here) {
        if (!isAtOrBelow(text, mount.mountPoint) || mountOf(before, text) !== mount) continue;
        // A directory above it was renamed, of which an event tells.
        if (watched.recursive && this.isMountedBelow(watched.path, mount)) continue;
        watched.unmounted.set(mount.mountPoint, { type: mount.type, sinceMs: this.lostMs });
        this.pointsLostBy(watched).add(mount.mountPoint);
      }
    }
  }

  private isMountedBelow(path: string, { id, device, root }: Mount): boolean {
    const isIt = (one: Mount) => one.id === id && one.device === device && one.root === root;
    return this.watching.filesystems.mounts.some((one) => isIt(one) && isAtOrBelow(one.mountPoint, path));
  }

  private pointsLostBy(watched: WatchedPath): Set<string> {
    const points = this.losers.get(watched) ?? new Set();
    this.losers.set(watched, points);
    return points;
  }

  private follow(some: readonly WatchedPath[]): void {
    const { rescanning } = this.watching;
    const before = some.map((watched) => ({
      watched,
      keys: rescanning.beginningKeys(watched),
      unmounted: new Map(watched.unmounted),
    }));
    for (const watched of some) if (this.losers.has(watched)) this.unmountedSince(watched, this.lostMs);
    this.watching.reattach(new Set(some));
    for (const watched of some) this.watching.filesystems.updateMarks(watched);
    const toMs = Date.now();
    for (const { watched, keys, unmounted } of before) {
      const lost = this.losers.get(watched);
      // What happened between the mounting and its mark sent no event.
      const elseMs = lost === undefined ? this.sinceMs : this.lostMs;
      for (const point of watched.unmounted.keys()) unmounted.delete(point);
      const lossOf = (path: string): Loss => {
        const point = mountOf(this.watching.filesystems.mounts, path)?.mountPoint ?? "/";
        return { reason: "unmounted", fromMs: unmounted.get(point)?.sinceMs ?? elseMs, toMs };
      };
      rescanning.beginNew(watched, keys, lossOf);
      if (lost !== undefined || unmounted.size > 0) rescanning.beginFile(watched, lossOf(watched.path));
      const isBack = lost !== undefined && ![...lost].some((point) => watched.unmounted.has(point));
      if (unmounted.size === 0 && !isBack) continue;
      // What happened between the mounting and this moment was not seen.
      this.unmountedSince(
        watched,
        Math.min(elseMs, ...[...unmounted.values()].map(({ sinceMs }) => sinceMs)),
      );
      if (watched.unmounted.size === 0) watched.log.watch("changed", this.times.now());
    }
  }

  private unmountedSince(watched: WatchedPath, fromMs: number): void {
    const timeMs = this.times.now();
    watched.log.gap({ reason: "unmounted", fromMs, toMs: timeMs, lost: null }, timeMs);
  }
}
