// Cuts a stream of bytes into lines, and parses them: blocks go in, in order and cut anywhere; whole lines come out. What is no event
// has been counted by whoever read the bytes, and is passed over here.
import { parseObject } from "../log/json-text.ts";
import { parseTime } from "../log/time.ts";
import type { LineKeys } from "./event.ts";

const NEWLINE = 10;

/** A line in [start, end) of bytes that are only valid during the call; its newline is left out. */
export type TakeBytes = (bytes: Buffer, start: number, end: number) => void;

export class LineSplitter {
  private readonly take: TakeBytes;
  private rest: Buffer = Buffer.alloc(0);

  constructor(take: TakeBytes) {
    this.take = take;
  }

  /** @param bytes only valid during the call */
  write(bytes: Uint8Array): void {
    const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    let start = 0;
    if (this.rest.length > 0) {
      const end = block.indexOf(NEWLINE);
      if (end < 0) {
        this.rest = Buffer.concat([this.rest, block]);
        return;
      }
      const line = Buffer.concat([this.rest, block.subarray(0, end)]);
      this.take(line, 0, line.length);
      start = end + 1;
    }
    for (let end = block.indexOf(NEWLINE, start); end >= 0; end = block.indexOf(NEWLINE, start)) {
      if (end > start) this.take(block, start, end);
      start = end + 1;
    }
    this.rest = Buffer.from(block.subarray(start));
  }

  /** A last line without a newline. */
  end(): void {
    if (this.rest.length > 0) this.take(this.rest, 0, this.rest.length);
    this.rest = Buffer.alloc(0);
  }
}

/** @param text the line as it stands there, without its newline */
export type TakeLine = (keys: LineKeys, timeMs: number, text: string) => void;

/** The same with each line parsed. */
export class LineCutter extends LineSplitter {
  constructor(take: TakeLine) {
    super((bytes, start, end) => {
      const text = bytes.toString("utf8", start, end);
      const keys = parseObject(text);
      if (keys === null) return;
      const timeMs = typeof keys.time === "string" ? parseTime(keys.time) : Number.NaN;
      if (!Number.isNaN(timeMs)) take(keys, timeMs, text);
    });
  }
}
