import { describe, expect, test } from "bun:test";
import { entryPath, entryPlaces, ownPlaces } from "../../src/resolve/entry.ts";
import { joinPath, NO_PLACES, type Place, sameBytes } from "../../src/resolve/watch.ts";
import { pathBytes, watch } from "./watches.ts";

function place(path: string, recursive: boolean, depth: number, onlyName: string | null = null): Place {
  return {
    watch: watch(path, { recursive }),
    path: pathBytes(path),
    depth,
    onlyName: onlyName === null ? null : Buffer.from(onlyName),
    cached: null,
  };
}

const bytes = Buffer.from("..name..");
const entryOf = (places: readonly Place[]) => entryPlaces(places, bytes, 2, 4);

describe("entryPlaces()", () => {
  test("is the same array when every place wants the entry", () => {
    const places = [place("/w", true, 7), place("/w/a", false, 0)];
    expect(entryOf(places)).toBe(places);
  });

  test("leaves out a directory below a non-recursive path: what is in it isn't managed", () => {
    const wanting = place("/w", true, 2);
    expect(entryOf([place("/w", false, 1), wanting])).toEqual([wanting]);
    expect(entryOf([place("/w", false, 1)])).toBe(NO_PLACES);
  });

  test("takes from the directory above a managed path that one name only", () => {
    const above = place("/w", true, -1, "name");
    expect(entryOf([above])).toEqual([above]);
    for (const other of ["nam", "names", "Name", ""])
      expect(entryOf([place("/w", true, -1, other)])).toBe(NO_PLACES);
  });
});

describe("ownPlaces()", () => {
  test("leaves out those that only look for one entry", () => {
    const whole = place("/w", true, 0);
    expect(ownPlaces([place("/w", true, -1, "a"), whole])).toEqual([whole]);
    const places = [whole];
    expect(ownPlaces(places)).toBe(places);
  });
});

describe("entryPath()", () => {
  const text = (path: string, at: number, length: number) =>
    Buffer.from(entryPath(place(path, true, 0), bytes, at, length)).toString();
  test("joins directory and name, also below the root", () => {
    expect(text("/w", 2, 4)).toBe("/w/name");
    expect(text("/", 2, 4)).toBe("/name");
  });
  test("is the directory itself without a name", () => {
    expect(text("/w", 0, 0)).toBe("/w");
    expect(text("/", 0, 0)).toBe("/");
  });
});

describe("joinPath() and sameBytes()", () => {
  test("take names of any bytes", () => {
    const path = joinPath(Uint8Array.of(0x2f, 0x61), Uint8Array.of(0xff, 0x0a));
    expect([...path]).toEqual([0x2f, 0x61, 0x2f, 0xff, 0x0a]);
    expect(sameBytes(Uint8Array.of(0xff, 0x0a), path, 3, 2)).toBe(true);
    expect(sameBytes(Uint8Array.of(0xff, 0x0a), path, 3, 1)).toBe(false);
    expect(sameBytes(Uint8Array.of(0xff), path, 4, 1)).toBe(false);
  });
});
