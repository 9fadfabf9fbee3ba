import { describe, expect, test } from "bun:test";
import type { EventBatch } from "../../../src/decode/fan.ts";
import * as abi from "../../../src/kernel/abi.ts";
import { Deaths } from "../../../src/resolve/endings/deaths.ts";
import { at, batchOf, event, FSID, inode, object } from "../../decode/fan-bytes.ts";

const TOP = inode(2);
const FILE = inode(10);
const OTHER = inode(11);
/** A cloned image: the same handles mean other files. */
const CLONE = { low: FSID.low, high: FSID.high + 1 };
const orphan = (mask: number, file = FILE) => event(mask, 1, object(file));
const unrelated = (count: number) =>
  Array.from({ length: count }, () => event(abi.FAN_OPEN, 9, at(TOP, "z"), object(OTHER)));

function deathOf(batch: EventBatch, row: number): number {
  const deaths = new Deaths();
  deaths.begin(batch);
  return deaths.of(batch, row);
}

describe("the death of an object", () => {
  const madeAndRemoved = event(abi.FAN_CREATE | abi.FAN_DELETE, 1, at(TOP, "a"), object(FILE));

  test("finds the DELETE_SELF behind a file that was made and removed within one event", () => {
    expect(deathOf(batchOf(madeAndRemoved, ...unrelated(3), orphan(abi.FAN_DELETE_SELF)), 0)).toBe(4);
  });

  test("takes only a nameless event of that object", () => {
    expect(deathOf(batchOf(madeAndRemoved, orphan(abi.FAN_DELETE_SELF, OTHER)), 0)).toBe(-1);
    expect(deathOf(batchOf(madeAndRemoved, orphan(abi.FAN_ATTRIB)), 0)).toBe(-1);
    const named = event(abi.FAN_DELETE_SELF, 1, at(TOP, "a"), object(FILE));
    expect(deathOf(batchOf(madeAndRemoved, named), 0)).toBe(-1);
  });

  test("takes none of another filesystem, though its handle is the same", () => {
    const there = event(abi.FAN_DELETE_SELF, 1, object(FILE, CLONE));
    expect(deathOf(batchOf(madeAndRemoved, there), 0)).toBe(-1);
    expect(deathOf(batchOf(madeAndRemoved, there, orphan(abi.FAN_DELETE_SELF)), 0)).toBe(2);
  });
});

describe("many deaths", () => {
  test("each is found, and none of the batch before", () => {
    const count = 3000;
    const files = Array.from({ length: count }, (_, i) => inode(100 + i));
    const made = files.map((file) => event(abi.FAN_CREATE, 1, at(TOP, "a"), object(file)));
    const batch = batchOf(...made, ...files.map((file) => orphan(abi.FAN_DELETE_SELF, file)));
    const deaths = new Deaths();
    deaths.begin(batch);
    expect(files.map((_, i) => deaths.of(batch, i))).toEqual(files.map((_, i) => count + i));
    const next = batchOf(made[0]!);
    expect(deaths.of(next, 0)).toBe(-1);
    deaths.begin(next);
    expect(deaths.of(next, 0)).toBe(-1);
  });
});
