import { describe, expect, test } from "bun:test";
import { type EventBatch, OBJECT_AT, OBJECT_BYTES } from "../../../src/decode/fan.ts";
import * as abi from "../../../src/kernel/abi.ts";
import { findMate, isFileRename, isOn, previousOfProcess } from "../../../src/resolve/endings/orphans.ts";
import { at, batchOf, event, FSID, from, handle, inode, object, to } from "../../decode/fan-bytes.ts";
import { filesystemWith } from "../watches.ts";

const TOP = inode(2);
const FILE = inode(10);
const OTHER = inode(11);
const orphan = (mask: number, file = FILE, pid = 1) => event(mask, pid, object(file));
const create = (file = FILE, pid = 1) => event(abi.FAN_CREATE, pid, at(TOP, "a"), object(file));
const remove = (file = FILE, pid = 1) => event(abi.FAN_DELETE, pid, at(TOP, "a"), object(file));
const unrelated = (count: number) =>
  Array.from({ length: count }, () => event(abi.FAN_OPEN, 9, at(TOP, "z"), object(OTHER)));

/** The filesystem of the events above, and another one on which the same handles mean other files. */
const { fs } = filesystemWith([]);
const CLONE = { low: FSID.low, high: FSID.high + 1 };

const mateOf = (batch: EventBatch, i: number, end = batch.count) =>
  findMate(batch, i + 1, end, fs, batch.bytes, batch.get(i, OBJECT_AT), batch.get(i, OBJECT_BYTES));

describe("findMate()", () => {
  test("finds the DELETE behind an unlinked file's DELETE_SELF", () => {
    expect(mateOf(batchOf(orphan(abi.FAN_DELETE_SELF), remove()), 0)).toBe(1);
  });

  test("finds the CREATE behind a linked file's ATTRIB, other events in between", () => {
    expect(mateOf(batchOf(orphan(abi.FAN_ATTRIB), ...unrelated(20), create()), 0)).toBe(21);
  });

  test("takes the first of several", () => {
    expect(mateOf(batchOf(orphan(abi.FAN_ATTRIB), remove(), remove()), 0)).toBe(1);
  });

  test("takes no other object's, no directory's, none before it, and no event of another kind", () => {
    const mateFor = (...events: Buffer[]) => mateOf(batchOf(orphan(abi.FAN_ATTRIB), ...events), 0);
    expect(mateFor(remove(OTHER))).toBe(-1);
    expect(mateFor(remove(handle([...FILE.subarray(8), 0])))).toBe(-1);
    expect(mateFor(event(abi.FAN_DELETE | abi.FAN_ONDIR, 1, at(TOP, "a"), object(FILE)))).toBe(-1);
    expect(mateFor(event(abi.FAN_MODIFY, 1, at(TOP, "a"), object(FILE)))).toBe(-1);
    expect(mateOf(batchOf(remove(), orphan(abi.FAN_ATTRIB)), 1)).toBe(-1);
  });

  test("looks no further than it is told, nor than there are events", () => {
    const batch = batchOf(orphan(abi.FAN_ATTRIB), ...unrelated(5), remove());
    expect(mateOf(batch, 0, 6)).toBe(-1);
    expect(mateOf(batch, 0, 7)).toBe(6);
    expect(mateOf(batchOf(orphan(abi.FAN_ATTRIB)), 0, 1000)).toBe(-1);
  });

  test("takes no object of another filesystem, though its handle is the same", () => {
    const there = event(abi.FAN_DELETE, 1, at(TOP, "a", CLONE), object(FILE, CLONE));
    expect(mateOf(batchOf(orphan(abi.FAN_DELETE_SELF), there), 0)).toBe(-1);
    expect(mateOf(batchOf(orphan(abi.FAN_DELETE_SELF), there, remove()), 0)).toBe(2);
  });

  test("takes a handle from other bytes than the batch's: of an orphan from the batch before", () => {
    const kept = Uint8Array.from(FILE);
    expect(findMate(batchOf(...unrelated(1), remove()), 0, 2, fs, kept, 0, kept.length)).toBe(1);
  });
});

describe("isOn()", () => {
  test("wants both halves of the filesystem's id", () => {
    const ids = [FSID, CLONE, { low: FSID.low + 1, high: FSID.high }];
    const batch = batchOf(...ids.map((id) => event(abi.FAN_DELETE, 1, at(TOP, "a", id), object(FILE, id))));
    expect([0, 1, 2].map((i) => isOn(fs, batch, i))).toEqual([true, false, false]);
  });
});

describe("isFileRename()", () => {
  test("is true for renames of what is no directory", () => {
    const rename = (extra: number) =>
      event(abi.FAN_RENAME | extra, 1, from(TOP, "new"), to(TOP, "a"), object(OTHER));
    const batch = batchOf(rename(0), rename(abi.FAN_ONDIR), create());
    expect([0, 1, 2].map((i) => isFileRename(batch, i))).toEqual([true, false, false]);
  });
});

describe("previousOfProcess()", () => {
  test("passes over the events of other processes", () => {
    const batch = batchOf(
      create(FILE, 1),
      create(FILE, 2),
      ...unrelated(3),
      create(FILE, 1),
      create(FILE, 3),
    );
    expect([5, 1, 0, 6].map((i) => previousOfProcess(batch, i))).toEqual([0, -1, -1, -1]);
    expect(previousOfProcess(batch, 4)).toBe(3);
  });
});
