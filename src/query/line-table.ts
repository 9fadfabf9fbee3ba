// Cuts a block of bytes into lines, checks those that look like ours, and reads their time. A block goes in, a table of
// offsets and times comes out; nothing is decoded or allocated. Hot: every byte that query prints goes through here once.
import { scanLineBlock } from "../kernel/lines.ts";
import { lineTimeBytes, TIME_CHARS, TIME_KEY } from "../log/time.ts";
import { endOfMembers } from "./json-line.ts";

const NEWLINE = 10;
const QUOTE = 34;

/** Some 30 lines: cold TypeScript (0.1 µs a byte) takes as long for them as loading the helper. */
const NATIVE_MIN_BYTES = 8 * 1024;
let helperIsLoaded = false;

/** Behind the time and its closing quote, in a line of ours. */
export const AFTER_TIME = TIME_KEY.length + TIME_CHARS + 1;

/** Lines of one block: parallel arrays, `count` of them in use. */
export class LineTable {
  readonly starts: Uint32Array;
  /** Behind the line's last byte: where its newline is. */
  readonly ends: Uint32Array;
  /** Milliseconds since the epoch; NaN for a line that doesn't look like ours and must be looked at by parsing. */
  readonly timesMs: Float64Array;
  count = 0;

  constructor(capacity: number) {
    this.starts = new Uint32Array(capacity);
    this.ends = new Uint32Array(capacity);
    this.timesMs = new Float64Array(capacity);
  }

  get full(): boolean {
    return this.count === this.starts.length;
  }
}

/**
 * Adds the lines of [from, to) to the table, blank ones left out. Hot.
 *
 * @param to behind a newline
 * @returns how far it came: `to`, or less when the table is full
 */
export function scanLines(bytes: Uint8Array, from: number, to: number, table: LineTable): number {
  const native = helperIsLoaded || to - from >= NATIVE_MIN_BYTES;
  if (!native || table.count > 0) return scanLinesHere(bytes, from, to, table);
  helperIsLoaded = true;
  const { at, count } = scanLineBlock(bytes, from, to, table);
  table.count = count;
  return at;
}

/** The same without the helper: for few bytes, which aren't worth loading it (0.7 ms). Hot. */
export function scanLinesHere(bytes: Uint8Array, from: number, to: number, table: LineTable): number {
  const { starts, ends, timesMs } = table;
  const capacity = starts.length;
  let count = table.count;
  let at = from;
  while (at < to && count < capacity) {
    const timeMs = lineTimeBytes(bytes, at);
    if (!Number.isNaN(timeMs) && bytes[at + AFTER_TIME - 1] === QUOTE) {
      const end = endOfMembers(bytes, at + AFTER_TIME);
      if (end > 0 && bytes[end] === NEWLINE) {
        starts[count] = at;
        ends[count] = end;
        timesMs[count++] = timeMs;
        at = end + 1;
        continue;
      }
    }
    const end = bytes.indexOf(NEWLINE, at);
    if (end > at) {
      starts[count] = at;
      ends[count] = end;
      timesMs[count++] = Number.NaN;
    }
    at = end + 1;
  }
  table.count = count;
  return at;
}
