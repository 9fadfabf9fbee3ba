import { describe, expect, test } from "bun:test";
import type { EventBatch } from "../../../src/decode/fan.ts";
import * as abi from "../../../src/kernel/abi.ts";
import { ObjectRows } from "../../../src/resolve/endings/object-rows.ts";
import { isDeath, isMate } from "../../../src/resolve/endings/orphans.ts";
import { at, batchOf, event, FSID, handle, inode, object } from "../../decode/fan-bytes.ts";
import { filesystemWith } from "../watches.ts";

const TOP = inode(2);
const FILE = inode(10);
const OTHER = inode(11);
/** A cloned image: the same handles mean other files. */
const CLONE = { low: FSID.low, high: FSID.high + 1 };
const orphan = (mask: number, file = FILE) => event(mask, 1, object(file));
const unrelated = (count: number) =>
  Array.from({ length: count }, () => event(abi.FAN_OPEN, 9, at(TOP, "z"), object(OTHER)));

const create = (file = FILE) => event(abi.FAN_CREATE, 1, at(TOP, "a"), object(file));
const remove = (file = FILE) => event(abi.FAN_DELETE, 1, at(TOP, "a"), object(file));

function rowsOf(batch: EventBatch, isWanted: typeof isDeath): ObjectRows {
  const rows = new ObjectRows();
  rows.begin(batch, isWanted);
  return rows;
}

const deathOf = (batch: EventBatch, row: number) => rowsOf(batch, isDeath).after(batch, row);
const mateOf = (batch: EventBatch, row: number) => rowsOf(batch, isMate).after(batch, row);

describe("the mate of a nameless event", () => {
  test("is the DELETE behind an unlinked file's DELETE_SELF", () => {
    expect(mateOf(batchOf(orphan(abi.FAN_DELETE_SELF), remove()), 0)).toBe(1);
  });

  test("is the CREATE behind a linked file's ATTRIB, other events in between", () => {
    expect(mateOf(batchOf(orphan(abi.FAN_ATTRIB), ...unrelated(20), create()), 0)).toBe(21);
  });

  test("is the first of several", () => {
    const batch = batchOf(create(), orphan(abi.FAN_ATTRIB), remove(), create(), remove());
    const mates = rowsOf(batch, isMate);
    expect(mates.after(batch, 1)).toBe(2);
    expect(mates.before(batch, 1)).toBe(0);
    expect(mates.before(batch, 4)).toBe(3);
  });

  test("is the last of several, for a death", () => {
    const batch = batchOf(create(), orphan(abi.FAN_ATTRIB), remove(), create(OTHER), remove());
    const mates = rowsOf(batch, isMate);
    expect(mates.lastAfter(batch, 1)).toBe(4);
    expect(mates.lastAfter(batch, 4)).toBe(-1);
    expect(mates.lastAfter(batchOf(...unrelated(2)), 1)).toBe(-1);
  });

  test("is no other object's, no directory's, none before it, and no event of another kind", () => {
    const mateFor = (...events: Buffer[]) => mateOf(batchOf(orphan(abi.FAN_ATTRIB), ...events), 0);
    expect(mateFor(remove(OTHER))).toBe(-1);
    expect(mateFor(remove(handle([...FILE.subarray(8), 0])))).toBe(-1);
    expect(mateFor(event(abi.FAN_DELETE | abi.FAN_ONDIR, 1, at(TOP, "a"), object(FILE)))).toBe(-1);
    expect(mateFor(event(abi.FAN_MODIFY, 1, at(TOP, "a"), object(FILE)))).toBe(-1);
    expect(mateOf(batchOf(remove(), orphan(abi.FAN_ATTRIB)), 1)).toBe(-1);
  });

  test("is none of another filesystem, though its handle is the same", () => {
    const there = event(abi.FAN_DELETE, 1, at(TOP, "a", CLONE), object(FILE, CLONE));
    expect(mateOf(batchOf(orphan(abi.FAN_DELETE_SELF), there), 0)).toBe(-1);
    expect(mateOf(batchOf(orphan(abi.FAN_DELETE_SELF), there, remove()), 0)).toBe(2);
  });

  test("is found for a handle from the batch before, on its own filesystem only", () => {
    const kept = Uint8Array.from(FILE);
    const { fs } = filesystemWith([]);
    expect(rowsOf(batchOf(...unrelated(1), remove()), isMate).firstOf(fs, kept)).toBe(1);
    const there = event(abi.FAN_DELETE, 1, at(TOP, "a", CLONE), object(FILE, CLONE));
    expect(rowsOf(batchOf(there), isMate).firstOf(fs, kept)).toBe(-1);
    expect(rowsOf(batchOf(remove(OTHER)), isMate).firstOf(fs, kept)).toBe(-1);
  });
});

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
    const deaths = rowsOf(batch, isDeath);
    expect(files.map((_, i) => deaths.after(batch, i))).toEqual(files.map((_, i) => count + i));
    const next = batchOf(made[0]!);
    expect(deaths.after(next, 0)).toBe(-1);
    deaths.begin(next, isDeath);
    expect(deaths.after(next, 0)).toBe(-1);
  });
});
