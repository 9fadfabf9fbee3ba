import { describe, expect, test } from "bun:test";
import { type EventBatch, OBJECT_AT, PID } from "../../src/decode/fan.ts";
import * as abi from "../../src/kernel/abi.ts";
import { ReadAhead } from "../../src/resolve/read-ahead.ts";
import { at, event, inode, object } from "../decode/fan-bytes.ts";
import { Queue } from "./queue.ts";
import { filesystemWith } from "./watches.ts";

/** Events that are told apart by their pid. */
const numbered = (first: number, count: number) =>
  Array.from({ length: count }, (_, i) => event(abi.FAN_CREATE, first + i, at(inode(2), `f${i}`)));
const pids = (batch: EventBatch) => Array.from({ length: batch.count }, (_, i) => batch.get(i, PID));
const removed = (pid: number, directory: number, name: string) =>
  event(abi.FAN_DELETE | abi.FAN_ONDIR, pid, at(inode(2), name), object(inode(directory)));

/** Small enough that a few events fill them. */
const BATCH_BYTES = 16384;
const CHUNK_BYTES = 8192;

describe("ReadAhead", () => {
  test("hands out what it has read ahead in its turn, and nothing twice", () => {
    const queue = new Queue(...numbered(0, 10));
    const ahead = new ReadAhead(queue, BATCH_BYTES, CHUNK_BYTES);
    expect(ahead.next()).toBe(true);
    expect(pids(ahead.batch)).toEqual(numbered(0, 10).map((_, i) => i));
    queue.add(...numbered(10, 500));
    expect(ahead.readAll()).toBe(true);
    expect([queue.pendingEvents(), ahead.pendingEvents(), ahead.isAhead]).toEqual([0, 500, true]);
    expect(ahead.readAll()).toBe(false);
    queue.add(...numbered(510, 3));
    const seen: number[] = [];
    let emptied = false;
    for (let round = 0; round < 20 && !emptied; round++) {
      emptied = ahead.next();
      seen.push(...pids(ahead.batch));
    }
    expect(emptied).toBe(true);
    expect(seen).toEqual(Array.from({ length: 503 }, (_, i) => 10 + i));
    expect(ahead.isAhead).toBe(false);
  });

  test("finds the first clue at or behind a place, wherever its event is by then", () => {
    const { fs } = filesystemWith([]);
    const queue = new Queue(removed(1, 50, "a"), ...numbered(2, 3), removed(5, 50, "b"));
    const ahead = new ReadAhead(queue, BATCH_BYTES, CHUNK_BYTES);
    ahead.next();
    queue.add(...numbered(6, 200), removed(206, 50, "c"), removed(207, 51, "other"));
    ahead.readAll();
    const first = (place: number) => ahead.clues.first(fs, inode(50), place)?.get(0, PID);
    const { batch } = ahead;
    expect([0, 1, 4].map((row) => first(batch.placeOf(row)))).toEqual([1, 5, 5]);
    expect(first(batch.endsAt)).toBe(206);
    const behind = ahead.clues.first(fs, inode(50), batch.endsAt)!.startsAt;
    while (!ahead.next()) expect(first(batch.startsAt)).toBe(206);
    expect(first(batch.startsAt)).toBe(206);
    expect(batch.get(batch.rowAt(behind), PID)).toBe(206);
    expect(first(behind + 1)).toBeUndefined();
    expect(ahead.clues.first(fs, inode(52), 0)).toBeNull();
  });

  test("knows the last event in a directory, though the batch was full before it", () => {
    const inside = (pid: number) => event(abi.FAN_CREATE, pid, at(inode(50), "x"), object(inode(60)));
    const made = event(
      abi.FAN_CREATE | abi.FAN_DELETE | abi.FAN_ONDIR,
      0,
      at(inode(2), "d"),
      object(inode(50)),
    );
    const queue = new Queue(made, inside(1), ...numbered(2, 400), inside(402), ...numbered(403, 5));
    const ahead = new ReadAhead(queue, BATCH_BYTES, CHUNK_BYTES);
    expect(ahead.next()).toBe(false);
    const { batch } = ahead;
    const last = ahead.lastIn(batch.bytes, batch.get(0, OBJECT_AT));
    while (batch.endsAt <= last) ahead.next();
    expect(batch.get(batch.rowAt(last), PID)).toBe(402);
    expect(ahead.lastIn(inode(51), 0)).toBe(-1);
  });

  test("counts the death of a file as an event in its directory, if it was made and removed within one", () => {
    const file = event(abi.FAN_CREATE | abi.FAN_DELETE, 1, at(inode(50), "f"), object(inode(60)));
    const death = event(abi.FAN_DELETE_SELF, 1, object(inode(60)));
    const ahead = new ReadAhead(new Queue(file, ...numbered(2, 3), death, ...numbered(5, 2)));
    ahead.next();
    expect(ahead.lastIn(inode(50), 0)).toBe(ahead.batch.placeOf(4));
  });

  test("forgets clues once the queue was empty", () => {
    const { fs } = filesystemWith([]);
    const queue = new Queue(removed(1, 50, "a"));
    const ahead = new ReadAhead(queue);
    ahead.next();
    ahead.cover();
    expect(ahead.clues.empty).toBe(false);
    ahead.next();
    expect(ahead.clues.empty).toBe(true);
    expect(ahead.clues.first(fs, inode(50), 0)).toBeNull();
  });
});
