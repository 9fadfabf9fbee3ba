import { describe, expect, test } from "bun:test";
import { type Grave, Graves } from "../../../src/resolve/endings/graves.ts";
import { NO_PLACES } from "../../../src/resolve/watch.ts";
import { inode } from "../../decode/fan-bytes.ts";

const grave = (name: string): Grave => ({
  places: NO_PLACES,
  name: Buffer.from(name),
  directory: false,
  pid: 1,
});
/** GRAVES_MAX in src/resolve/graves.ts. */
const MAX = 16384;

describe("Graves", () => {
  test("tells where an object was until it is forgotten", () => {
    const graves = new Graves();
    expect([graves.empty, graves.find("a")]).toEqual([true, undefined]);
    const one = grave("one");
    graves.bury("a", one);
    expect(graves.empty).toBe(false);
    expect(graves.find("a")).toBe(one);
    graves.forget("a");
    expect([graves.empty, graves.find("a")]).toEqual([true, undefined]);
  });

  test("has the last grave of an object that was buried twice", () => {
    const graves = new Graves();
    const second = grave("second");
    graves.bury("a", grave("first"));
    graves.bury("a", second);
    expect(graves.find("a")).toBe(second);
  });

  test("holds 2048 directories among them, and neither files nor forgotten directories count for that", () => {
    const graves = new Graves();
    const bury = (i: number) => graves.buryDirectory(inode(i), `d${i}`, NO_PLACES, 1);
    graves.bury("file", grave("file"));
    for (let i = 0; i < 2048; i++) bury(i);
    graves.forget("d1");
    bury(2048);
    expect(graves.find("d0")).toBeDefined();
    // Buried again, it is the youngest.
    bury(0);
    bury(2049);
    expect([graves.find("d0"), graves.find("d2"), graves.find("d3"), graves.find("file")]).toEqual([
      expect.anything(),
      undefined,
      expect.anything(),
      expect.anything(),
    ]);
    graves.clear();
    expect(graves.find("d0")).toBeUndefined();
  });

  test(`holds ${MAX} and lets the oldest go first`, () => {
    const graves = new Graves();
    for (let i = 0; i < MAX; i++) graves.bury(`${i}`, grave(`${i}`));
    expect(graves.find("0")).toBeDefined();
    // Buried again, it is the youngest.
    graves.bury("0", grave("again"));
    for (let i = 0; i < 10; i++) graves.bury(`new ${i}`, grave("new"));
    expect(graves.find("0")).toBeDefined();
    for (let i = 1; i <= 10; i++) expect(graves.find(`${i}`)).toBeUndefined();
    for (const key of ["11", `${MAX - 1}`, "new 9"]) expect(graves.find(key)).toBeDefined();
  });

  test("never denies a directory that it holds", () => {
    const graves = new Graves();
    for (let i = 0; i < 1000; i++) graves.buryDirectory(inode(i), `${i}`, NO_PLACES, 1);
    const packed = Buffer.concat([Buffer.alloc(12), inode(999)]);
    expect(graves.mayHoldDirectory(packed, 12)).toBe(true);
    for (let i = 0; i < 1000; i++) expect(graves.mayHoldDirectory(inode(i), 0)).toBe(true);
    expect(graves.find("5")).toMatchObject({ directory: true, name: new Uint8Array(0) });
  });

  test("denies nearly every directory that it doesn't hold", () => {
    const graves = new Graves();
    for (let i = 0; i < 100; i++) graves.buryDirectory(inode(i), `${i}`, NO_PLACES, 1);
    let perhaps = 0;
    for (let i = 1000; i < 11_000; i++) if (graves.mayHoldDirectory(inode(i), 0)) perhaps++;
    expect(perhaps).toBeLessThan(200);
  });

  test("holds nothing after clear()", () => {
    const graves = new Graves();
    graves.bury("a", grave("a"));
    graves.clear();
    expect([graves.empty, graves.find("a")]).toEqual([true, undefined]);
  });
});
