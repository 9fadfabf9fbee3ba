import { describe, expect, test } from "bun:test";
import * as abi from "../../../src/kernel/abi.ts";
import {
  isFileRename,
  isOn,
  linkProcesses,
  previousOfProcess,
} from "../../../src/resolve/endings/orphans.ts";
import { at, batchOf, event, FSID, from, inode, object, to } from "../../decode/fan-bytes.ts";
import { filesystemWith } from "../watches.ts";

const TOP = inode(2);
const FILE = inode(10);
const OTHER = inode(11);
const create = (file = FILE, pid = 1) => event(abi.FAN_CREATE, pid, at(TOP, "a"), object(file));
const unrelated = (count: number) =>
  Array.from({ length: count }, () => event(abi.FAN_OPEN, 9, at(TOP, "z"), object(OTHER)));

/** The filesystem of the events above, and another one on which the same handles mean other files. */
const { fs } = filesystemWith([]);
const CLONE = { low: FSID.low, high: FSID.high + 1 };

describe("isFileRename()", () => {
  test("is true for renames of what is no directory", () => {
    const rename = (extra: number) =>
      event(abi.FAN_RENAME | extra, 1, from(TOP, "new"), to(TOP, "a"), object(OTHER));
    const batch = batchOf(rename(0), rename(abi.FAN_ONDIR), create());
    expect([0, 1, 2].map((i) => isFileRename(batch, i))).toEqual([true, false, false]);
  });
});

describe("linkProcesses()", () => {
  test("passes over the events of other processes", () => {
    const batch = batchOf(
      create(FILE, 1),
      create(FILE, 2),
      ...unrelated(3),
      create(FILE, 1),
      create(FILE, 3),
    );
    const previous = new Int32Array(batch.count);
    linkProcesses(batch, previous);
    expect([...previous]).toEqual([-1, -1, -1, 2, 3, 0, -1]);
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

describe("isOn()", () => {
  test("wants both halves of the filesystem's id", () => {
    const ids = [FSID, CLONE, { low: FSID.low + 1, high: FSID.high }];
    const batch = batchOf(...ids.map((id) => event(abi.FAN_DELETE, 1, at(TOP, "a", id), object(FILE, id))));
    expect([0, 1, 2].map((i) => isOn(fs, batch, i))).toEqual([true, false, false]);
  });
});
