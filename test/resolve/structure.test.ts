import { describe, expect, test } from "bun:test";
import {
  directoryAppeared,
  entryExchanged,
  entryGone,
  fileAppeared,
  isExpected,
} from "../../src/resolve/structure.ts";
import { inode } from "../decode/fan-bytes.ts";
import { anchor, expectation, filesystemWith, shown, Told, watch } from "./watches.ts";

/** A name in the middle of other bytes, as it stands in a batch. */
function named(name: string): [bytes: Uint8Array, nameAt: number, nameBytes: number] {
  return [Buffer.from(`..${name}..`), 2, Buffer.byteLength(name)];
}

/** "/a/b/c" is managed; of it "/" and "/a" are there. */
function waiting() {
  const { fs, node } = filesystemWith(["/a"]);
  const managed = watch("/a/b/c");
  expectation(fs, node(""), managed, "", "a");
  expectation(fs, node("/a"), managed, "/a", "b");
  return { fs, node, managed, told: new Told() };
}

describe("isExpected()", () => {
  test("is true for the entry that leads to a managed path alone", () => {
    const { fs, node } = waiting();
    expect(isExpected(fs, node("/a"), ...named("b"))).toBe(true);
    expect(isExpected(fs, node("/a"), ...named("bb"))).toBe(false);
    expect(isExpected(fs, node(""), ...named("b"))).toBe(false);
  });
});

describe("directoryAppeared()", () => {
  test("follows components that are made one by one, without a look at the disk", () => {
    const { fs, node, told } = waiting();
    const b = fs.tree.put(inode(50), 0, node("/a"), Buffer.from("b"));
    directoryAppeared(fs, node("/a"), ...named("b"), b, false, null, told);
    expect(told.words).toEqual([]);
    expect(isExpected(fs, b, ...named("c"))).toBe(true);
    expect(shown(fs.placesOf(b))).toEqual(["/a/b/c: /a/b -1 only c"]);
    const c = fs.tree.put(inode(51), 0, b, Buffer.from("c"));
    directoryAppeared(fs, b, ...named("c"), c, false, null, told);
    expect(told.words).toEqual(["appeared /a/b/c"]);
    expect(shown(fs.placesOf(c))).toEqual(["/a/b/c: /a/b/c 0"]);
    expect(fs.unscanned).toEqual([]);
  });

  test("asks for a look at the disk when a directory above was moved into place", () => {
    const { fs, node, told } = waiting();
    const b = fs.tree.put(inode(50), 0, node("/a"), Buffer.from("b"));
    directoryAppeared(fs, node("/a"), ...named("b"), b, true, null, told);
    expect(told.words).toEqual(["attach /a/b/c"]);
  });

  test("has the managed path scanned when it was moved into place itself", () => {
    const { fs, node } = filesystemWith(["/a"]);
    const managed = watch("/a/b");
    const told = new Told();
    expectation(fs, node("/a"), managed, "/a", "b");
    const b = fs.tree.put(inode(50), 0, node("/a"), Buffer.from("b"));
    directoryAppeared(fs, node("/a"), ...named("b"), b, true, null, told);
    expect(told.words).toEqual(["appeared /a/b"]);
    expect(fs.unscanned).toEqual([b]);
  });

  test("follows a path directly below the root, and a component beyond ASCII", () => {
    const { fs, node } = filesystemWith([]);
    const managed = watch("/日本/é");
    expectation(fs, node(""), managed, "", "日本");
    const first = fs.tree.put(inode(50), 0, node(""), Buffer.from("日本"));
    directoryAppeared(fs, node(""), ...named("日本"), first, false, null, new Told());
    expect(shown(fs.placesOf(first))).toEqual(["/日本/é: /日本 -1 only é"]);
  });

  test("serves each managed path that waits for the same entry, and no other", () => {
    const { fs, node, told } = waiting();
    expectation(fs, node("/a"), watch("/a/b"), "/a", "b");
    expectation(fs, node("/a"), watch("/a/other"), "/a", "other");
    const b = fs.tree.put(inode(50), 0, node("/a"), Buffer.from("b"));
    directoryAppeared(fs, node("/a"), ...named("b"), b, false, null, told);
    expect(told.words).toEqual(["appeared /a/b"]);
    expect(shown(fs.placesOf(b)).sort()).toEqual(["/a/b/c: /a/b -1 only c", "/a/b: /a/b 0"]);
  });
});

describe("entryGone()", () => {
  test("takes the managed path's own anchor and what stands below the entry, and leaves what is above", () => {
    const { fs, node } = filesystemWith(["/a", "/a/b", "/a/b/c"]);
    const managed = watch("/a/b/c");
    const told = new Told();
    expectation(fs, node(""), managed, "", "a");
    expectation(fs, node("/a"), managed, "/a", "b");
    expectation(fs, node("/a/b"), managed, "/a/b", "c");
    anchor(fs, node("/a/b/c"), managed);
    entryGone(fs, node("/a"), ...named("b"), told);
    expect(told.words).toEqual(["vanished /a/b/c"]);
    expect(fs.placesOf(node("/a/b/c"))).toEqual([]);
    expect(isExpected(fs, node("/a/b"), ...named("c"))).toBe(false);
    // It is followed again when it comes back.
    expect(isExpected(fs, node("/a"), ...named("b"))).toBe(true);
    expect(isExpected(fs, node(""), ...named("a"))).toBe(true);
  });

  test("says nothing for entries that lead to no managed path", () => {
    const { fs, node, told } = waiting();
    entryGone(fs, node("/a"), ...named("x"), told);
    entryGone(fs, node(""), ...named("b"), told);
    expect(told.words).toEqual([]);
    expect(isExpected(fs, node("/a"), ...named("b"))).toBe(true);
  });

  test("tells each managed path behind the entry", () => {
    const { fs, node, told } = waiting();
    expectation(fs, node("/a"), watch("/a/b"), "/a", "b");
    entryGone(fs, node("/a"), ...named("b"), told);
    expect(told.words).toEqual(["vanished /a/b/c", "vanished /a/b"]);
  });
});

describe("fileAppeared()", () => {
  test("tells the managed path whose name it has, and nobody who waits for a directory", () => {
    const { fs, node, told } = waiting();
    fileAppeared(fs, node("/a"), ...named("b"), told);
    expect(told.words).toEqual([]);
    const file = watch("/a/f");
    expectation(fs, node("/a"), file, "/a", "f");
    fileAppeared(fs, node("/a"), ...named("f"), told);
    expect(told.words).toEqual(["entry /a/f"]);
  });
});

describe("entryExchanged()", () => {
  test("has those looked for that are reached through it, and scanned anew", () => {
    const { fs, node, managed, told } = waiting();
    fs.scanFrom(node("/a"), managed);
    fs.unscanned.length = 0;
    entryExchanged(fs, node("/a"), ...named("bb"), null, told);
    expect(told.words).toEqual([]);
    entryExchanged(fs, node("/a"), ...named("b"), null, told);
    expect(told.words).toEqual(["attach /a/b/c"]);
    fs.scanFrom(node("/a"), managed);
    expect(fs.unscanned).toEqual([node("/a")]);
  });
});
