// A kernel queue made of events by hand.
import { decodeFanEvents, type EventBatch } from "../../src/decode/fan.ts";
import type { EventSource } from "../../src/resolve/read-ahead.ts";

/** Room that a read wants, as the kernel's does. */
const EVENT_MAX_BYTES = 4096;

export class Queue implements EventSource {
  private events: Uint8Array[];

  constructor(...events: readonly Uint8Array[]) {
    this.events = [...events];
  }

  add(...events: readonly Uint8Array[]): void {
    this.events.push(...events);
  }

  fill(batch: EventBatch): boolean {
    while (this.events.length > 0) {
      const from = batch.usedBytes;
      if (batch.bytes.length - from < EVENT_MAX_BYTES) return false;
      const one = this.events.shift()!;
      batch.bytes.set(one, from);
      decodeFanEvents(batch, from, from + one.length);
    }
    return true;
  }

  pendingEvents(): number {
    return this.events.length;
  }

  wait(): void {}
}
