import { describe, expect, test } from "bun:test";
import { bytesKey } from "../../../src/resolve/filesystems/handle-key.ts";
import type { Mount } from "../../../src/resolve/filesystems/mounts.ts";
import { NO_PLACES } from "../../../src/resolve/watch.ts";
import { inode } from "../../decode/fan-bytes.ts";
import { anchor, expectation, filesystemWith, shown, watch } from "../watches.ts";

const PATHS = ["/w", "/w/a", "/w/a/b", "/w/a/b/c", "/out", "/out/x"];

describe("placesOf()", () => {
  test("covers everything below a recursive path, with path and depth", () => {
    const { fs, node } = filesystemWith(PATHS);
    anchor(fs, node("/w"), watch("/w"));
    expect(shown(fs.placesOf(node("/w")))).toEqual(["/w: /w 0"]);
    expect(shown(fs.placesOf(node("/w/a/b/c")))).toEqual(["/w: /w/a/b/c 3"]);
    expect(shown(fs.placesOf(node("/w/a")))).toEqual(["/w: /w/a 1"]);
  });

  test("finds nothing outside, not even next to a managed path", () => {
    const { fs, node } = filesystemWith([...PATHS, "/wide", "/wide/a"]);
    anchor(fs, node("/w"), watch("/w"));
    for (const path of ["", "/out", "/out/x", "/wide", "/wide/a"])
      expect(fs.placesOf(node(path))).toBe(NO_PLACES);
  });

  test("covers the direct subdirectories of a non-recursive path and nothing deeper", () => {
    const { fs, node } = filesystemWith(PATHS);
    anchor(fs, node("/w"), watch("/w", { recursive: false }));
    expect(shown(fs.placesOf(node("/w")))).toEqual(["/w: /w 0"]);
    expect(shown(fs.placesOf(node("/w/a")))).toEqual(["/w: /w/a 1"]);
    expect(fs.placesOf(node("/w/a/b"))).toBe(NO_PLACES);
    expect(fs.placesOf(node("/w/a/b/c"))).toBe(NO_PLACES);
  });

  test("leaves out what an exclude pattern covers, with everything below it", () => {
    const { fs, node } = filesystemWith(PATHS);
    anchor(fs, node("/w"), watch("/w", { excludes: ["/w/a/b"] }));
    expect(shown(fs.placesOf(node("/w/a")))).toEqual(["/w: /w/a 1"]);
    // Deepest first, so that no answer kept for a directory above can help.
    expect(fs.placesOf(node("/w/a/b/c"))).toBe(NO_PLACES);
    expect(fs.placesOf(node("/w/a/b"))).toBe(NO_PLACES);
  });

  test("never excludes the managed path itself", () => {
    const { fs, node } = filesystemWith(PATHS);
    anchor(fs, node("/w"), watch("/w", { excludes: ["/w"] }));
    expect(shown(fs.placesOf(node("/w")))).toEqual(["/w: /w 0"]);
    expect(fs.placesOf(node("/w/a"))).toBe(NO_PLACES);
  });

  test("gives a directory a place for each managed path that covers it", () => {
    const { fs, node } = filesystemWith(PATHS);
    anchor(fs, node("/w"), watch("/w", { excludes: ["/w/a/b"] }));
    anchor(fs, node("/w/a"), watch("/w/a"));
    anchor(fs, node("/w/a/b"), watch("/w/a/b", { recursive: false }));
    expect(shown(fs.placesOf(node("/w/a"))).sort()).toEqual(["/w/a: /w/a 0", "/w: /w/a 1"]);
    expect(shown(fs.placesOf(node("/w/a/b"))).sort()).toEqual(["/w/a/b: /w/a/b 0", "/w/a: /w/a/b 1"]);
    expect(shown(fs.placesOf(node("/w/a/b/c"))).sort()).toEqual(["/w/a/b: /w/a/b/c 1", "/w/a: /w/a/b/c 2"]);
  });

  test("gives the directory above a managed path a place for that one entry, which isn't handed down", () => {
    const { fs, node } = filesystemWith(PATHS);
    const deep = watch("/w/a/b");
    expectation(fs, node("/w"), deep, "/w", "a");
    expectation(fs, node("/w/a"), deep, "/w/a", "b");
    anchor(fs, node("/w/a/b"), deep);
    expect(fs.placesOf(node("/w"))).toBe(NO_PLACES);
    expect(shown(fs.placesOf(node("/w/a")))).toEqual(["/w/a/b: /w/a -1 only b"]);
    expect(shown(fs.placesOf(node("/w/a/b/c")))).toEqual(["/w/a/b: /w/a/b/c 1"]);
  });

  test("has the root's path empty, so that path, slash and name make an entry's path", () => {
    const { fs, node } = filesystemWith(PATHS);
    anchor(fs, node(""), watch("/"));
    expect(shown(fs.placesOf(node("")))).toEqual(["/:  0"]);
    expect(shown(fs.placesOf(node("/w/a")))).toEqual(["/: /w/a 2"]);
  });

  test("counts depth from the managed path where another filesystem is mounted below it", () => {
    const { fs, node } = filesystemWith(["/x", "/x/y"]);
    const one = watch("/w", { recursive: true });
    anchor(fs, node(""), one, "/w/mnt/disk", 2);
    expect(shown(fs.placesOf(node("/x/y")))).toEqual(["/w: /w/mnt/disk/x/y 4"]);
  });

  test("keeps names byte by byte", () => {
    const { fs, node } = filesystemWith(PATHS);
    anchor(fs, node("/w"), watch("/w"));
    const odd = fs.tree.put(inode(99), 0, node("/w"), Buffer.from([0xff, 0x0a]));
    expect(Buffer.from(fs.placesOf(odd)[0]!.path)).toEqual(Buffer.from([0x2f, 0x77, 0x2f, 0xff, 0x0a]));
  });

  test("gives the same array until something above moves, then the new path", () => {
    const { fs, node } = filesystemWith(PATHS);
    anchor(fs, node("/w"), watch("/w"));
    const before = fs.placesOf(node("/w/a/b/c"));
    expect(fs.placesOf(node("/w/a/b/c"))).toBe(before);
    fs.tree.move(node("/w/a"), node("/w"), Buffer.from("renamed"));
    fs.placesChanged();
    expect(shown(fs.placesOf(node("/w/a/b/c")))).toEqual(["/w: /w/renamed/b/c 3"]);
    fs.tree.move(node("/w/a"), node("/out"), Buffer.from("a"));
    fs.placesChanged();
    expect(fs.placesOf(node("/w/a/b/c"))).toBe(NO_PLACES);
  });

  test("answers the same for every order of asking (kept answers of directories above are used)", () => {
    const ask = (order: readonly string[]) => {
      const { fs, node } = filesystemWith(PATHS);
      anchor(fs, node("/w"), watch("/w", { excludes: ["/w/a/b/c"] }));
      anchor(fs, node("/w/a"), watch("/w/a", { recursive: false }));
      expectation(fs, node("/w/a"), watch("/w/a/b"), "/w/a", "b");
      const answers = new Map(
        order.map((path) => [
          path,
          shown(fs.placesOf(node(path)))
            .sort()
            .join(),
        ]),
      );
      return PATHS.map((path) => answers.get(path));
    };
    expect(ask([...PATHS].reverse())).toEqual(ask(PATHS));
  });

  test("ends for two directories each below the other", () => {
    const { fs, node } = filesystemWith(PATHS);
    anchor(fs, node("/w"), watch("/w"));
    fs.tree.move(node("/w/a"), node("/w/a/b"), Buffer.from("a"));
    fs.placesChanged();
    expect(fs.placesOf(node("/w/a/b/c"))).toBe(NO_PLACES);
    expect(fs.placesOf(node("/w/a"))).toBe(NO_PLACES);
  });

  test("ends for a child whose parent was removed", () => {
    const { fs, node } = filesystemWith(PATHS);
    anchor(fs, node("/w"), watch("/w"));
    fs.tree.remove(node("/w/a/b"));
    expect(fs.placesOf(node("/w/a/b/c"))).toBe(NO_PLACES);
    // Where mounts hide directories, the handles on the way up are compared with theirs.
    fs.cover(new Map([[bytesKey(fs.tree.handleOf(node("/out/x"))), {} as Mount]]));
    expect(fs.placesOf(node("/w/a/b/c"))).toBe(NO_PLACES);
  });

  test("has no answer for a number that is nobody's, and so none that the next one to get it would inherit", () => {
    const { fs, node } = filesystemWith(["/w", "/w/a"]);
    anchor(fs, node("/w"), watch("/w"));
    const gone = node("/w/a");
    fs.tree.remove(gone);
    fs.forgetPlaces(gone);
    // A scan that has it on its list asks for it all the same.
    expect(fs.placesOf(gone)).toBe(NO_PLACES);
    const made = fs.tree.put(inode(77), 0, node("/w"), Buffer.from("b"));
    expect(made).toBe(gone);
    expect(shown(fs.placesOf(made))).toEqual(["/w: /w/b 1"]);
  });

  test("stays right when more directories are asked for than answers are kept", () => {
    const { fs, node } = filesystemWith(PATHS);
    anchor(fs, node("/w"), watch("/w"));
    const many = Array.from({ length: 20_000 }, (_, i) =>
      fs.tree.put(inode(100 + i), 0, node("/w/a"), Buffer.from(`${i}`)),
    );
    for (const [i, one] of many.entries()) {
      if (i % 997 === 0) expect(shown(fs.placesOf(one))).toEqual([`/w: /w/a/${i} 2`]);
      else fs.placesOf(one);
    }
  });
});

