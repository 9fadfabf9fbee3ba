// Cuts a stream of bytes into lines and parses them: blocks go in, in order and cut anywhere; each whole line that is a JSON
// object with a time is handed on. What is none has been counted by whoever read the bytes.

import { parseTime } from "../log/time.ts";
import type { LineKeys } from "./event.ts";

const NEWLINE = 10;

/** @param text the line as it stands there, without its newline */
export type TakeLine = (keys: LineKeys, timeMs: number, text: string) => void;

export class LineCutter {
  readonly #take: TakeLine;
  #rest: Buffer = Buffer.alloc(0);

  constructor(take: TakeLine) {
    this.#take = take;
  }

  /** @param bytes only valid during the call */
  write(bytes: Uint8Array): void {
    const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    let start = 0;
    if (this.#rest.length > 0) {
      const end = block.indexOf(NEWLINE);
      if (end < 0) {
        this.#rest = Buffer.concat([this.#rest, block]);
        return;
      }
      this.#line(Buffer.concat([this.#rest, block.subarray(0, end)]).toString("utf8"));
      start = end + 1;
    }
    for (let end = block.indexOf(NEWLINE, start); end >= 0; end = block.indexOf(NEWLINE, start)) {
      this.#line(block.toString("utf8", start, end));
      start = end + 1;
    }
    this.#rest = Buffer.from(block.subarray(start));
  }

  /** A last line without a newline. */
  end(): void {
    if (this.#rest.length > 0) this.#line(this.#rest.toString("utf8"));
    this.#rest = Buffer.alloc(0);
  }

  #line(text: string): void {
    if (text === "") return;
    const keys = parseLine(text);
    if (keys === null) return;
    const timeMs = typeof keys.time === "string" ? parseTime(keys.time) : Number.NaN;
    if (!Number.isNaN(timeMs)) this.#take(keys, timeMs, text);
  }
}

/** Null for what is no JSON object. */
export function parseLine(text: string): LineKeys | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as LineKeys) : null;
  } catch {
    return null;
  }
}
