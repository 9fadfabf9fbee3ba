// What a log holds in memory while it can't be written: whole batches up to a bound, and a count of those beyond it.
// Batches go in, batches come out in the same order; what had to be dropped becomes one GAP. No I/O here.
import type { GapReason } from "../event.ts";
import type { Gap } from "./state.ts";
import { lineTimeBytes } from "./time.ts";

/** Kept for one log while its disk is full or broken: 4 MiB is some 25,000 lines, seconds of a storm and hours of ordinary life. */
export const BACKLOG_MAX_BYTES = 4 * 1024 * 1024;
/** Kept for all logs together: thousands may lie on one full disk, and a daemon that grows with them is killed for it. */
export const ALL_BACKLOGS_MAX_BYTES = 64 * 1024 * 1024;
/** State lines are few and explain the rest, so they get room of their own: some 200 lines. */
const STATE_MAX_BYTES = 64 * 1024;

export interface KeptBatch {
  bytes: Uint8Array;
  /** Events among the lines; state lines don't count as lost events. */
  eventCount: number;
  timeMs: number;
  /** The one that its line tells of. */
  gap: Gap | undefined;
}

/** Of all outages that last. */
let keptByAllBytes = 0;

export class Outage {
  readonly reason: GapReason;
  /** Time of the first batch that could not be written. */
  readonly sinceMs: number;
  private readonly batches: KeptBatch[] = [];
  private heldBytes = 0;
  private lostCount = 0;
  private hasLostGap = false;
  private firstLostMs: number | null = null;
  /** From when on something is missing should nothing that waits be written. */
  private keptFromMs = Number.POSITIVE_INFINITY;

  constructor(reason: GapReason, sinceMs: number) {
    this.reason = reason;
    this.sinceMs = sinceMs;
  }

  /** Events dropped so far. */
  get lost(): number {
    return this.lostCount;
  }

  /** What is missing so far. Without a count where a GAP line is lost as well: it told of events that nobody has counted. */
  gap(toMs: number): Gap {
    const lost = this.hasLostGap ? null : this.lostCount;
    return { reason: this.reason, fromMs: this.gapFromMs, toMs, lost };
  }

  get keptBytes(): number {
    return this.heldBytes;
  }

  /**
   * Copies whole lines, or counts them as lost. Once events were dropped, all later ones are: the GAP stays one span.
   *
   * @param eventCount 0 for state lines
   * @param gap what a GAP line tells of: were it lost, the next one has to begin with it
   */
  keep(bytes: Uint8Array, eventCount: number, timeMs: number, gap?: Gap): void {
    if (bytes.length === 0) return;
    const firstMs = lineTimeBytes(bytes, 0);
    const fromMs = Math.min(gap?.fromMs ?? timeMs, Number.isNaN(firstMs) ? timeMs : firstMs);
    if (
      eventCount === 0 ? this.fits(bytes, STATE_MAX_BYTES) : this.firstLostMs === null && this.fits(bytes, 0)
    ) {
      // Not slice(): a Buffer's makes a view, and the caller uses its buffer again.
      this.batches.push({
        bytes: Uint8Array.from(bytes),
        eventCount,
        timeMs,
        gap,
      });
      this.count(bytes.length);
      this.keptFromMs = Math.min(this.keptFromMs, fromMs);
      return;
    }
    this.firstLostMs = Math.min(this.firstLostMs ?? fromMs, fromMs);
    this.lostCount += eventCount;
    if (gap !== undefined) this.hasLostGap = true;
  }

  private fits({ length }: Uint8Array, moreBytes: number): boolean {
    return (
      this.heldBytes + length <= BACKLOG_MAX_BYTES + moreBytes &&
      (moreBytes > 0 || keptByAllBytes + length <= ALL_BACKLOGS_MAX_BYTES)
    );
  }

  private count(sizeBytes: number): void {
    this.heldBytes += sizeBytes;
    keptByAllBytes += sizeBytes;
  }

  /** The oldest kept batch. */
  first(): KeptBatch | undefined {
    return this.batches[0];
  }

  /** The first `writtenBytes` of the oldest batch (whole lines) are in the file. */
  firstWritten(writtenBytes: number): void {
    const batch = this.batches[0];
    if (batch === undefined) return;
    this.count(-writtenBytes);
    if (writtenBytes >= batch.bytes.length) {
      this.batches.shift();
      return;
    }
    const left = batch.bytes.slice(writtenBytes);
    const eventCount = Math.min(batch.eventCount, countLines(left));
    this.batches[0] = { ...batch, bytes: left, eventCount };
  }

  /** Everything kept that will never be written: counted as lost. */
  giveUp(): number {
    if (this.batches.length > 0) this.firstLostMs = Math.min(this.gapFromMs, this.sinceMs, this.keptFromMs);
    for (const { eventCount, gap } of this.batches) {
      this.lostCount += eventCount;
      if (gap !== undefined) this.hasLostGap = true;
    }
    this.batches.length = 0;
    this.count(-this.heldBytes);
    return this.lostCount;
  }

  /** From when on something may be missing. */
  get gapFromMs(): number {
    return this.firstLostMs ?? this.sinceMs;
  }
}

export function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}

/** Which GAP reason an errno stands for. */
export function gapReasonOf(code: string): GapReason {
  return code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG" ? "disk_full" : "write_error";
}
