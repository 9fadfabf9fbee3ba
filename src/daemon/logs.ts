// The logs of managed paths: each is opened with a word on what it missed, and ended. One that can't be finished because its disk is
// full outlives its path, until everything that it has to tell is written.
import { segmentSizeWithin } from "../clean/retention.ts";
import type { Config } from "../config/config.ts";
import type { GapReason, ManagedPath } from "../event.ts";
import type { PreviousRun } from "../log/lifetime.ts";
import { type LogFiles, listLogs, logHash } from "../log/names.ts";
import { OTHERS, type OwedGaps } from "../log/owed.ts";
import type { PreviousLife } from "../log/previous.ts";
import type { Gap } from "../log/state.ts";
import { LogWriter } from "../log/writer.ts";
import { watchInfo } from "../pipeline/watched-path.ts";
import type { DaemonOptions } from "./options.ts";

export interface OpenedLog {
  log: LogWriter;
  /**
   * The time that this log says nothing about, in one piece; none for a new log, or one whose path had been removed
   * from management.
   */
  gaps: readonly Gap[];
}

/** As configured, but small enough that max_size and max_total can be kept by deleting whole segments. */
export function segmentSizeOf({ segmentSizeBytes, maxSizeBytes, maxTotalBytes }: Config): number {
  return segmentSizeWithin(segmentSizeWithin(segmentSizeBytes, maxSizeBytes), maxTotalBytes);
}

export class Logs {
  /** The files as they were before the start: with thousands, none of the logs must look for its own. Null later. */
  private before: ReadonlyMap<string, LogFiles> | null;
  /** Logs of removed paths that lack something still, by path. */
  private readonly ofRemoved = new Map<string, LogWriter>();
  /** By the hash of logs that haven't been opened since. */
  private readonly owedByPrevious: Map<string, Gap>;

  /**
   * @param onGap told the reason of every GAP line
   * @param onNewFile told that a log has begun another file
   */
  constructor(
    private readonly options: DaemonOptions,
    private readonly previousRun: PreviousRun,
    private readonly onGap: (reason: GapReason, timeMs: number) => void,
    private readonly onNewFile: () => void,
  ) {
    this.before = listLogs(options.config.logDir, options.owner);
    this.owedByPrevious = new Map(previousRun.owed);
  }

  /** Each path of the store has had its turn. */
  started(): void {
    this.before = null;
    this.owedByPrevious.delete(OTHERS);
  }

  /**
   * @param managedAtStart true when the store had the path as the daemon started: then its last `stopped` was
   *   the daemon's, not a removal
   * @param current gives the managed path as it is by now, for the WATCH line at the head of a further segment
   * @throws {Failure} when it can't be opened
   */
  open(
    config: Config,
    managed: ManagedPath,
    managedAtStart: boolean,
    nowMs: number,
    current: () => ManagedPath,
  ): OpenedLog {
    const unfinished = this.ofRemoved.get(managed.path);
    // What it lacks it will say itself.
    if (unfinished !== undefined) return { log: unfinished, gaps: [] };
    const { owner, say, version, commit } = this.options;
    const log = new LogWriter({
      logDir: config.logDir,
      managedPath: managed.path,
      owner,
      segmentSizeBytes: segmentSizeOf(config),
      describe: () => watchInfo(current(), `${version} (${commit})`),
      onTrouble: say,
      onGap: this.onGap,
      onNewFile: this.onNewFile,
    });
    const before = log.open(this.before);
    const owed = this.owedByPrevious.get(log.hash) ?? this.owedToOthers(before, managedAtStart);
    if (owed === null) return { log, gaps: gapBefore(before, this.previousRun, managedAtStart, nowMs) };
    const stopped: Gap = { reason: "daemon_stopped", fromMs: owed.toMs, toMs: nowMs, lost: null };
    return { log, gaps: managedAtStart ? [owed, stopped] : [owed] };
  }

  /** For a log that is not named among those that are owed something: it may be one that had no room, where that run has left no end in it. */
  private owedToOthers({ lastTimeMs, lastState }: PreviousLife, managedAtStart: boolean): Gap | null {
    const owed = this.owedByPrevious.get(OTHERS);
    if (owed === undefined || lastTimeMs === null || lastTimeMs > owed.toMs) return null;
    const isOfThatRun = lastTimeMs >= (this.previousRun.startedMs ?? lastTimeMs);
    if (lastState === "stopped" && (isOfThatRun || !managedAtStart)) return null;
    return { ...owed, fromMs: lastTimeMs };
  }

  /** What logs lack at the end of this run, and what they were owed before and could not be told. */
  owed(closed: Iterable<LogWriter>, endMs: number): OwedGaps {
    const owed = new Map(this.owedByPrevious);
    for (const log of closed) {
      const gap = log.owed(endMs);
      if (gap !== null) owed.set(log.hash, gap);
    }
    return owed;
  }

  /** The path of an opened log is under watch. */
  use(path: string): void {
    this.ofRemoved.delete(path);
    this.owedByPrevious.delete(logHash(path));
  }

  /** It could not be put under watch after all. */
  takeBack(path: string, log: LogWriter): void {
    if (!this.ofRemoved.has(path)) log.discard();
  }

  /** Its path isn't managed any more. */
  end(path: string, log: LogWriter): void {
    if (log.finish()) log.close();
    else this.ofRemoved.set(path, log);
  }

  unfinished(): Iterable<LogWriter> {
    return this.ofRemoved.values();
  }

  /** Once a second. */
  tick(): void {
    for (const [path, log] of this.ofRemoved) {
      if (!log.complete) continue;
      log.close();
      this.ofRemoved.delete(path);
    }
  }
}

/** What a log missed until now, by its own lines and by what is known of the daemon's previous run. */
function gapBefore(
  { lastTimeMs, lastState, lastStateTimeMs }: PreviousLife,
  { kind, startedMs, endedMs }: PreviousRun,
  managedAtStart: boolean,
  nowMs: number,
): Gap[] {
  if (lastTimeMs === null) return [];
  const isOfThatRun = startedMs === null || lastTimeMs >= startedMs;
  const reason = kind === "stopped" ? "daemon_stopped" : "daemon_crashed";
  if (lastState === "stopped") {
    if (!managedAtStart) return [];
    const fromMs = lastStateTimeMs ?? lastTimeMs;
    // A stop that came before that run says nothing of how it ended.
    const ended = isOfThatRun ? "daemon_stopped" : reason;
    return [{ reason: ended, fromMs, toMs: Math.max(nowMs, fromMs), lost: null }];
  }
  // The heartbeat says until when everything was written; lines that are there after it say so too. It does not speak of a log that has
  // no line of that run: its path was not watched, or its lines waited for a full disk until they were lost. A clean stop is believed
  // only by its own line: where that is missing the machine went down before it was on the disk, or somebody has cut the log.
  const fromMs = isOfThatRun ? Math.max(lastTimeMs, endedMs ?? lastTimeMs) : lastTimeMs;
  return [{ reason, fromMs: Math.min(fromMs, nowMs), toMs: nowMs, lost: null }];
}
