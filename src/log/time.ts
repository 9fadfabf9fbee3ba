// The times in a log line: `2026-05-07T10:00:01.482+00:00`, UTC, always 29 characters, always at the same place.
// Milliseconds since the epoch on one side, text or bytes on the other. Reading bytes is hot: query does it for every line.
import { withFiner } from "../filter/units.ts";

/** What each of our lines begins with; the time follows at once. */
export const TIME_KEY = new TextEncoder().encode('{"time":"');
/** Characters of a time as we write it. */
export const TIME_CHARS = 29;

/** @param timeMs from the year 0 to 9999, which is all that four digits can say */
export function formatTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 23)}+00:00`;
}

/**
 * Any time that RFC 3339 allows; NaN for everything else.
 *
 * @returns milliseconds, with a fraction where there are digits below them
 */
export function parseTime(text: string): number {
  const match = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.(\d+))?(?:[Zz]|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null) return Number.NaN;
  return withFiner(Date.parse(text.replace(" ", "T").toUpperCase()), match[1] ?? "");
}

let knownDayKey = -1;
let knownDayMs = 0;

/**
 * Reads a time in exactly our own form. Hot.
 *
 * @returns milliseconds since the epoch; NaN when the 29 bytes at `at` have another form or are no real time
 */
export function parseTimeBytes(bytes: Uint8Array, at: number): number {
  if (at + TIME_CHARS > bytes.length) return Number.NaN;
  const year = digits2(bytes, at) * 100 + digits2(bytes, at + 2);
  const month = digits2(bytes, at + 5);
  const day = digits2(bytes, at + 8);
  const hour = digits2(bytes, at + 11);
  const minute = digits2(bytes, at + 14);
  const second = digits2(bytes, at + 17);
  const hundredth = digits2(bytes, at + 20);
  const last = bytes[at + 22]! - 48;
  // Each of the terms is NaN when its digits aren't digits, and NaN fails every comparison.
  if (!(year >= 0 && month >= 1 && day >= 1 && hour < 24 && minute < 60 && second < 60 && hundredth >= 0)) {
    return Number.NaN;
  }
  if (last < 0 || last > 9 || month > 12 || day > 31) return Number.NaN;
  if (!hasOurPunctuation(bytes, at)) return Number.NaN;
  const dayKey = year * 512 + month * 32 + day;
  if (dayKey !== knownDayKey) {
    const date = new Date(0);
    date.setUTCFullYear(year, month - 1, day);
    if (date.getUTCDate() !== day) return Number.NaN;
    knownDayMs = date.getTime();
    knownDayKey = dayKey;
  }
  return knownDayMs + hour * 3_600_000 + minute * 60_000 + second * 1000 + hundredth * 10 + last;
}

function digits2(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - 48;
  const ones = bytes[at + 1]! - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

/** `    -  -  T  :  :  .   +00:00` */
function hasOurPunctuation(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at + 4] === 45 &&
    bytes[at + 7] === 45 &&
    bytes[at + 10] === 84 &&
    bytes[at + 13] === 58 &&
    bytes[at + 16] === 58 &&
    bytes[at + 19] === 46 &&
    bytes[at + 23] === 43 &&
    bytes[at + 24] === 48 &&
    bytes[at + 25] === 48 &&
    bytes[at + 26] === 58 &&
    bytes[at + 27] === 48 &&
    bytes[at + 28] === 48
  );
}

/** The time of the line that begins at `at`, if it is a line of ours; NaN otherwise. Hot. */
export function lineTimeBytes(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < TIME_KEY.length; i++) if (bytes[at + i] !== TIME_KEY[i]) return Number.NaN;
  return parseTimeBytes(bytes, at + TIME_KEY.length);
}