describe("anchors and expectations", () => {
  test("of one managed path stand at a directory once", () => {
    const { fs, node } = filesystemWith(PATHS);
    const one = watch("/w");
    anchor(fs, node("/w"), one);
    anchor(fs, node("/w"), one);
    expectation(fs, node(""), one, "", "w");
    expectation(fs, node(""), one, "", "w");
    expect(fs.placesOf(node("/w"))).toHaveLength(1);
    expect(fs.placesOf(node(""))).toHaveLength(1);
    expect([...fs.begins.watches()]).toEqual([one]);
  });

  test("go with dropAll(), all of one managed path and nobody else's", () => {
    const { fs, node } = filesystemWith(PATHS);
    const one = watch("/w");
    const other = watch("/w/a");
    anchor(fs, node("/w"), one);
    anchor(fs, node("/w/a"), other);
    expectation(fs, node(""), one, "", "w");
    fs.dropAll(new Set([one]));
    expect([...fs.begins.watches()]).toEqual([other]);
    expect(shown(fs.placesOf(node("/w/a")))).toEqual(["/w/a: /w/a 0"]);
    expect(fs.placesOf(node("/w"))).toBe(NO_PLACES);
  });

  test("dropAll() walks over what thousands of managed paths have in one directory once", () => {
    const { fs, node } = filesystemWith(["/w"]);
    const watches = Array.from({ length: 20_000 }, (_, n) => watch(`/w/${n}`));
    for (const one of watches) expectation(fs, node("/w"), one, "/w", one.path.slice("/w/".length));
    const [stays, ...others] = watches;
    const begunMs = performance.now();
    fs.dropAll(new Set(others));
    // One by one they take seconds.
    expect(performance.now() - begunMs).toBeLessThan(500);
    expect([...fs.begins.watches()]).toEqual([stays!]);
    expect(fs.begins.expectations.get(node("/w"))).toHaveLength(1);
  });

  test("dropBelow() leaves what stands above the entry that is gone", () => {
    const { fs, node } = filesystemWith(PATHS);
    const deep = watch("/w/a/b");
    expectation(fs, node(""), deep, "", "w");
    expectation(fs, node("/w"), deep, "/w", "a");
    expectation(fs, node("/w/a"), deep, "/w/a", "b");
    anchor(fs, node("/w/a/b"), deep);
    fs.dropBelow(deep, "/w".length);
    expect([...fs.begins.expectations.keys()]).toEqual([node(""), node("/w")]);
    expect(fs.begins.anchors.size).toBe(0);
  });
});

