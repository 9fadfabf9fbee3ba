// What clients leave behind in memory: the runtime makes a new buffer of whatever arrives, and its collector takes its time, so bad company
// would grow the daemon by tens of megabytes. Where the process has really grown since the last time, it is collected at once.
import { memoryUse } from "../kernel/memory.ts";

/** Of what comes in until memory is looked at, which takes some 40 µs. */
const LOOK_AFTER_BYTES = 64 * 1024;
/** A client by itself, its timers and its reply, whatever it sends. */
const CLIENT_BYTES = 4 * 1024;
/** Growth that is worth a collection, which takes 3 to 11 ms. */
const COLLECT_AFTER_BYTES = 2 * 1024 * 1024;

export class LeftBehind {
  private unlookedBytes = 0;
  /** The least that the process had since the last collection. */
  private leastBytes = Number.POSITIVE_INFINITY;

  byClient(): void {
    this.byBytes(CLIENT_BYTES);
  }

  byBytes(sizeBytes: number): void {
    this.unlookedBytes += sizeBytes;
    if (this.unlookedBytes >= LOOK_AFTER_BYTES) this.byRequest();
  }

  /** A few bytes may have asked for a lot: a pattern is tried on thousands of texts. */
  byRequest(): void {
    this.unlookedBytes = 0;
    const nowBytes = heldBytes();
    this.leastBytes = Math.min(this.leastBytes, nowBytes);
    if (nowBytes - this.leastBytes < COLLECT_AFTER_BYTES) return;
    Bun.gc(true);
    this.leastBytes = heldBytes();
  }
}

/** The runtime's own count of its heap leaves out what its buffers take. */
function heldBytes(): number {
  return memoryUse()?.anonymousBytes ?? 0;
}
