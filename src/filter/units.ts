// Sizes, times and days as people type them; as people read them they are in src/show.
// Text enters; bytes, milliseconds since the epoch or whole days leave. No clock is read here: "now" is an argument.
// Never guesses: what doesn't fit a listed form is refused with the forms as the hint.
import { UsageFailure } from "../failure.ts";

const UNIT_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

export const SIZE_FORMS = "1024, 500K, 500KB, 1MB, 1.5GB, 1GiB (K, M, G, T are powers of 1024)";
export const TIME_FORMS =
  'now, 45s, 30m, 1h, 7d, 2w (ago), 2026-05-01, "2026-05-01 10:00" (local time), 2026-05-01T00:00:00Z';

const SIZE = /^(\d+|\d*\.\d+) ?(?:([KMGT])(?:i?B)?|B)?$/i;

/**
 * Reads a size. A fraction of a byte that is left over is cut off.
 *
 * @returns bytes, a safe integer ≥ 0
 * @throws {UsageFailure} quoting the text, for anything else
 */
export function parseSize(text: string): number {
  const match = SIZE.exec(text.trim());
  const unit = match?.[2]?.toUpperCase() ?? "";
  const sizeBytes = Math.floor(Number(match?.[1] ?? Number.NaN) * (UNIT_BYTES[unit] ?? Number.NaN));
  const fractionOfBytes = unit === "" && match?.[1]?.includes(".") === true;
  if (!Number.isSafeInteger(sizeBytes) || fractionOfBytes) {
    const reason = match !== null && sizeBytes > Number.MAX_SAFE_INTEGER ? ": it is too large" : "";
    throw new UsageFailure(`Cannot read the size "${text}"${reason}`, `accepted: ${SIZE_FORMS}`);
  }
  return sizeBytes;
}

/** Exact, and parseSize() reads it back: "1.5GB", "500KB", "1001". */
export function formatSizeExactly(sizeBytes: number): string {
  for (const unit of ["T", "G", "M", "K"]) {
    const value = sizeBytes / (UNIT_BYTES[unit] ?? 1);
    if (value >= 1 && Number.isInteger(value * 4)) return `${value}${unit}B`;
  }
  return String(sizeBytes);
}

/**
 * Adds what a second's decimals say below the millisecond, so that times with more digits than ours compare right: exactly with
 * times of whole milliseconds, and to a quarter of a microsecond (what a double can tell at present) with each other.
 *
 * @param decimals all of them, the first three included
 */
export function withFiner(timeMs: number, decimals: string): number {
  const fraction = Number(`0.${decimals.slice(3)}`);
  if (!(fraction > 0)) return timeMs;
  const step = 2 ** (Math.floor(Math.log2(Math.max(1, Math.abs(timeMs)))) - 52);
  return timeMs + Math.max(fraction, step);
}

const AGO_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const AGO = /^(\d+|\d*\.\d+)([smhdw])(?: ?ago)?$/;
const CALENDAR =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?( ?[Zz]|[+-]\d{2}:\d{2})?)?$/;

// The log writes years with four digits, so nothing outside them can be asked for.
const EARLIEST_MS = Date.parse("0000-01-01T00:00:00Z");
const LATEST_MS = Date.parse("9999-12-31T23:59:59.999Z");

/**
 * Reads a time: `now`, an age (`45s`, `30m`, `1h`, `7d`, `2w`, all of them ago), RFC 3339 with its offset, or a
 * date with or without a time of day in local time.
 *
 * @param nowMs what `now` and ages count from, in milliseconds since the epoch
 * @returns milliseconds since the epoch, with a fraction where finer digits were typed
 * @throws {UsageFailure} quoting the text: no such form, no such date (2026-02-30), a year beyond four digits
 */
export function parseTime(text: string, nowMs: number): number {
  const typed = text.trim();
  const ago = AGO.exec(typed);
  let timeMs: number | null;
  if (typed === "now") timeMs = nowMs;
  else if (ago !== null) timeMs = Math.round(nowMs - Number(ago[1]) * (AGO_MS[ago[2] ?? ""] ?? Number.NaN));
  else timeMs = parseCalendar(typed);
  if (timeMs === null || !(timeMs >= EARLIEST_MS && timeMs <= LATEST_MS)) {
    throw new UsageFailure(`Cannot read the time "${text}"`, `accepted: ${TIME_FORMS}`);
  }
  return timeMs;
}

function parseCalendar(typed: string): number | null {
  const match = CALENDAR.exec(typed);
  if (match === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((digits) => Number(digits ?? 0));
  const milliseconds = Number((match[7] ?? "").slice(0, 3).padEnd(3, "0"));
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return null;
  if (hour > 23 || minute > 59 || second > 60) return null;

  const zone = match[8]?.trim();
  const date = new Date(0);
  if (zone === undefined) {
    // Two setters and not the constructor, which takes the years 0 to 99 for 1900 to 1999.
    date.setFullYear(year, month - 1, day);
    date.setHours(hour, minute, second, milliseconds);
  } else {
    const offsetMinutes = parseOffset(zone);
    if (offsetMinutes === null) return null;
    date.setUTCFullYear(year, month - 1, day);
    date.setUTCHours(hour, minute - offsetMinutes, second, milliseconds);
  }
  // RFC 3339 has a second 60 for leap seconds, which are only ever put in before midnight UTC.
  if (second === 60 && Math.floor(date.getTime() / 1000) % 86_400 !== 0) return null;
  return withFiner(date.getTime(), match[7] ?? "");
}

/** "Z" or "+02:00" → minutes east of UTC; null when there is no such offset. */
function parseOffset(zone: string): number | null {
  if (zone === "Z" || zone === "z") return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4, 6));
  if (hours > 23 || minutes > 59) return null;
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes);
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

// 2,700 years: far beyond any log, and its milliseconds are still an exact number.
export const MAX_DAYS = 1_000_000;

/**
 * Reads a number of days to keep.
 *
 * @returns a whole number from 0 to MAX_DAYS
 * @throws {UsageFailure} quoting the text, for anything else
 */
export function parseDays(text: string): number {
  const days = /^\d{1,9}$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (!(days <= MAX_DAYS)) {
    throw new UsageFailure(
      `Cannot read the number of days "${text}"`,
      `accepted: a whole number from 0 to ${MAX_DAYS}`,
    );
  }
  return days;
}
