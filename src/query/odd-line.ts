// A line that doesn't look like one of ours: another key order, spaces, zeros of a punched hole, or no JSON at all. Bytes of
// one line go in; what it is comes out. Slow and exact, for the few lines that need it.
import { parseObject } from "../log/json-text.ts";
import { parseTime } from "../log/time.ts";

export type OddLine =
  | { kind: "event"; timeMs: number; start: number; end: number; keys: Record<string, unknown> }
  /** Nothing there, or what a punched hole left of a line: no fault of anybody's. */
  | { kind: "nothing" }
  /** No JSON object, or one without a time that can be read: no event, and to be counted. */
  | { kind: "bad" };

const decoder = new TextDecoder();

/** @param lineEnd where the newline is */
export function readOddLine(bytes: Uint8Array, lineStart: number, lineEnd: number): OddLine {
  let start = lineStart;
  let end = lineEnd;
  while (start < end && isFiller(bytes[start]!)) start++;
  while (end > start && isFiller(bytes[end - 1]!)) end--;
  if (start === end) return { kind: "nothing" };
  const keys = parseKeys(bytes, start, end);
  if (keys !== null) {
    const timeMs = typeof keys.time === "string" ? parseTime(keys.time) : Number.NaN;
    if (!Number.isNaN(timeMs)) return { kind: "event", timeMs, start, end, keys };
  }
  // A hole cuts off a line's beginning, its end or its middle: what is left of it is not somebody's mistake.
  const zero = bytes.indexOf(0, lineStart);
  return zero >= 0 && zero < lineEnd ? { kind: "nothing" } : { kind: "bad" };
}

/** The line's keys, or null when it isn't a JSON object. */
export function parseKeys(bytes: Uint8Array, start: number, end: number): Record<string, unknown> | null {
  return parseObject(decoder.decode(bytes.subarray(start, end)));
}

/** Zeros, and what may stand around JSON. */
export function isFiller(byte: number | undefined): boolean {
  return byte === 0 || byte === 32 || byte === 9 || byte === 13;
}
