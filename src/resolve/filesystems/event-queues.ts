// All fanotify groups as one queue: bytes of the kernel's into a batch. One group serves every filesystem whose events
// tell by their id where they belong. A filesystem whose id is nothing, or another's as well, gets a group of its own,
// and its events an id of ours as they are read.
import * as fan from "../../decode/fan.ts";
import * as abi from "../../kernel/abi.ts";
import { EVENT_MAX_BYTES, FanotifyGroup } from "../../kernel/fanotify.ts";
import { waitReadable } from "../../kernel/poll.ts";

/**
 * Part of the bound that a group of its own gets: such filesystems are small or slow, and each group could fill its
 * queue.
 */
const OWN_SHARE = 8;
/** Upper half of ids of ours; no filesystem is known to use it. */
export const OWN_FSID_HIGH = 0x66736d6e;

/** A group of its own, and the id that its events get. */
export interface OwnQueue {
  readonly group: FanotifyGroup;
  readonly fsidLow: number;
  readonly fsidHigh: number;
}

export class EventQueues {
  readonly shared: FanotifyGroup;
  private readonly own: OwnQueue[] = [];
  private nextId = 1;
  /** Is told the descriptor of each group that is opened, to wait for its events. */
  onOpen: (fd: number) => void = () => {};

  /** @throws {Failure} when the kernel can't give what is needed */
  constructor(private readonly queueEvents: number) {
    this.shared = FanotifyGroup.open(queueEvents);
  }

  /** @throws {Failure} when there are too many groups */
  openOwn(): OwnQueue {
    const group = FanotifyGroup.open(Math.max(1, Math.floor(this.queueEvents / OWN_SHARE)));
    const queue = { group, fsidLow: this.nextId++, fsidHigh: OWN_FSID_HIGH };
    this.own.push(queue);
    this.onOpen(group.fd);
    return queue;
  }

  /** Its marks go with it, and events of it that weren't read. */
  closeOwn(group: FanotifyGroup): void {
    const at = this.own.findIndex((one) => one.group === group);
    if (at < 0) return;
    this.own.splice(at, 1);
    group.close();
  }

  /** Hot. Reads until all queues are empty or the batch is full. Returns whether they were empty. */
  fill(batch: fan.EventBatch): boolean {
    if (!readAll(this.shared, batch)) return false;
    for (const { group, fsidLow, fsidHigh } of this.own) {
      const from = batch.count;
      const emptied = readAll(group, batch);
      for (let i = from; i < batch.count; i++) adopt(batch, i, fsidLow, fsidHigh);
      if (!emptied) return false;
    }
    return true;
  }

  /** Events that wait now. */
  pendingEvents(): number {
    let events = this.shared.pendingEvents();
    for (const { group } of this.own) events += group.pendingEvents();
    return events;
  }

  /** Waits for an event, at most so many milliseconds. */
  wait(timeoutMs: number): void {
    waitReadable(this.shared.fd, timeoutMs);
  }

  close(): void {
    this.shared.close();
    for (const { group } of this.own) group.close();
    this.own.length = 0;
  }
}

/**
 * Not until a read finds nothing: that would run after a busy writer, a few events at a time, and keep the kernel from
 * merging them.
 */
function readAll(group: FanotifyGroup, batch: fan.EventBatch): boolean {
  while (batch.bytes.length - batch.usedBytes >= EVENT_MAX_BYTES) {
    const from = batch.usedBytes;
    const got = group.read(from === 0 ? batch.bytes : batch.bytes.subarray(from));
    fan.decodeFanEvents(batch, from, from + got);
    if (group.emptied) return true;
  }
  return false;
}

/**
 * Gives an event an id of ours: in the row, and in the bytes of its records, from which events that have to wait are
 * decoded anew.
 */
function adopt(batch: fan.EventBatch, event: number, fsidLow: number, fsidHigh: number): void {
  const { rows, words } = batch;
  const row = event * fan.COLUMNS;
  rows[row + fan.FSID_LOW] = fsidLow;
  rows[row + fan.FSID_HIGH] = fsidHigh;
  for (const column of [fan.DIR_AT, fan.NEW_DIR_AT, fan.OBJECT_AT]) {
    const handleAt = rows[row + column]!;
    if (handleAt < 0) continue;
    const fsidAt = handleAt - abi.INFO_HANDLE + abi.INFO_FSID;
    words[fsidAt >> 2] = fsidLow;
    words[(fsidAt + 4) >> 2] = fsidHigh;
  }
}
