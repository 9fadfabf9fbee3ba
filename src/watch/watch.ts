// `fsmon watch`: the logs of a directory as they grow. A request goes in; lines, parsed and in order, go to a viewer, first those of
// the past that was asked for and then, without a seam, the new ones. Only reads, and waits for a slow viewer, never the daemon.
import { basename } from "node:path";
import { causeOf } from "../failure.ts";
import type { Identity } from "../kernel/identity.ts";
import { listLogs, logHash, parseLogName } from "../log/names.ts";
import { BlockPool } from "../query/block-pool.ts";
import { mergeRuns } from "../query/merge.ts";
import { type ByteSink, LineOutput } from "../query/output.ts";
import { Progress } from "../query/progress.ts";
import { forgottenPaths } from "../query/recorded-paths.ts";
import { type Snapshot, type SnapshotFile, takeSnapshot } from "../query/snapshot.ts";
import { runsOfFiles } from "../query/sorted-files.ts";
import type { LineKeys } from "../show/event.ts";
import { LineCutter } from "../show/lines.ts";
import { formatNumberOf } from "../show/size.ts";
import { DirectoryWatch } from "./directory.ts";
import { LogFollower } from "./follower.ts";

export interface WatchRequest {
  logDir: string;
  owner: Identity;
  /** The store's paths; read anew when a log appears that none of them has. */
  managedPaths: () => readonly string[];
  /** Whether a log can hold anything of interest. */
  wantsLog: (managedPath: string) => boolean;
  /** Null: from now on. */
  sinceMs: number | null;
  /** Called when it is settled what is past: whatever is written after that is shown. */
  onBegin: () => void;
}

export interface ViewedLine {
  keys: LineKeys;
  timeMs: number;
  /** With its newline. */
  text: string;
}

export interface Viewer {
  /** Resolves when there is room for more; false: nobody reads any more. */
  show(lines: readonly ViewedLine[]): Promise<boolean>;
  /** Called a few times a second; false: nobody reads any more. */
  idle(): Promise<boolean>;
  /** Bytes that wait to be read, told before they are; returns how many of the newest to read, the others are passed over. */
  limit(waitingBytes: number): number;
  /** So many lines were passed over. */
  passedOver(lines: number): void;
  note(sentence: string): void;
}

/** Besides what changes in the directory: for new logs, folded rows, and a pipe that was closed. */
const LOOK_MS = 100;

export class Watch {
  private readonly request: WatchRequest;
  private readonly viewer: Viewer;
  private readonly followers = new Map<string, { follower: LogFollower; managedPath: string }>();
  /** Logs that can't hold anything of interest. */
  private readonly unwanted = new Set<string>();
  /** The managed paths of what is shown before anything is followed. */
  private past: string[] | null = null;
  private wake: () => void = () => {};
  private changed = true;
  private ended = false;

  constructor(request: WatchRequest, viewer: Viewer) {
    this.request = request;
    this.viewer = viewer;
  }

  /** The managed paths whose logs are shown. */
  get managedPaths(): string[] {
    return this.past ?? [...this.followers.values()].map(({ managedPath }) => managedPath);
  }

  /** Ends run() soon. */
  end(): void {
    this.ended = true;
    this.wake();
  }

  /** Runs until end(), or until nobody reads any more. */
  async run(): Promise<void> {
    const directory = new DirectoryWatch(this.request.logDir, () => {
      this.changed = true;
      this.wake();
    });
    try {
      let open = (await this.begin()) && (await this.viewer.idle());
      let lookedAtMs = 0;
      while (open && !this.ended) {
        this.changed = false;
        // However fast lines come, a new log, a closed pipe and folded rows are seen to.
        const nowMs = performance.now();
        if (nowMs - lookedAtMs >= LOOK_MS) {
          lookedAtMs = nowMs;
          this.findNewLogs();
          open = await this.viewer.idle();
        }
        const lines = this.read();
        if (lines.length > 0) open = open && (await this.viewer.show(lines));
        // Signals and timers get their turn.
        if (lines.length > 0 || this.changed) await new Promise((resolve) => setImmediate(resolve));
        else await this.sleep();
      }
    } finally {
      directory.close();
      for (const { follower } of this.followers.values()) follower.close();
    }
  }

