// Opens the log of a managed path and writes down what it missed: from when to when nothing was watched, and
// whether the daemon had been stopped or had crashed.
import { segmentSizeWithin } from "../clean/retention.ts";
import type { Config } from "../config/config.ts";
import type { GapReason, ManagedPath } from "../event.ts";
import type { PreviousRun } from "../log/lifetime.ts";
import type { LogFiles } from "../log/names.ts";
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

/**
 * @param managedAtStart true when the store had the path as the daemon started: then its last `stopped` was
 *   the daemon's, not a removal
 * @param logs the files of all logs where they were listed before; else those of this one are looked for
 * @param current gives the managed path as it is by now, for the WATCH line at the head of a further segment
 */
export function openLog(
  options: DaemonOptions,
  config: Config,
  managed: ManagedPath,
  previousRun: PreviousRun,
  managedAtStart: boolean,
  nowMs: number,
  current: () => ManagedPath,
  onGap: (reason: GapReason, timeMs: number) => void,
  logs: ReadonlyMap<string, LogFiles> | null,
): OpenedLog {
  const log = new LogWriter({
    logDir: config.logDir,
    managedPath: managed.path,
    owner: options.owner,
    segmentSizeBytes: segmentSizeOf(config),
    describe: () => watchInfo(current(), `${options.version} (${options.commit})`),
    onTrouble: options.say,
    onGap,
  });
  const before = log.open(logs);
  if (before.lastTimeMs === null) return { log, gap: null };
  const reason = previousRun.kind === "crashed" ? "daemon_crashed" : "daemon_stopped";
  if (before.lastState === "stopped") {
    if (!managedAtStart) return { log, gap: null };
    const fromMs = before.lastStateTimeMs ?? before.lastTimeMs;
    return { log, gap: { reason: "daemon_stopped", fromMs, toMs: Math.max(nowMs, fromMs), lost: null } };
  }
  // The heartbeat says until when everything was written; lines that are there after it say so too. A clean stop is believed only
  // by its own line: where that is missing the machine went down before it was on the disk, or somebody has cut the log.
  const fromMs = Math.max(before.lastTimeMs, previousRun.endedMs ?? before.lastTimeMs);
  return { log, gap: { reason, fromMs: Math.min(fromMs, nowMs), toMs: nowMs, lost: null } };
}
