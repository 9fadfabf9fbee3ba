// GAP lines outside the range of a query that touch it all the same: a GAP is written when the gap is over, so it stands behind
// the lines of the range. Searched for as bytes, at memory speed; only what looks like a GAP is parsed.
import { readSync } from "node:fs";
import { readOddLine } from "./odd-line.ts";
import type { Progress } from "./progress.ts";
import { gapTouches, type TimeRange } from "./wanted.ts";

export interface FoundLine {
  timeMs: number;
  /** With its newline. */
  bytes: Buffer;
}

/** However the line is spelled (white space, the order of keys); a name that reads like this is escaped in a line. */
const NEEDLE = Buffer.from('"GAP"');
const NEWLINE = 10;
const NEWLINE_BYTES = Buffer.of(NEWLINE);
const BLOCK_BYTES = 1024 * 1024;
/** A GAP line is short: key names, four times, and the managed path twice, at most 4096 bytes escaped sixfold each. Zeros may precede it. */
const GAP_LINE_MAX_BYTES = 64 * 1024;

/** Adds the GAP lines in [from, to) of a file that touch the range. */
export function findGaps(
  fd: number,
  from: number,
  to: number,
  { range, progress }: { range: TimeRange; progress: Progress },
  found: FoundLine[],
): void {
  progress.expect(to - from);
  const room = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, Math.max(0, to - from)));
  for (let at = from; at < to; ) {
    // Half a line at the block's end is read again with the next one.
    const block = room.subarray(0, readSync(fd, room, 0, Math.min(room.length, to - at), at));
    let foundAt = -1;
    const whole = block.lastIndexOf(NEWLINE) + 1;
    for (let hit = block.indexOf(NEEDLE); hit >= 0 && hit < whole; hit = block.indexOf(NEEDLE, hit + 1)) {
      const start = behindZeros(block, hit > 0 ? block.lastIndexOf(NEWLINE, hit - 1) + 1 : 0);
      const end = block.indexOf(NEWLINE, hit);
      if (end - start > GAP_LINE_MAX_BYTES || start === foundAt) continue;
      const line = readOddLine(block, start, end);
      if (line.kind === "event" && gapTouches(line.keys, range)) {
        foundAt = start;
        const bytes = Buffer.concat([block.subarray(line.start, line.end), NEWLINE_BYTES]);
        found.push({ timeMs: line.timeMs, bytes });
      }
    }
    if (block.length === 0) return;
    const read = whole > 0 ? whole : longLineRead(block);
    progress.read(read);
    at += read;
  }
}

function behindZeros(block: Buffer, from: number): number {
  let at = from;
  while (block[at] === 0) at++;
  return at;
}

/** How much of a block without a newline is done with: a GAP may begin behind the zeros of a punched hole. */
function longLineRead(block: Buffer): number {
  const begin = block.lastIndexOf(0) + 1;
  return begin > 0 && block.length - begin <= GAP_LINE_MAX_BYTES ? begin : block.length;
}
