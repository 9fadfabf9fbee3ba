// A summary for programs: exact numbers, UTC, one JSON object on one line. Of each kind the 100 most frequent.
import { stringifySafely } from "../log/json-text.ts";
import { formatTime } from "../log/time.ts";
import type { Name, Summary } from "./stats.ts";

/** Enough for a plot; each bucket is one of the spans that the text shows as well. */
const BUCKETS_MAX = 100;

export function statsJson(summary: Summary): string {
  const time = (timeMs: number | null) => (timeMs === null ? null : formatTime(timeMs));
  const names = (list: readonly Name[]) =>
    list.map(({ name, count, bytes, errorMax }) => ({
      name,
      count,
      // The sizes that files had when they were closed after writing, added up.
      written_file_bytes: bytes,
      // Absent: exact. Else the true count is between count - error_max and count.
      ...(errorMax > 0 ? { error_max: errorMax } : {}),
    }));
  return stringifySafely({
    events: summary.events,
    first: time(summary.firstMs),
    last: time(summary.lastMs),
    types: names(summary.types),
    users: names(summary.users),
    programs: names(summary.programs),
    distinct_directories: summary.distinct.directories,
    directories: names(summary.directories),
    distinct_files: summary.distinct.files,
    files: names(summary.files),
    histogram: summary.histogram.buckets(BUCKETS_MAX).map(({ fromMs, toMs, count }) => ({
      from: formatTime(fromMs),
      to: formatTime(toMs),
      count,
    })),
    gaps: summary.gaps.map(({ reason, count, durationMs }) => ({ reason, count, duration_ms: durationMs })),
  });
}
