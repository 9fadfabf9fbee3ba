// A health report as JSON for programs: exact numbers, times in UTC, null for what isn't known.
import type { LogForecast } from "../clean/forecast.ts";
import type { DaemonStatus } from "../control/protocol.ts";
import { formatFilters } from "../filter/flags.ts";
import { stringifySafely } from "../log/json-text.ts";
import { formatTime } from "../log/time.ts";
import { statusJson } from "../show/path-status.ts";
import type { DaemonState, HealthReport, PathHealth } from "./report.ts";

/** One line. */
export function healthJson(report: HealthReport): string {
  const { daemon, disk, limits } = report;
  const status = daemon.kind === "answers" ? daemon.status : null;
  return stringifySafely({
    healthy: report.healthy,
    problems: report.problems,
    running: daemon.kind !== "none",
    controllable: daemon.kind === "answers",
    time: formatTime(report.nowMs),
    daemon: daemonJson(daemon),
    ...(status === null ? {} : countersJson(status)),
    paths: report.paths.map(pathJson),
    disk: disk && {
      log_dir: disk.logDir,
      free_bytes: disk.freeBytes,
      total_bytes: disk.totalBytes,
      logs_bytes: disk.logsBytes,
      full: time(disk.fullMs),
    },
    limits: {
      keep_days: limits.keepDays,
      max_size_bytes: limits.maxSizeBytes,
      max_total_bytes: limits.maxTotalBytes,
      min_free_bytes: limits.minFreeBytes,
    },
  });
}

function daemonJson(daemon: DaemonState) {
  if (daemon.kind === "none") return null;
  if (daemon.kind === "uncontrolled") {
    const { pid, startedMs, lastBeatMs } = daemon.running;
    return { pid, started: time(startedMs), last_beat: time(lastBeatMs), reason: daemon.reason };
  }
  const { status } = daemon;
  return {
    pid: status.pid,
    version: status.version,
    started: time(status.startedMs),
    uptime_s: Math.max(0, (status.nowMs - status.startedMs) / 1000),
    identification: status.identification,
    log_dir: status.logDir,
    managed_file: status.managedFile,
    socket_path: status.socketPath,
    notes: status.notes,
  };
}

function countersJson(status: DaemonStatus) {
  const { recent, memory } = status;
  return {
    events: {
      read: status.eventsRead,
      logged: status.eventsLogged,
      filtered: status.eventsFiltered,
      asked: status.eventsAsked,
      unattributed: status.eventsUnattributed,
      unattributed_share: status.eventsAsked === 0 ? 0 : status.eventsUnattributed / status.eventsAsked,
      recent: {
        window_s: recent.windowMs / 1000,
        read: recent.eventsRead,
        logged: recent.eventsLogged,
        filtered: recent.eventsFiltered,
      },
    },
    queue: { now: status.queueDepth, max: status.queueDepthMax, limit: status.queueLimit },
    gaps: Object.fromEntries(
      Object.entries(status.gaps).map(([reason, count]) => [
        reason,
        { count, last: time(status.gapsLastMs[reason as keyof typeof status.gaps] ?? null) },
      ]),
    ),
    memory: {
      resident_bytes: memory.residentBytes,
      resident_max_bytes: memory.residentMaxBytes,
      anonymous_bytes: memory.anonymousBytes,
      limit_bytes: memory.limitBytes,
    },
  };
}

function pathJson({ status, log }: PathHealth) {
  return {
    path: status.path,
    filters: formatFilters(status),
    recursive: status.recursive,
    ...statusJson(status),
    log: log && logJson(log),
  };
}

function logJson(log: LogForecast) {
  return {
    size_bytes: log.sizeBytes,
    first: time(log.firstMs),
    bytes_per_day: log.bytesPerDay === null ? null : Math.round(log.bytesPerDay),
    keep_days_from: time(log.keepDaysFromMs),
    max_size_from: time(log.maxSizeFromMs),
  };
}

/** Forecasts can lie further ahead than a date can say. */
function time(timeMs: number | null): string | null {
  return timeMs === null || !Number.isFinite(timeMs) || Math.abs(timeMs) > 8.64e15
    ? null
    : formatTime(timeMs);
}