describe("scanFrom()", () => {
  test("puts a beginning on the list once", () => {
    const { fs, node } = filesystemWith(["/w"]);
    const one = watch("/w");
    fs.scanFrom(node("/w"), one);
    fs.scanFrom(node("/w"), one);
    expect(fs.unscanned).toEqual([node("/w")]);
  });

  test("puts it there again when the path came back, though under the number that it had before", () => {
    const { fs, node } = filesystemWith(["/w"]);
    const one = watch("/w");
    const before = node("/w");
    anchor(fs, before, one);
    fs.scanFrom(before, one);
    fs.unscanned.length = 0;
    fs.dropBelow(one, 0);
    fs.tree.remove(before);
    const again = fs.tree.put(inode(50), 0, node(""), Buffer.from("w"));
    expect(again).toBe(before);
    anchor(fs, again, one);
    fs.scanFrom(again, one);
    expect(fs.unscanned).toEqual([again]);
  });
});

describe("followsChildren()", () => {
  test("is true where something of a subdirectory can be in scope", () => {
    const { fs, node } = filesystemWith(PATHS);
    anchor(fs, node("/w"), watch("/w", { recursive: false }));
    expectation(fs, node(""), watch("/w"), "", "w");
    const follows = (path: string) => fs.followsChildren(fs.placesOf(node(path)));
    expect(["", "/w", "/w/a", "/w/a/b", "/out"].map(follows)).toEqual([false, true, false, false, false]);
    anchor(fs, node("/w/a"), watch("/w/a"));
    expect(["/w/a", "/w/a/b/c"].map(follows)).toEqual([true, true]);
  });
});

describe("Sweep", () => {
  test("removes what no managed path needs, and leaves whole what it hasn't finished", () => {
    const { fs, node } = filesystemWith(["/w", "/w/a", "/w/a/b", "/out", "/out/c", "/out/c/d"]);
    anchor(fs, node("/w"), watch("/w"));
    fs.sweep.begin();
    // No time at all: it stops at the first look at the clock, which is at node 0.
    for (let slices = 0; slices < 20 && !fs.sweep.slice(0); slices++);
    const left = ["/w", "/w/a", "/w/a/b", "/out", "/out/c", "/out/c/d"].filter((path) =>
      fs.tree.has(node(path)),
    );
    expect(left).toEqual(["/w", "/w/a", "/w/a/b"]);
  });

  test("takes a pass more where a subdirectory has the lower number", () => {
    const { fs, node } = filesystemWith(["/a", "/b"]);
    fs.tree.move(node("/a"), node("/b"), Buffer.from("a"));
    fs.sweep.begin();
    const far = performance.now() + 10_000;
    while (!fs.sweep.slice(far));
    expect(fs.tree.size).toBe(0);
  });
});
