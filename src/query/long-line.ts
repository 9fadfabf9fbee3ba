// A line longer than any of ours, which comes in pieces: whether it is an event, when it was, and what a query must know to choose it. The
// event's bytes go into a spool, so that memory stays the same however long the line is.
import { parseTime } from "../log/time.ts";
import { JsonScan } from "./json-scan.ts";
import { isFiller } from "./odd-line.ts";

/** Longer lines aren't held in memory. Ours are shorter: path, from and to of 4096 bytes, each escaped sixfold and repeated in base64. */
export const LONG_LINE_BYTES = 1024 * 1024;
/** What choosing a line depends on. */
const WANTED: ReadonlySet<string> = new Set([
  "time",
  "event_type",
  "gap_from",
  "gap_to",
  "path",
  "from",
  "to",
]);
const ZEROS = Buffer.alloc(64 * 1024);

export type LongVerdict =
  | { kind: "event"; timeMs: number; keys: Record<string, unknown> }
  /** As in readOddLine(). */
  | { kind: "nothing" }
  | { kind: "bad" };

export class LongLine {
  private readonly keep: (bytes: Buffer) => void;
  private readonly json = new JsonScan(WANTED);
  private hasBegun = false;
  private hasZero = false;

  /** @param keep is given the event's bytes, without what stands before and behind it; perhaps for nothing */
  constructor(keep: (bytes: Buffer) => void) {
    this.keep = keep;
  }

  /** The line goes on. */
  push(piece: Buffer): void {
    if (isAllZero(piece)) {
      // Of a punched hole there may be gigabytes.
      this.hasZero = true;
      if (this.hasBegun && this.json.state === "open") this.json.state = "bad";
      return;
    }
    this.hasZero ||= piece.includes(0);
    let from = 0;
    if (!this.hasBegun) while (isFiller(piece[from])) from++;
    if (from === piece.length) return;
    this.hasBegun = true;
    const to = this.json.push(piece, from);
    if (to > from) this.keep(piece.subarray(from, to));
    if (!piece.subarray(to).every(isFiller)) this.json.state = "bad";
  }

  /** The line is whole. */
  end(): LongVerdict {
    const { state, keys } = this.json;
    const timeMs = state === "done" ? parseTime(String(keys.time)) : Number.NaN;
    if (!Number.isNaN(timeMs)) return { kind: "event", timeMs, keys };
    return { kind: this.hasZero || !this.hasBegun ? "nothing" : "bad" };
  }
}

function isAllZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const to = Math.min(bytes.length, at + ZEROS.length);
    if (bytes.compare(ZEROS, 0, to - at, at, to) !== 0) return false;
  }
  return true;
}
