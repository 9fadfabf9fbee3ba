// Reads a log file from its end: the lines that hold one of some byte strings, newest first. A descriptor and needles go in,
// parsed lines come out. Blocks are searched as bytes, at memory speed; only what holds a needle is parsed. Hot.
import { readSync } from "node:fs";
import { lineTimeBytes } from "../log/time.ts";
import { readOddLine } from "../query/odd-line.ts";
import type { LineKeys } from "../show/event.ts";

const NEWLINE = 10;
/** The newest lines are mostly enough: a block that is read within a millisecond. */
const FIRST_BLOCK_BYTES = 128 * 1024;
const BLOCK_BYTES = 1024 * 1024;
/** Blocks don't grow beyond it: a longer line is no event, and memory has an end. */
const LINE_MAX_BYTES = 512 * 1024 * 1024;
/** Searched at a time: when a rename changes the needles, what was searched ahead is searched again. */
const WINDOW_BYTES = 32 * 1024;

export interface FoundLine {
  keys: LineKeys;
  timeMs: number;
  /** The line as it stands in the log, without its newline. */
  text: string;
}

export class BackwardFile {
  private readonly fd: number;
  /** Lines from here on have been handed out. */
  private position: number;
  /** The memory of the blocks, used again and again. */
  private room: Buffer = Buffer.alloc(0);
  private block: Buffer = Buffer.alloc(0);
  /** Offset in the file of the block's first byte, which begins a line. */
  private from: number;
  /** Offsets in the block of the lines that hold a needle and are still to come, ascending. */
  private starts: number[] = [];
  /** The block was searched from here on. */
  private searchedFrom = 0;
  /** Where it stood before the last line was looked for, and in which block. */
  private before = { position: 0, block: -1 };

  /** @param end behind the newline of the last line to look at */
  constructor(fd: number, end: number) {
    this.fd = fd;
    this.position = end;
    this.from = end;
  }

  /** The needles are others from here on: what was not handed out yet is searched anew. */
  searchAnew(): void {
    this.starts = [];
    this.searchedFrom = this.position - this.from;
  }

  /**
   * Takes back the line that was handed out last, and what was passed over before it was found.
   *
   * @returns false when that lies in a block that isn't there any more
   */
  takeBack(): boolean {
    if (this.before.block !== this.from) return false;
    this.position = this.before.position;
    this.searchAnew();
    return true;
  }

  /** The first line's time of the block that was read last; NaN where it can't be told. */
  get beganMs(): number {
    return this.block.length > 0 ? lineTimeBytes(this.block, 0) : Number.NaN;
  }

  /** The block that was read last begins before this moment. */
  reachesBefore(timeMs: number): boolean {
    return this.beganMs < timeMs;
  }

  /**
   * The next older line that holds a needle; null at the beginning of the file, or once it has come to lines before `floorMs`.
   */
  next(needles: readonly Buffer[], floorMs: number): FoundLine | null {
    this.before = { position: this.position, block: this.from };
    for (;;) {
      for (let start = this.starts.pop(); start !== undefined; start = this.starts.pop()) {
        const newline = this.block.indexOf(NEWLINE, start);
        const line = readOddLine(this.block, start, newline);
        this.position = this.from + start;
        if (line.kind === "event") {
          const text = this.block.toString("utf8", line.start, line.end);
          return { keys: line.keys, timeMs: line.timeMs, text };
        }
      }
      if (this.searchedFrom > 0) {
        this.searchWindow(needles);
        continue;
      }
      this.position = this.from;
      if (this.reachesBefore(floorMs)) return null;
      if (this.from === 0 || !this.readBefore()) return null;
      this.searchedFrom = this.block.length;
    }
  }

  /** Puts the whole lines that end at `from` into the block; a line longer than a block makes it larger. */
  private readBefore(): boolean {
    const end = this.from;
    let sizeBytes = this.block.length === 0 ? FIRST_BLOCK_BYTES : BLOCK_BYTES;
    for (;;) {
      const from = Math.max(0, end - sizeBytes);
      const block = this.read(from, end);
      if (block === null) return false;
      // The first line's beginning lies further back, unless the file begins here.
      const lineStart = from === 0 ? 0 : block.indexOf(NEWLINE) + 1;
      const whole = from === 0 || (lineStart > 0 && lineStart < block.length);
      if (whole || sizeBytes > LINE_MAX_BYTES) {
        this.block = block.subarray(lineStart);
        this.from = from + lineStart;
        return lineStart < block.length;
      }
      sizeBytes *= 2;
    }
  }

  private read(from: number, to: number): Buffer | null {
    if (this.room.length < to - from) this.room = Buffer.allocUnsafeSlow(to - from);
    let have = 0;
    while (have < to - from) {
      const got = readSync(this.fd, this.room, have, to - from - have, from + have);
      // The file was cut: what stood here is gone.
      if (got === 0) return null;
      have += got;
    }
    return this.room.subarray(0, have);
  }

  /** Searches the window before what was searched already. */
  private searchWindow(needles: readonly Buffer[]): void {
    const to = this.searchedFrom;
    const from = Math.max(0, to - WINDOW_BYTES);
    const limit = this.position - this.from;
    const starts = new Set<number>();
    for (const needle of needles) {
      // A hit that begins in the window may end behind it.
      const window = this.block.subarray(from, Math.min(this.block.length, to + needle.length - 1));
      for (let hit = window.indexOf(needle); hit >= 0; ) {
        const start = from + hit === 0 ? 0 : this.block.lastIndexOf(NEWLINE, from + hit - 1) + 1;
        // A line that reaches into the window before may have been handed out for its end.
        if (start < limit) starts.add(start);
        const end = window.indexOf(NEWLINE, hit);
        hit = end < 0 ? -1 : window.indexOf(needle, end + 1);
      }
    }
    this.searchedFrom = from;
    this.starts = [...starts].sort((a, b) => a - b);
  }
}
