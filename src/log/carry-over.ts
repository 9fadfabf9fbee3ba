// Lines that stand in a file which has lost its name, on their way into the file that has it now.
// Descriptors with ranges go in, whole lines come out in order; a descriptor is closed when its lines are written.
import { closeQuietly } from "./open.ts";
import { lastTimeBefore, readRange } from "./tail.ts";
import { lineTimeBytes } from "./time.ts";

interface Leftover {
  fd: number;
  from: number;
  to: number;
}

/** A block holds at least one line of the longest kind (1 MiB), so that every block has a newline. */
const BLOCK_BYTES = 1024 * 1024 + 4096;

export class CarryOver {
  private readonly leftovers: Leftover[] = [];

  get pending(): boolean {
    return this.leftovers.length > 0;
  }

  /** Takes the descriptor over. [from, to) are whole lines. */
  add(fd: number, from: number, to: number): void {
    if (from < to) this.leftovers.push({ fd, from, to });
    else closeQuietly(fd);
  }

  /** Time of the first line that waits; null when none does, or when it isn't one of ours. */
  firstTimeMs(): number | null {
    const first = this.leftovers[0];
    if (first === undefined) return null;
    const timeMs = lineTimeBytes(readRange(first.fd, first.from, first.from + 64), 0);
    return Number.isNaN(timeMs) ? null : timeMs;
  }

  /**
   * Hands every waiting line to `put`. What `put` throws goes through, and the next run begins after the lines that were
   * written by then.
   *
   * @returns false when some lines could not be read and were given up
   */
  run(put: (lines: Uint8Array, beginMs: number, timeMs: number) => void): boolean {
    let complete = true;
    for (let first = this.leftovers[0]; first !== undefined; first = this.leftovers[0]) {
      while (first.from < first.to) {
        const block = nextBlock(first);
        if (block === null) {
          complete = false;
          break;
        }
        try {
          put(block.lines, block.beginMs, block.timeMs);
        } catch (error) {
          first.from += writtenBytesOf(error);
          throw error;
        }
        first.from += block.lines.length;
      }
      closeQuietly(first.fd);
      this.leftovers.shift();
    }
    return complete;
  }

  close(): void {
    for (const { fd } of this.leftovers) closeQuietly(fd);
    this.leftovers.length = 0;
  }
}

/** The next whole lines with the times of the first and the last; null when they can't be read. */
function nextBlock(from: Leftover): { lines: Uint8Array; beginMs: number; timeMs: number } | null {
  try {
    const block = readRange(from.fd, from.from, Math.min(from.to, from.from + BLOCK_BYTES));
    const lines = block.subarray(0, block.lastIndexOf(10) + 1);
    if (lines.length === 0) return null;
    const beginMs = lineTimeBytes(lines, 0);
    const lastMs = lastTimeBefore(from.fd, from.from + lines.length, lines.length);
    return { lines, beginMs, timeMs: Number.isFinite(lastMs) ? lastMs : beginMs };
  } catch {
    return null;
  }
}

function writtenBytesOf(error: unknown): number {
  const written = error instanceof Error ? (error as { writtenBytes?: unknown }).writtenBytes : 0;
  return typeof written === "number" ? written : 0;
}
