// Finds the place of a time in a sorted file by halving it: some thirty small reads for a gigabyte. A descriptor and a time go
// in, an offset comes out. Lines that aren't ours, zeros and lines of any length may stand anywhere between.
import { readSync } from "node:fs";
import { lineTimeBytes, TIME_CHARS, TIME_KEY } from "../log/time.ts";
import { LONG_LINE_BYTES, LongLine, type LongVerdict } from "./long-line.ts";
import { type OddLine, readOddLine } from "./odd-line.ts";

const NEWLINE = 10;
/** Read at once around a probe: a dozen lines. */
const PROBE_BYTES = 4096;
/** Below this the rest is read line by line. */
const LINEAR_BYTES = 16 * 1024;
/** Long lines, and zeros of a punched hole, are crossed in strides that grow up to this. */
const STRIDE_MAX_BYTES = 1024 * 1024;

export interface TimedLine {
  start: number;
  /** Behind its newline. */
  end: number;
  timeMs: number;
}

/** Reads the lines of a file from any offset on. Its buffer is one probe, or one line of ours at its longest. */
export class LineProbe {
  private readonly fd: number;
  private readonly size: number;
  private bytes = Buffer.allocUnsafeSlow(PROBE_BYTES);
  private from = 0;
  private have = 0;

  /** @param size where the last whole line ends */
  constructor(fd: number, size: number) {
    this.fd = fd;
    this.size = size;
  }

  /** The first line with a time that begins in [from, before). */
  timedLine(from: number, before: number): TimedLine | null {
    for (let start = from; start < before; ) {
      const end = this.endOfLine(start);
      if (end === null) return null;
      const timeMs = this.timeOf(start, end);
      if (!Number.isNaN(timeMs)) return { start, end, timeMs };
      start = end;
    }
    return null;
  }

  /** Behind the newline of the line that `at` lies in; null when there is none before the end. */
  endOfLine(at: number): number | null {
    let step = PROBE_BYTES;
    for (let from = at; from < this.size; ) {
      this.need(from, Math.min(this.size, from + step));
      const newline = this.bytes.subarray(0, this.have).indexOf(NEWLINE, from - this.from);
      if (newline >= 0) return this.from + newline + 1;
      if (this.from + this.have <= from) return null;
      from = this.from + this.have;
      step = Math.min(step * 2, STRIDE_MAX_BYTES);
    }
    return null;
  }

  private timeOf(lineStart: number, end: number): number {
    const start = this.behindZeros(lineStart, end);
    this.need(start, Math.min(end, start + TIME_KEY.length + TIME_CHARS));
    const ours = lineTimeBytes(this.bytes, start - this.from);
    if (!Number.isNaN(ours) && start - this.from + TIME_KEY.length + TIME_CHARS <= this.have) return ours;
    const line = end - start > LONG_LINE_BYTES ? this.longLine(start, end - 1) : this.oddLine(start, end - 1);
    return line.kind === "event" ? line.timeMs : Number.NaN;
  }

  private oddLine(start: number, end: number): OddLine {
    this.need(start, end);
    return readOddLine(this.bytes, start - this.from, end - this.from);
  }

  private longLine(start: number, end: number): LongVerdict {
    const line = new LongLine(() => {});
    for (let at = start; at < end; ) {
      this.need(at, Math.min(end, at + STRIDE_MAX_BYTES));
      const have = Math.min(end - this.from, this.have);
      const piece = this.bytes.subarray(at - this.from, have);
      if (piece.length === 0) break;
      line.push(piece);
      at += piece.length;
    }
    return line.end();
  }

  /** A line may begin with what a punched hole has left of the lines before it. */
  private behindZeros(from: number, end: number): number {
    let at = from;
    for (let step = 1; at < end; step = Math.min(step * 2, STRIDE_MAX_BYTES)) {
      const before = at;
      this.need(at, Math.min(end, at + step));
      const have = Math.min(end, this.from + this.have);
      while (at < have && this.bytes[at - this.from] === 0) at++;
      if (at < have || have <= before) return at;
    }
    return at;
  }

  /** Makes [from, to) of the file available; less where the file has been cut. */
  private need(from: number, to: number): void {
    if (from >= this.from && to <= this.from + this.have) return;
    const wanted = Math.min(this.size - from, Math.max(PROBE_BYTES, to - from));
    if (wanted > this.bytes.length) this.bytes = Buffer.allocUnsafeSlow(wanted);
    this.from = from;
    this.have = 0;
    while (this.have < wanted) {
      const got = readSync(this.fd, this.bytes, this.have, wanted - this.have, from + this.have);
      if (got === 0) return;
      this.have += got;
    }
  }
}

/**
 * The first line whose time is not before `timeMs`.
 *
 * @param size where the file's last whole line ends
 * @returns null when every line is earlier
 */
export function firstLineAt(fd: number, size: number, timeMs: number): TimedLine | null {
  const probe = new LineProbe(fd, size);
  let answer: TimedLine | null = null;
  /** A line begins here, and everything before it is too early. */
  let low = 0;
  /** No line that begins here or later is the answer, but for `answer` itself. */
  let high = size;
  while (high - low > LINEAR_BYTES) {
    const middle = low + Math.floor((high - low) / 2);
    const begin = probe.endOfLine(middle);
    const line = begin === null ? null : probe.timedLine(begin, high);
    if (line === null) {
      high = middle + 1;
    } else if (line.timeMs < timeMs) {
      low = line.end;
    } else {
      answer = line;
      high = line.start;
    }
  }
  for (let line = probe.timedLine(low, high); line !== null; line = probe.timedLine(line.end, high)) {
    if (line.timeMs >= timeMs) return line;
  }
  return answer;
}
