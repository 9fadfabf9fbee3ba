// The logs of managed paths: each is opened with a word on what it missed, and ended. One that can't be finished because its disk is
// full outlives its path, until everything that it has to tell is written.
import { segmentSizeWithin } from "../clean/retention.ts";
import type { Config } from "../config/config.ts";
import type { GapReason, ManagedPath } from "../event.ts";
import type { PreviousRun } from "../log/lifetime.ts";
import { type LogFiles, listLogs } from "../log/names.ts";
import type { PreviousLife } from "../log/previous.ts";
import type { Gap } from "../log/state.ts";
import { LogWriter } from "../log/writer.ts";
import { watchInfo } from "../pipeline/watched-path.ts";
import type { DaemonOptions } from "./options.ts";

export interface OpenedLog {
  log: LogWriter;
  /**
   * The time that this log says nothing about; null for a new log, or one whose path had been removed from
   * management.
   */
  gap: Gap | null;
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
  }

  /** Each path of the store has had its turn. */
  started(): void {
    this.before = null;
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
    if (unfinished !== undefined) return { log: unfinished, gap: null };
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
    return { log, gap: gapBefore(log.open(this.before), this.previousRun, managedAtStart, nowMs) };
  }

  /** The path of an opened log is under watch. */
  use(path: string): void {
    this.ofRemoved.delete(path);
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
): Gap | null {
  if (lastTimeMs === null) return null;
  if (lastState === "stopped") {
    if (!managedAtStart) return null;
    const fromMs = lastStateTimeMs ?? lastTimeMs;
    return { reason: "daemon_stopped", fromMs, toMs: Math.max(nowMs, fromMs), lost: null };
  }
  // The heartbeat says until when everything was written; lines that are there after it say so too. It does not speak of a log that has
  // no line of that run: its path was not watched, or its lines waited for a full disk until they were lost. A clean stop is believed
  // only by its own line: where that is missing the machine went down before it was on the disk, or somebody has cut the log.
  const isOfThatRun = startedMs === null || lastTimeMs >= startedMs;
  const fromMs = isOfThatRun ? Math.max(lastTimeMs, endedMs ?? lastTimeMs) : lastTimeMs;
  const reason = kind === "crashed" ? "daemon_crashed" : "daemon_stopped";
  return { reason, fromMs: Math.min(fromMs, nowMs), toMs: nowMs, lost: null };
}
