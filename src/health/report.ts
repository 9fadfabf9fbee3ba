// Everything that `fsmon health` knows, as one value: what the daemon tells of itself, what its logs and their disk look like, and the
// verdict. Text, JSON and metrics are made from it. Nothing is printed and nothing is changed here.
import { statfsSync } from "node:fs";
import { diskFullMs, forecast, type LogForecast } from "../clean/forecast.ts";
import { surveyLog } from "../clean/survey.ts";
import type { Config } from "../config/config.ts";
import type { Owner } from "../config/owner.ts";
import { judgeHealth } from "../control/health.ts";
import type { DaemonStatus } from "../control/protocol.ts";
import type { PathStatus } from "../event.ts";
import { asOwner } from "../kernel/identity.ts";
import type { RunningDaemon } from "../log/lifetime.ts";
import { listLogs, logHash } from "../log/names.ts";
import { formatDuration } from "../show/time.ts";

/** What was found out about the daemon. */
export type DaemonState =
  | { readonly kind: "answers"; readonly status: DaemonStatus }
  /** It writes its logs, and nobody can talk to it; `reason` says why. */
  | { readonly kind: "uncontrolled"; readonly running: RunningDaemon; readonly reason: string }
  /** `reason` is set where something was found that is no answer. */
  | { readonly kind: "none"; readonly reason: string | null };

export interface PathHealth {
  readonly status: PathStatus;
  /** Null where the log can't be read. */
  readonly log: LogForecast | null;
}

export interface DiskHealth {
  readonly logDir: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Of all logs, also those of paths that aren't managed any more. */
  readonly logsBytes: number;
  /** When it is full; null when the limits are reached before, or the growth isn't known. */
  readonly fullMs: number | null;
}

export interface HealthReport {
  readonly nowMs: number;
  readonly healthy: boolean;
  /** One sentence each. */
  readonly problems: readonly string[];
  readonly daemon: DaemonState;
  readonly paths: readonly PathHealth[];
  /** Null where the directory can't be looked at. */
  readonly disk: DiskHealth | null;
  readonly limits: Pick<Config, "keepDays" | "maxSizeBytes" | "maxTotalBytes" | "minFreeBytes">;
}

/** A disk that is full within this is a problem today. */
const DISK_WARNING_MS = 86_400_000;

export function healthReport(daemon: DaemonState, config: Config, owner: Owner, nowMs: number): HealthReport {
  const status = daemon.kind === "answers" ? daemon.status : null;
  const logDir = status?.logDir ?? config.logDir;
  const logs = forecastLogs(logDir, owner, config, nowMs);
  const paths = (status?.paths ?? []).map((path) => ({
    status: path,
    log: logs?.get(logHash(path.path)) ?? null,
  }));
  const disk = lookAtDisk(logDir, owner, config, [...(logs?.values() ?? [])], nowMs);
  const problems = [...problemsOf(daemon), ...problemsOfDisk(disk, nowMs)];
  return { nowMs, healthy: problems.length === 0, problems, daemon, paths, disk, limits: config };
}

function problemsOf(daemon: DaemonState): readonly string[] {
  if (daemon.kind === "answers") return judgeHealth(daemon.status).problems;
  if (daemon.kind === "none")
    return [daemon.reason ?? "No daemon is running: nothing is being recorded (sudo fsmon daemon begins it)"];
  return [
    `A daemon is recording (pid ${daemon.running.pid}), but it cannot be controlled or asked: ${daemon.reason}`,
  ];
}

function problemsOfDisk(disk: DiskHealth | null, nowMs: number): string[] {
  if (disk === null || disk.fullMs === null || disk.fullMs - nowMs > DISK_WARNING_MS) return [];
  const left = formatDuration(Math.max(0, disk.fullMs - nowMs));
  return [`The disk of the logs in "${disk.logDir}" will be full in about ${left}`];
}

/** By hash; null when the directory can't be read. */
function forecastLogs(
  logDir: string,
  owner: Owner,
  config: Config,
  nowMs: number,
): Map<string, LogForecast> | null {
  try {
    const forecasts = new Map<string, LogForecast>();
    for (const [hash, log] of listLogs(logDir, owner))
      forecasts.set(hash, forecast(surveyLog(logDir, log, owner), config, nowMs));
    return forecasts;
  } catch {
    // Another user's directory: the daemon's own words are what there is.
    return null;
  }
}

function lookAtDisk(
  logDir: string,
  owner: Owner,
  config: Config,
  logs: readonly LogForecast[],
  nowMs: number,
): DiskHealth | null {
  try {
    const { bavail, blocks, bsize } = asOwner(owner, () => statfsSync(logDir));
    const freeBytes = Number(bavail) * Number(bsize);
    const usableBytes = Math.max(0, freeBytes - (config.minFreeBytes ?? 0));
    return {
      logDir,
      freeBytes,
      totalBytes: Number(blocks) * Number(bsize),
      logsBytes: logs.reduce((sum, log) => sum + log.sizeBytes, 0),
      // min_free deletes old segments instead: the disk stays free by it.
      fullMs:
        config.minFreeBytes === null ? diskFullMs(logs, usableBytes, config.maxTotalBytes, nowMs) : null,
    };
  } catch {
    return null;
  }
}
