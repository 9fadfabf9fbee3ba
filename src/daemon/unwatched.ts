// The paths of the store that aren't under watch: at the start their turn comes, in steps, so that events are read and clients get
// their answers meanwhile; and those whose log can't be opened. Never lets one path's trouble keep the others from being watched.
import { join } from "node:path";
import type { ManagedPath, PathStatus } from "../event.ts";
import { causeOf } from "../failure.ts";
import { liveName, logHash } from "../log/names.ts";
import type { WatchedPath } from "../pipeline/watched-path.ts";
import type { Notes } from "./notes.ts";

interface Unwatched {
  readonly managed: ManagedPath;
  /** Null: its turn will come. */
  readonly reason: string | null;
}

/** Of putting paths under watch, until events and clients get their turn. */
const SLICE_MS = 20;

export class UnwatchedPaths {
  private readonly paths: Map<string, Unwatched>;
  private tellStarted: () => void = () => {};
  /** Resolves when each path has had its turn. */
  readonly started = new Promise<void>((resolve) => {
    this.tellStarted = resolve;
  });

  constructor(
    stored: readonly ManagedPath[],
    private readonly watch: (managed: ManagedPath, atStart: boolean) => WatchedPath,
    private readonly notes: Notes,
  ) {
    this.paths = new Map(stored.map((managed) => [managed.path, { managed, reason: null }]));
  }

  get size(): number {
    return this.paths.size;
  }

  keys(): Iterable<string> {
    return this.paths.keys();
  }

  /** It is under watch, or isn't managed any more. */
  delete(path: string): void {
    this.paths.delete(path);
  }

  /** Gives each path its turn. Returns false when the daemon was to end before that was done. */
  async watchAll(isEnding: () => boolean): Promise<boolean> {
    let untilMs = Number.NEGATIVE_INFINITY;
    for (const path of [...this.paths.keys()]) {
      if (performance.now() >= untilMs) {
        // A timer and no immediate: nothing else may be there yet to wake the event loop up.
        await Bun.sleep(0);
        untilMs = performance.now() + SLICE_MS;
      }
      if (isEnding()) return false;
      // A client may have been quicker.
      if (this.paths.get(path)?.reason === null) this.watchNow(path);
    }
    this.tellStarted();
    return true;
  }

  /** A client asks for something that concerns this path: its turn comes at once, if it is one of these. */
  watchNow(path: string): void {
    const one = this.paths.get(path);
    if (one !== undefined) this.watchStored(one.managed);
  }

  /** Puts a path of the store under watch, or gives it its filters, and notes what a person should know of it. */
  watchStored(managed: ManagedPath): void {
    const { path } = managed;
    this.notes.drop(path);
    try {
      // One whose log could not be opened until now was managed all the time.
      const { state, reason, notes } = this.watch(managed, this.paths.has(path));
      if (state !== "watched") this.notes.add(`${path} is ${state}: ${reason}`, path);
      for (const note of notes) this.notes.add(note, path);
    } catch (error) {
      const reason = causeOf(error);
      this.paths.set(path, { managed, reason });
      this.notes.add(`${path} is not watched: ${reason}`, path);
    }
  }

  status(logDir: string): PathStatus[] {
    return [...this.paths.values()].map(({ managed, reason }) => ({
      ...managed,
      state: reason === null ? "starting" : "impossible",
      reason,
      mark: null,
      filesystem: null,
      directories: 0,
      scanning: false,
      eventsLogged: 0,
      eventsFiltered: 0,
      logFile: join(logDir, liveName(logHash(managed.path))),
      logStuckSinceMs: null,
      unmountedSinceMs: null,
    }));
  }
}
