// Looks at the end of a log file: where its last whole line ends, what that line is, and whether a torn one follows.
// A descriptor goes in, offsets and lines come out; only repairTail() changes the file. Memory is bounded by LINE_MAX_BYTES.
import { fstatSync, ftruncateSync, readSync } from "node:fs";
import { lineTimeBytes } from "./time.ts";
import { writeWhole } from "./write.ts";

const NEWLINE = 10;
const BLOCK_BYTES = 64 * 1024;
/** The first look takes in some lines: mostly that is enough, and a query looks at the ends of many files. */
const FIRST_BLOCK_BYTES = 2 * 1024;
/** Our longest line has a path, from and to of 4096 bytes, each escaped sixfold and repeated in base64; 1 MiB is beyond it. */
const LINE_MAX_BYTES = 1024 * 1024;
/** Where the last time in a file that others wrote to is looked for. */
const LAST_TIME_SEARCH_BYTES = 1024 * 1024;

/** Reads exactly [from, to), or less where the file ends. */
export function readRange(fd: number, from: number, to: number): Buffer {
  const bytes = Buffer.allocUnsafe(Math.max(0, to - from));
  let have = 0;
  while (have < bytes.length) {
    const got = readSync(fd, bytes, have, bytes.length - have, from + have);
    if (got === 0) break;
    have += got;
  }
  return bytes.subarray(0, have);
}

/** The offset after the last newline before `end`; 0 when there is none. */
export function wholeLinesEnd(fd: number, end: number): number {
  let blockBytes = FIRST_BLOCK_BYTES;
  for (let to = end; to > 0; ) {
    const from = Math.max(0, to - blockBytes);
    const at = readRange(fd, from, to).lastIndexOf(NEWLINE);
    if (at >= 0) return from + at + 1;
    to = from;
    blockBytes = BLOCK_BYTES;
  }
  return 0;
}

export interface PlacedLine {
  /** Offset of the line's first byte in the file. */
  at: number;
  /** Without the newline; valid until the next line is asked for. */
  bytes: Buffer;
}

/**
 * The lines before `end`, last first. Blank lines are left out; stops at a line that is longer than ours can be, and after
 * `withinBytes`.
 *
 * @param end an offset after a newline, or 0
 */
export function* linesBackward(fd: number, end: number, withinBytes: number): Generator<PlacedLine> {
  const floor = Math.max(0, end - withinBytes);
  let tail = Buffer.alloc(0);
  let blockBytes = FIRST_BLOCK_BYTES;
  for (let to = end; to > floor; ) {
    const from = Math.max(floor, to - blockBytes);
    blockBytes = BLOCK_BYTES;
    const read = readRange(fd, from, to);
    const block = tail.length === 0 ? read : Buffer.concat([read, tail]);
    to = from;
    let lineEnd = block.length;
    if (lineEnd > 0 && block[lineEnd - 1] === NEWLINE) lineEnd--;
    for (;;) {
      const before = lineEnd > 0 ? block.lastIndexOf(NEWLINE, lineEnd - 1) : -1;
      if (before < 0) break;
      if (before + 1 < lineEnd) yield { at: from + before + 1, bytes: block.subarray(before + 1, lineEnd) };
      lineEnd = before;
    }
    // What is left begins before `from`; it keeps its newline so that the next round sees where it ends.
    tail = Buffer.from(block.subarray(0, Math.min(block.length, lineEnd + 1)));
    if (tail.length > LINE_MAX_BYTES) return;
  }
  if (floor === 0 && tail.length > 1) yield { at: 0, bytes: tail.subarray(0, tail.length - 1) };
}

/** Time of the last line before `end` that is one of ours; -Infinity when there is none. */
export function lastTimeBefore(fd: number, end: number, withinBytes = LAST_TIME_SEARCH_BYTES): number {
  for (const line of linesBackward(fd, end, withinBytes)) {
    const timeMs = lineTimeBytes(line.bytes, 0);
    if (!Number.isNaN(timeMs)) return timeMs;
  }
  return Number.NEGATIVE_INFINITY;
}

/**
 * Makes the file end with a whole line: zeros at its end (a power cut leaves them) and a torn line are cut off; a line that
 * lacks nothing but its newline gets it.
 *
 * @returns the file's size afterwards
 */
export function repairTail(fd: number): number {
  const size = fstatSync(fd).size;
  const end = wholeLinesEnd(fd, size);
  if (end === size) return size;
  const dataEnd = withoutZeros(fd, end, size);
  if (dataEnd > end) {
    const tooLong = dataEnd - end > LINE_MAX_BYTES;
    // Nothing of ours is so long, so nothing of ours is lost by ending it here, and nothing of theirs either.
    if (tooLong || isJson(readRange(fd, end, dataEnd).toString("utf8"))) {
      ftruncateSync(fd, dataEnd);
      writeWhole(fd, Uint8Array.of(NEWLINE));
      return dataEnd + 1;
    }
  }
  ftruncateSync(fd, end);
  return end;
}

/** Where the run of zero bytes begins that reaches up to `to`; `to` when there is none. */
export function withoutZeros(fd: number, from: number, to: number): number {
  for (let blockEnd = to; blockEnd > from; blockEnd -= BLOCK_BYTES) {
    const blockFrom = Math.max(from, blockEnd - BLOCK_BYTES);
    const block = readRange(fd, blockFrom, blockEnd);
    for (let i = block.length - 1; i >= 0; i--) if (block[i] !== 0) return blockFrom + i + 1;
  }
  return from;
}

function isJson(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null;
  } catch {
    return false;
  }
}
