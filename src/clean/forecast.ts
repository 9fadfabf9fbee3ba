// When a log's limits will begin to delete, judged by how fast it grew lately. A survey of its files and the limits go in, times come out.
// Pure: reads no file and no clock.
import { type SurveyedLog, totalBytes } from "./survey.ts";

export interface LogForecast {
  sizeBytes: number;
  /** Time of the oldest line; null for a log without any. */
  firstMs: number | null;
  /** Growth of late; null while there is too little to judge by. */
  bytesPerDay: number | null;
  /** From when on keep_days deletes; in the past where it does so already. Null where max_size is always first. */
  keepDaysFromMs: number | null;
  /** From when on max_size deletes. Null where keep_days is always first, or the growth isn't known. */
  maxSizeFromMs: number | null;
  /** What it may still grow by, as its limits and its growth allow. */
  growthBytes: number;
}

export interface ForecastLimits {
  keepDays: number;
  maxSizeBytes: number;
}

const DAY_MS = 86_400_000;
/** The newest files that cover this much are what counts: yesterday says more of tomorrow than last month does. */
const LATELY_MS = DAY_MS;
/** A log younger than this tells nothing of days. */
const SPAN_MIN_MS = 10 * 60_000;

export function forecast(log: SurveyedLog, limits: ForecastLimits, nowMs: number): LogForecast {
  const sizeBytes = totalBytes(log.files);
  const firstMs = log.files.find((file) => file.firstMs !== null)?.firstMs ?? null;
  const bytesPerDay = growthOf(log, nowMs);
  const room = Math.max(0, limits.maxSizeBytes - sizeBytes);
  const keepDaysMs = firstMs === null ? null : firstMs + limits.keepDays * DAY_MS;
  if (bytesPerDay === null)
    return {
      ...{ sizeBytes, firstMs, bytesPerDay },
      keepDaysFromMs: keepDaysMs,
      maxSizeFromMs: null,
      growthBytes: room,
    };
  // What it comes to when a day's growth comes and a day's growth goes.
  const steadyBytes = bytesPerDay * limits.keepDays;
  const keepDaysFirst = steadyBytes <= limits.maxSizeBytes;
  return {
    ...{ sizeBytes, firstMs, bytesPerDay },
    keepDaysFromMs: keepDaysFirst ? keepDaysMs : null,
    maxSizeFromMs: keepDaysFirst || bytesPerDay === 0 ? null : nowMs + (room / bytesPerDay) * DAY_MS,
    growthBytes: keepDaysFirst ? Math.min(room, Math.max(0, steadyBytes - sizeBytes)) : room,
  };
}

function growthOf(log: SurveyedLog, nowMs: number): number | null {
  let bytes = 0;
  let fromMs: number | null = null;
  for (const file of log.files.toReversed()) {
    bytes += file.sizeBytes;
    fromMs = file.firstMs ?? fromMs;
    if (fromMs !== null && nowMs - fromMs >= LATELY_MS) break;
  }
  if (fromMs === null || nowMs - fromMs < SPAN_MIN_MS) return null;
  return (bytes / (nowMs - fromMs)) * DAY_MS;
}

/** When the disk is full: null when the limits see to it that it never is, or nothing is known. */
export function diskFullMs(
  logs: readonly LogForecast[],
  freeBytes: number,
  maxTotalBytes: number | null,
  nowMs: number,
): number | null {
  const totalBytes = logs.reduce((sum, log) => sum + log.sizeBytes, 0);
  const growth = logs.reduce((sum, log) => sum + log.growthBytes, 0);
  const allowed = maxTotalBytes === null ? growth : Math.min(growth, Math.max(0, maxTotalBytes - totalBytes));
  if (allowed <= freeBytes) return null;
  const bytesPerDay = logs.reduce((sum, log) => sum + (log.bytesPerDay ?? 0), 0);
  return bytesPerDay === 0 ? null : nowMs + (freeBytes / bytesPerDay) * DAY_MS;
}
