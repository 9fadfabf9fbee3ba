// A few megabytes of lines that are sorted in memory. Lines go in as they come; they leave sorted by time, and lines of one time
// in the order in which they came. Hot.
import type { Spool } from "./spool.ts";

const NEWLINE = 10;
/** Time and place share one number, so that the engine's own number sort can be used: 2^16 lines, and 2^37 ms (four years) of whole milliseconds. */
const PLACES = 2 ** 16;
const SPAN_MAX_MS = 2 ** 37;

export class SortChunk {
  private readonly bytes: Buffer;
  private readonly sorted: Buffer;
  private readonly keys = new Float64Array(PLACES);
  private readonly places = new Uint32Array(PLACES);
  private readonly starts = new Uint32Array(PLACES);
  private readonly timesMs = new Float64Array(PLACES);
  private used = 0;
  private count = 0;

  constructor(sizeBytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(sizeBytes);
    this.sorted = Buffer.allocUnsafeSlow(sizeBytes);
  }

  /** @returns false when there is no room for it: flush() makes some, unless the line is longer than a chunk */
  add(bytes: Buffer, from: number, to: number, timeMs: number): boolean {
    if (this.count === PLACES || this.used + (to - from) + 1 > this.bytes.length) return false;
    this.starts[this.count] = this.used;
    this.timesMs[this.count++] = timeMs;
    this.used += bytes.copy(this.bytes, this.used, from, to);
    this.bytes[this.used++] = NEWLINE;
    return true;
  }

  /** Writes the lines in order and forgets them. @returns the time of the first; null when there were none */
  flush(spool: Spool): number | null {
    if (this.count === 0) return null;
    const sorted = this.sorted;
    const order = this.order();
    let at = 0;
    for (let i = 0; i < order.length; i++) {
      const place = order[i]!;
      const end = place + 1 < this.count ? this.starts[place + 1]! : this.used;
      at += this.bytes.copy(sorted, at, this.starts[place]!, end);
    }
    spool.write(sorted.subarray(0, at));
    const headMs = this.timesMs[order[0]!]!;
    this.used = 0;
    this.count = 0;
    return headMs;
  }

  /** The places of the lines in the order of their times. */
  private order(): Uint32Array {
    const timesMs = this.timesMs.subarray(0, this.count);
    let [low, high] = [timesMs[0]!, timesMs[0]!];
    let whole = true;
    for (let i = 0; i < timesMs.length; i++) {
      const timeMs = timesMs[i]!;
      if (!Number.isInteger(timeMs)) whole = false;
      if (timeMs < low) low = timeMs;
      if (timeMs > high) high = timeMs;
    }
    const order = this.places.subarray(0, timesMs.length);
    if (whole && high - low < SPAN_MAX_MS) {
      const keys = this.keys.subarray(0, timesMs.length);
      for (let i = 0; i < keys.length; i++) keys[i] = (timesMs[i]! - low) * PLACES + i;
      keys.sort();
      for (let i = 0; i < keys.length; i++) order[i] = keys[i]! % PLACES;
      return order;
    }
    for (let i = 0; i < order.length; i++) order[i] = i;
    return order.sort((a, b) => timesMs[a]! - timesMs[b]! || a - b);
  }
}
