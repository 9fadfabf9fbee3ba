// Follows what is mounted and unmounted: the managed paths that it concerns may be elsewhere now, or gone with their marks, which the
// kernel removes silently. Where it concerns thousands they are looked at in slices, between which clients have their turn. Until that is
// done no event may be resolved: those of a path whose turn hasn't come would be taken for others'.
import { isAtOrBelow } from "../containment.ts";
import type { Filesystem } from "../resolve/filesystems/filesystem.ts";
import { concernedBy, type Mount, mountOf } from "../resolve/filesystems/mounts.ts";
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
  /** Those of them that lost something. */
  private readonly losers = new Set<WatchedPath>();
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
    const before = filesystems.mounts;
    const { gone, vanished, points } = filesystems.refreshMounts();
    for (const fs of gone) for (const watched of this.watching.watchedOn(fs)) this.losers.add(watched);
    const isConcerned = concernedBy(points);
    const concerned = new Set([...paths.values()].filter(({ path }) => isConcerned(path)));
    if (vanished.length > 0) {
      for (const fs of [...filesystems.all(), ...gone]) this.noteLosers(fs, concerned, before, vanished);
    }
    this.waiting = [...new Set([...concerned, ...this.losers])];
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
      const text = path.length === 0 ? "/" : Buffer.from(path).toString();
      for (const mount of here) {
        if (!isAtOrBelow(text, mount.mountPoint) || mountOf(before, text) !== mount) continue;
        watched.unmounted.set(mount.mountPoint, mount.type);
        this.losers.add(watched);
      }
    }
  }

  private follow(some: readonly WatchedPath[]): void {
    const { filesystems, rescanning } = this.watching;
    const before = new Map(some.map((one) => [one, rescanning.beginningKeys(one)]));
    for (const watched of some) {
      if (!this.losers.has(watched)) continue;
      watched.unmountedSinceMs ??= this.times.completeUntilMs;
      this.unmountedUntilNow(watched);
    }
    this.watching.reattach(new Set(some));
    for (const watched of some) filesystems.updateMarks(watched);
    const toMs = Date.now();
    for (const [watched, keys] of before) {
      // What happened between the mounting and its mark sent no event.
      const fromMs = watched.unmountedSinceMs ?? this.sinceMs;
      rescanning.beginNew(watched, keys, { reason: "unmounted", fromMs, toMs });
      if (watched.unmountedSinceMs === null || watched.unmounted.size > 0) continue;
      // It has all again; what happened between the mounting and this moment was not seen.
      this.unmountedUntilNow(watched);
      watched.unmountedSinceMs = null;
      watched.log.watch("changed", this.times.now());
    }
  }

  private unmountedUntilNow(watched: WatchedPath): void {
    const timeMs = this.times.now();
    const fromMs = watched.unmountedSinceMs ?? timeMs;
    watched.log.gap({ reason: "unmounted", fromMs, toMs: timeMs, lost: null }, timeMs);
  }
}
