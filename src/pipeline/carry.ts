// The half of an exchange at a batch's end is left to the next batch, where its other half may be.
import type { EventBatch } from "../decode/fan.ts";

/** A few milliseconds: both halves of an exchange are queued by one system call, which may lose its CPU in between. */
const ROUNDS_MAX = 3;

export class Carry {
  /** Batches in a row whose end was left to the next. */
  private rounds = 0;

  /** Something waits for the next batch. */
  get waits(): boolean {
    return this.rounds > 0;
  }

  /**
   * Not for ever: the old name may be there for another reason.
   *
   * @param from first event of the batch that is to wait; -1 for none
   */
  take(batch: EventBatch, from: number): void {
    // Only an event that was left before, and is the first one now, has waited.
    this.rounds = from < 0 ? 0 : from === 0 ? this.rounds + 1 : 1;
    if (this.rounds > ROUNDS_MAX) this.rounds = 0;
    if (this.rounds > 0) batch.carryFrom(from);
  }
}
