// Events of directories that are gone already and that the tree never knew: while a scan is under way, rm -rf is faster. The
// event of the directory's own removal or renaming is still in the queue and tells its parent and name; until it is read, what
// happened in the directory waits here. Bounded: what doesn't fit is counted as lost.
import { decodeFanEvents, EventBatch, EXTRA } from "../decode/fan.ts";

/** 100 bytes each: 20 MB at the most, and only while a scan is under way. */
const EVENTS_MAX = 200_000;

interface Held {
  bytes: Uint8Array;
  extra: number;
}

export class Limbo {
  private young = new Map<string, Held[]>();
  private old = new Map<string, Held[]>();
  private count = 0;
  /** Events that found no room since they were asked for last. */
  private refused = 0;

  get empty(): boolean {
    return this.count === 0;
  }

  /** @param key of the directory's handle (keys.ts) */
  hold(key: string, batch: EventBatch, event: number): void {
    if (this.count >= EVENTS_MAX) {
      this.refused++;
      return;
    }
    const held = { bytes: batch.copyEvent(event), extra: batch.get(event, EXTRA) };
    const waiting = this.young.get(key);
    if (waiting === undefined) this.young.set(key, [held]);
    else waiting.push(held);
    this.count++;
  }

  has(key: string): boolean {
    return this.young.has(key) || this.old.has(key);
  }

  /** The events of a directory that has become known, in kernel order, as a batch of their own; null when there are none. */
  take(key: string): EventBatch | null {
    const held = [...(this.old.get(key) ?? []), ...(this.young.get(key) ?? [])];
    if (held.length === 0) return null;
    this.old.delete(key);
    this.young.delete(key);
    this.count -= held.length;
    const batch = new EventBatch(held.reduce((sum, one) => sum + one.bytes.length, 0));
    for (const { bytes, extra } of held) {
      const from = batch.usedBytes;
      batch.bytes.set(bytes, from);
      decodeFanEvents(batch, from, from + bytes.length);
      batch.set(batch.count - 1, EXTRA, extra);
    }
    return batch;
  }

  /**
   * The queue was read to its end. What has waited since the time before lay outside every managed path: a directory's removal
   * is queued before its handle goes stale.
   */
  caughtUp(): void {
    for (const held of this.old.values()) this.count -= held.length;
    this.old = this.young;
    this.young = new Map();
  }

  /** How many events were refused since the last call. */
  takeRefused(): number {
    const { refused } = this;
    this.refused = 0;
    return refused;
  }
}
