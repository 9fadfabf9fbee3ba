// Moments and spans as people read them: local time, and the two units that matter. Milliseconds go in, text comes out; no
// clock is read here. Programs get exact UTC instead (log/time.ts).

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Beyond this, hours beside days are noise. */
const DAYS_ALONE_FROM = 100;

function two(number: number): string {
  return number < 10 ? `0${number}` : String(number);
}

/** "2026-05-07", local. */
export function formatDate(timeMs: number): string {
  const date = new Date(timeMs);
  const year = String(date.getFullYear()).padStart(4, "0");
  return `${year}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** "14:03:07", local; with milliseconds "14:03:07.482". */
export function formatTimeOfDay(timeMs: number, withMilliseconds = false): string {
  const date = new Date(timeMs);
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return withMilliseconds ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

/** "2026-05-07 14:03:07", local: as `--since` and `--until` read it. */
export function formatMoment(timeMs: number): string {
  return `${formatDate(timeMs)} ${formatTimeOfDay(timeMs)}`;
}

/** "482ms", "4.8s", "48s", "12m 5s", "5h 12m", "12d 5h", "412d". Units as parseTime() reads ages. */
export function formatDuration(durationMs: number): string {
  const spanMs = Math.max(0, durationMs);
  // Each bound lies where rounding would reach the next unit: never "60s" or "24h".
  if (spanMs < SECOND_MS - 0.5) return `${Math.round(spanMs)}ms`;
  if (spanMs < 9950) return `${Number((spanMs / SECOND_MS).toFixed(1))}s`;
  if (spanMs < MINUTE_MS - SECOND_MS / 2) return `${Math.round(spanMs / SECOND_MS)}s`;
  if (spanMs < HOUR_MS - SECOND_MS / 2) return twoUnits(spanMs, MINUTE_MS, "m", SECOND_MS, "s");
  if (spanMs < DAY_MS - MINUTE_MS / 2) return twoUnits(spanMs, HOUR_MS, "h", MINUTE_MS, "m");
  if (spanMs < DAYS_ALONE_FROM * DAY_MS) return twoUnits(spanMs, DAY_MS, "d", HOUR_MS, "h");
  return `${Math.round(spanMs / DAY_MS)}d`;
}

function twoUnits(spanMs: number, largeMs: number, large: string, smallMs: number, small: string): string {
  const smalls = Math.round(spanMs / smallMs);
  const perLarge = largeMs / smallMs;
  const rest = smalls % perLarge;
  return `${Math.floor(smalls / perLarge)}${large}${rest === 0 ? "" : ` ${rest}${small}`}`;
}

/** How long ago, in one unit, cut off: "now", "45s ago", "12m ago", "5h ago", "3d ago", "2y ago". */
export function formatAge(timeMs: number, nowMs: number): string {
  const spanMs = nowMs - timeMs;
  // A clock that was set back puts the past into the future; a moment ago is the best that can be said.
  if (spanMs < SECOND_MS) return "now";
  if (spanMs < MINUTE_MS) return `${Math.floor(spanMs / SECOND_MS)}s ago`;
  if (spanMs < HOUR_MS) return `${Math.floor(spanMs / MINUTE_MS)}m ago`;
  if (spanMs < DAY_MS) return `${Math.floor(spanMs / HOUR_MS)}h ago`;
  const days = Math.floor(spanMs / DAY_MS);
  return days < 730 ? `${days}d ago` : `${Math.floor(days / 365)}y ago`;
}
