import { describe, expect, test } from "bun:test";
import * as abi from "../../../src/kernel/abi.ts";
import { directoryTypes, fileTypes, Rescan } from "../../../src/resolve/filesystems/rescan.ts";

const FROM = 1_000_000;
const TO = 2_000_000;
const BEFORE = 500_000;
const WITHIN = 1_500_000;
const AFTER = 2_500_000;
const rescan = () => new Rescan("queue_overflow", FROM, TO);
const WRITTEN = abi.FAN_MODIFY | abi.FAN_CLOSE_WRITE;

describe("what times tell of a file", () => {
  const types = (bornMs: number, writtenMs: number, changedMs: number, sizeBytes = 1, regular = true) =>
    fileTypes({ bornMs, writtenMs, changedMs, sizeBytes, regular }, rescan());

  test("nothing of one that was left alone, or touched before or after only", () => {
    expect(types(BEFORE, BEFORE, BEFORE)).toBe(0);
    expect(types(AFTER, AFTER, AFTER)).toBe(0);
    expect(types(BEFORE, AFTER, AFTER)).toBe(0);
  });

  test("made and written, made and left empty, written, changed", () => {
    expect(types(WITHIN, WITHIN, WITHIN)).toBe(abi.FAN_CREATE | WRITTEN);
    expect(types(WITHIN, WITHIN, WITHIN, 0)).toBe(abi.FAN_CREATE);
    expect(types(BEFORE, WITHIN, WITHIN)).toBe(WRITTEN);
    expect(types(BEFORE, WITHIN, WITHIN, 0)).toBe(WRITTEN);
    expect(types(BEFORE, BEFORE, WITHIN)).toBe(abi.FAN_ATTRIB);
  });

  test("one that was made within it and given an old time was written too", () => {
    expect(types(WITHIN, BEFORE, WITHIN)).toBe(abi.FAN_CREATE | WRITTEN);
  });

  test("what was touched again after it still counts", () => {
    expect(types(WITHIN, AFTER, AFTER)).toBe(abi.FAN_CREATE | WRITTEN);
    expect(types(BEFORE, WITHIN, AFTER)).toBe(WRITTEN);
  });

  test("a symlink is made, never written", () => {
    expect(types(WITHIN, WITHIN, WITHIN, 5, false)).toBe(abi.FAN_CREATE);
  });

  test("without births, a new file shows as written", () => {
    expect(types(Number.NaN, WITHIN, WITHIN)).toBe(WRITTEN);
  });

  test("a tick before the gap belongs to it: the kernel's stamps lag behind", () => {
    expect(types(BEFORE, FROM - 8, FROM - 8)).toBe(WRITTEN);
    expect(types(BEFORE, FROM - 20, FROM - 20)).toBe(0);
  });
});

describe("what times tell of a directory", () => {
  const ALL = "unknown, and all others were known";
  const types = (
    bornMs: number,
    writtenMs: number,
    changedMs: number,
    known: "here" | "unknown" | typeof ALL,
  ) => directoryTypes({ bornMs, writtenMs, changedMs, sizeBytes: 0 }, rescan(), known);

  test("known: nothing but its attributes", () => {
    expect(types(WITHIN, WITHIN, WITHIN, "here")).toBe(0);
    expect(types(BEFORE, BEFORE, WITHIN, "here")).toBe(abi.FAN_ATTRIB);
  });

  test("not known, because nothing was: made or changed by its times", () => {
    expect(types(WITHIN, WITHIN, WITHIN, "unknown")).toBe(abi.FAN_CREATE);
    expect(types(BEFORE, WITHIN, WITHIN, "unknown")).toBe(0);
    expect(types(BEFORE, BEFORE, WITHIN, "unknown")).toBe(abi.FAN_ATTRIB);
    expect(types(AFTER, AFTER, AFTER, "unknown")).toBe(0);
  });

  test("not known, though all others were: made, moved here, brought along, or told by an event soon", () => {
    expect(types(WITHIN, WITHIN, WITHIN, ALL)).toBe(abi.FAN_CREATE);
    expect(types(BEFORE, BEFORE, WITHIN, ALL)).toBe(abi.FAN_MOVED_TO);
    expect(types(BEFORE, BEFORE, BEFORE, ALL)).toBe(0);
    expect(types(AFTER, AFTER, AFTER, ALL)).toBe(0);
    expect(types(Number.NaN, WITHIN, WITHIN, ALL)).toBe(abi.FAN_CREATE);
  });
});

describe("Rescan", () => {
  test("has room for 100,000 lines and counts the rest, once", () => {
    const one = rescan();
    for (let i = 0; i < 50_000; i++) expect(one.take(2)).toBe(true);
    expect(one.take(2)).toBe(false);
    expect(one.take(1)).toBe(false);
    expect([one.takeUntold(), one.takeUntold()]).toEqual([3, 0]);
  });

  test("a second loss while the first is being looked into widens it", () => {
    const first = rescan();
    first.take(10);
    const both = Rescan.joined(first, new Rescan("queue_overflow", TO + 5, TO + 9));
    expect([both.gapFromMs, both.toMs]).toEqual([FROM, TO + 9]);
    expect(Rescan.joined(undefined, first)).toBe(first);
  });
});