  private sleep(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LOOK_MS);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Shows the past, and begins to follow where it ends. */
  private async begin(): Promise<boolean> {
    const { logDir, owner, sinceMs } = this.request;
    const wanted = this.namesOfWanted([...listLogs(logDir, owner).keys()]);
    const snapshot = takeSnapshot(logDir, new Set(wanted.keys()), owner);
    this.request.onBegin();
    for (const problem of snapshot.problems) this.viewer.note(problem);
    this.past = [...wanted.values()];
    const open = sinceMs === null || (await this.showPast(snapshot, wanted.size, sinceMs));
    this.past = null;
    const live = new Map<string, SnapshotFile>();
    const highest = new Map<string, number>();
    for (const file of snapshot.files) {
      const number = parseLogName(basename(file.path))?.number ?? null;
      if (number === null) live.set(file.hash, file);
      else highest.set(file.hash, Math.max(number, highest.get(file.hash) ?? 0));
    }
    for (const [hash, managedPath] of wanted) {
      const file = live.get(hash);
      const fd = file?.keep() ?? null;
      const follower = new LogFollower(logDir, hash, owner, {
        highestNumber: highest.get(hash) ?? 0,
        live: file === undefined || fd === null ? null : { fd, offset: file.end },
      });
      this.followers.set(hash, { follower, managedPath });
    }
    snapshot.close();
    return open;
  }

  private async showPast(snapshot: Snapshot, logs: number, sinceMs: number): Promise<boolean> {
    const pool = new BlockPool();
    pool.expect(logs);
    const options = {
      range: { sinceMs, untilMs: Number.POSITIVE_INFINITY },
      paths: null,
      pool,
      progress: new Progress(() => {}),
      onBadLine: null,
      onUnreadable: (error: unknown) => this.viewer.note(`Cannot read all of the past: ${causeOf(error)}`),
    };
    const lines: ViewedLine[] = [];
    const cutter = new LineCutter((keys, timeMs, text) => lines.push({ keys, timeMs, text: `${text}\n` }));
    let open = true;
    // The merge knows no waiting: what it hands on is kept until there is room for it.
    const sink: ByteSink = {
      write: (bytes) => {
        cutter.write(bytes);
        return open && !this.ended;
      },
    };
    const output = new LineOutput(sink);
    const runs = runsOfFiles(snapshot.files, () => options);
    const flush = async () => {
      open = await this.viewer.show(lines.splice(0));
    };
    await mergeRuns(runs, output, flush);
    cutter.end();
    await flush();
    return open;
  }

  /** What there is, a block of each log at most. */
  private read(): ViewedLine[] {
    const lines: ViewedLine[] = [];
    for (const { follower, managedPath } of this.followers.values()) {
      const waiting = follower.waitingBytes;
      const limit = this.viewer.limit(waiting);
      if (waiting > limit) this.viewer.passedOver(follower.skip(limit));
      const block = follower.read();
      if (follower.missedSegments > 0) {
        const segments = formatNumberOf(follower.missedSegments, "segment");
        this.viewer.note(
          `${segments} of the log of "${managedPath}" were deleted before they could be read here`,
        );
        follower.missedSegments = 0;
      }
      if (block === null) continue;
      const cutter = new LineCutter((keys, timeMs, text) => lines.push({ keys, timeMs, text: `${text}\n` }));
      cutter.write(block);
    }
    // Of several logs; within one their order stands.
    if (this.followers.size > 1) lines.sort((a, b) => a.timeMs - b.timeMs);
    return lines;
  }

  private findNewLogs(): void {
    const { logDir, owner } = this.request;
    const hashes = [...listLogs(logDir, owner).keys()];
    const fresh = hashes.filter((hash) => !this.followers.has(hash) && !this.unwanted.has(hash));
    if (fresh.length === 0) return;
    for (const [hash, managedPath] of this.namesOfWanted(fresh)) {
      const follower = new LogFollower(logDir, hash, owner, { highestNumber: 0, live: null });
      this.followers.set(hash, { follower, managedPath });
    }
  }

  /** Hash → managed path of the logs that are wanted. A log whose path isn't known yet (it has no line) waits. */
  private namesOfWanted(hashes: readonly string[]): Map<string, string> {
    const { logDir, owner, wantsLog } = this.request;
    const managed = this.request.managedPaths();
    const known = new Map(
      [...managed, ...forgottenPaths(logDir, new Set(hashes), managed, owner)].map((path) => [
        logHash(path),
        path,
      ]),
    );
    const wanted = new Map<string, string>();
    for (const hash of hashes) {
      const path = known.get(hash);
      if (path === undefined) continue;
      if (wantsLog(path)) wanted.set(hash, path);
      else this.unwanted.add(hash);
    }
    return wanted;
  }
}
