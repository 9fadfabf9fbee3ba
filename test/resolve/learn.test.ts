import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, mkdirSync, mkdtempSync, openSync, realpathSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DIR_AT, DIR_BYTES, type EventBatch, NEW_DIR_AT, NEW_DIR_BYTES } from "../../src/decode/fan.ts";
import * as abi from "../../src/kernel/abi.ts";
import { handleOf, pathOfHandle } from "../../src/kernel/handles.ts";
import { Filesystem } from "../../src/resolve/filesystems/filesystem.ts";
import { NOT_FOUND, NOWHERE } from "../../src/resolve/filesystems/tree.ts";
import { learn, rewind } from "../../src/resolve/learn.ts";
import { at, batchOf, event, FSID, from, inode, itself, object, to } from "../decode/fan-bytes.ts";
import { anchor, filesystemWith, NO_GROUP, shown, watch } from "./watches.ts";

const asRoot = process.getuid?.() === 0;
const A_DIRECTORY = abi.FAN_ONDIR;

/** A filesystem that can't be asked any more: only the queue can tell. */
const silent = () => null;

const learnDirectory = (fs: Filesystem, batch: EventBatch, i: number) =>
  learn(fs, silent, batch, i, batch.get(i, DIR_AT), batch.get(i, DIR_BYTES));
/** The places of a directory that must have been learned. */
const placesOf = (fs: Filesystem, node: number | null) => {
  if (node === null) throw new Error("nothing was learned");
  return shown(fs.placesOf(node));
};

const removal = (directory: Uint8Array, name: string, object_: Uint8Array) =>
  event(abi.FAN_DELETE | A_DIRECTORY, 1, at(directory, name), object(object_));
const renaming = (
  fromDirectory: Uint8Array,
  oldName: string,
  toDirectory: Uint8Array,
  newName: string,
  moved: Uint8Array,
) =>
  event(
    abi.FAN_RENAME | A_DIRECTORY,
    1,
    from(fromDirectory, oldName),
    to(toDirectory, newName),
    object(moved),
  );

/** Directories that the tree doesn't know. */
const [X, Y, Z] = [inode(70), inode(71), inode(72)];

describe("learn() from the events behind", () => {
  test("takes a removed directory's parent and name from its DELETE", () => {
    const { fs, node } = filesystemWith(["/w"]);
    anchor(fs, node("/w"), watch("/w"));
    const batch = batchOf(event(abi.FAN_DELETE, 1, at(X, "file")), removal(inode(3), "x", X));
    const learned = learnDirectory(fs, batch, 0);
    expect(placesOf(fs, learned)).toEqual(["/w: /w/x 1"]);
    expect(fs.tree.find(X, 0)).toBe(learned!);
  });

  test("goes up through several removed ones, whose DELETEs come from the inside out", () => {
    const { fs, node } = filesystemWith(["/w"]);
    anchor(fs, node("/w"), watch("/w"));
    const batch = batchOf(
      event(abi.FAN_OPEN | A_DIRECTORY, 1, itself(Z)),
      removal(Y, "z", Z),
      removal(X, "y", Y),
      removal(inode(3), "x", X),
    );
    expect(placesOf(fs, learnDirectory(fs, batch, 0))).toEqual(["/w: /w/x/y/z 3"]);
  });

  test("takes the old end of a rename, where it was when the event happened", () => {
    const { fs, node } = filesystemWith(["/w", "/w/a"]);
    anchor(fs, node("/w"), watch("/w"));
    const batch = batchOf(
      event(abi.FAN_CREATE, 1, at(X, "file")),
      renaming(inode(3), "old", inode(4), "new", X),
      removal(inode(4), "new", X),
    );
    expect(placesOf(fs, learnDirectory(fs, batch, 0))).toEqual(["/w: /w/old 1"]);
  });

  test("uses no event before, none of a file, and none of another object", () => {
    const { fs, node } = filesystemWith(["/w"]);
    anchor(fs, node("/w"), watch("/w"));
    const batch = batchOf(
      removal(inode(3), "x", X),
      event(abi.FAN_CREATE, 1, at(X, "file")),
      event(abi.FAN_DELETE, 1, at(inode(3), "x"), object(X)),
      removal(inode(3), "y", Y),
    );
    expect(learnDirectory(fs, batch, 1)).toBeNull();
    expect(fs.tree.find(X, 0)).toBe(NOT_FOUND);
  });

  test("gives up where a directory above isn't known either, and on a circle", () => {
    const { fs } = filesystemWith(["/w"]);
    expect(learnDirectory(fs, batchOf(event(abi.FAN_OPEN, 1, at(X, "a")), removal(Y, "x", X)), 0)).toBeNull();
    const circle = batchOf(
      event(abi.FAN_OPEN, 1, at(X, "a")),
      removal(Y, "x", X),
      removal(X, "y", Y),
      removal(Y, "x", X),
    );
    expect(learnDirectory(fs, circle, 0)).toBeNull();
    const itsOwnParent = batchOf(event(abi.FAN_OPEN, 1, at(X, "a")), removal(X, "x", X));
    expect(learnDirectory(fs, itsOwnParent, 0)).toBeNull();
  });
});

describe("learn() from the disk", () => {
  const home = realpathSync(mkdtempSync(join(tmpdir(), "fsmon-learn-")));
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  const handleAt = (path: string): Uint8Array => {
    const handle = handleOf(path);
    if (typeof handle === "number") throw new Error(`no handle for ${path}`);
    return handle;
  };
  const onDisk = (_fs: Filesystem, handle: Uint8Array): Uint8Array | null => {
    const fd = openSync(home, "r");
    try {
      return pathOfHandle(fd, handle);
    } finally {
      closeSync(fd);
    }
  };
  const managed = (path: string, recursive = true) => {
    const fs = new Filesystem(0, FSID.low | 0, FSID.high | 0, "ext4", "8:1", NO_GROUP);
    anchor(fs, fs.tree.put(handleAt(path), 0, NOWHERE, Buffer.from("w")), watch(path, { recursive }));
    return fs;
  };

  test.skipIf(!asRoot)("inserts what is missing between it and the nearest known one (needs root)", () => {
    const top = join(home, "one");
    mkdirSync(join(top, "a/b\n/c"), { recursive: true });
    const fs = managed(top);
    const batch = batchOf(event(abi.FAN_CREATE, 1, at(handleAt(join(top, "a/b\n/c")), "file")));
    const node = learn(fs, onDisk, batch, 0, batch.get(0, DIR_AT), batch.get(0, DIR_BYTES));
    expect(placesOf(fs, node)).toEqual([`${top}: ${top}/a/b\n/c 3`]);
    expect(fs.tree.size).toBe(4);
    expect(fs.tree.find(handleAt(join(top, "a")), 0)).not.toBe(NOT_FOUND);
  });

  test.skipIf(!asRoot)("inserts what is missing below the root itself (needs root)", () => {
    const directory = join(home, "below-root");
    mkdirSync(directory);
    const fs = managed("/");
    const batch = batchOf(event(abi.FAN_CREATE, 1, at(handleAt(directory), "file")));
    const node = learn(fs, onDisk, batch, 0, batch.get(0, DIR_AT), batch.get(0, DIR_BYTES));
    expect(placesOf(fs, node)).toEqual([`/: ${directory} ${directory.split("/").length - 1}`]);
  });

  test.skipIf(!asRoot)("puts it where it was before the renames that are still queued (needs root)", () => {
    const top = join(home, "two");
    mkdirSync(join(top, "a"), { recursive: true });
    mkdirSync(join(top, "old/deep"), { recursive: true });
    const [a, old, deep, above] = ["a", "old", "old/deep", "."].map((one) => handleAt(join(top, one)));
    renameSync(join(top, "old"), join(top, "a/new"));
    const fs = managed(top);
    const batch = batchOf(
      event(abi.FAN_CREATE, 1, at(deep!, "before")),
      renaming(above!, "old", a!, "new", old!),
      event(abi.FAN_CREATE, 1, at(deep!, "after")),
    );
    const node = learn(fs, onDisk, batch, 0, batch.get(0, DIR_AT), batch.get(0, DIR_BYTES));
    expect(placesOf(fs, node)).toEqual([`${top}: ${top}/old/deep 2`]);
  });

  test.skipIf(!asRoot)(
    "learns nothing outside every managed path, nor too deep below one that isn't recursive (needs root)",
    () => {
      const top = join(home, "three");
      mkdirSync(join(top, "a/b"), { recursive: true });
      mkdirSync(join(home, "elsewhere"));
      const fs = managed(top, false);
      const batch = batchOf(
        event(abi.FAN_CREATE, 1, at(handleAt(join(home, "elsewhere")), "x")),
        renaming(handleAt(join(home, "elsewhere")), "x", handleAt(join(top, "a/b")), "x", X),
      );
      expect(learn(fs, onDisk, batch, 0, batch.get(0, DIR_AT), batch.get(0, DIR_BYTES))).toBe(NOT_FOUND);
      expect(learn(fs, onDisk, batch, 1, batch.get(1, NEW_DIR_AT), batch.get(1, NEW_DIR_BYTES))).toBe(
        NOT_FOUND,
      );
      expect(shown(fs.placesOf(fs.tree.find(handleAt(join(top, "a")), 0)))).toEqual([`${top}: ${top}/a 1`]);
      expect(fs.tree.find(handleAt(join(top, "a/b")), 0)).toBe(NOT_FOUND);
    },
  );
});

/** The disk knows of no directory. */
const nowhere = () => null;

describe("rewind()", () => {
  const PATHS = ["/w", "/w/a", "/w/b", "/w/b/moved"];
  // As filesystemWith() counts.
  const [W, A, B, MOVED] = [inode(3), inode(4), inode(5), inode(6)];

  function moved(fresh: readonly string[], ...events: Buffer[]) {
    const { fs, node } = filesystemWith(PATHS);
    anchor(fs, node("/w"), watch("/w"));
    for (const path of fresh) fs.fresh.add(node(path));
    const before = fs.placesOf(node("/w/b/moved"));
    rewind(fs, nowhere, batchOf(...events), 0);
    const after = fs.placesOf(node("/w/b/moved"));
    return { path: shown(after), kept: after === before, parent: fs.tree.parentOf(node("/w/b/moved")) };
  }

  test("takes a directory that was read from the disk back through the renames that are queued", () => {
    const events = [renaming(W, "first", A, "second", MOVED), renaming(A, "second", B, "moved", MOVED)];
    expect(moved(["/w/b/moved"], ...events).path).toEqual(["/w: /w/first 1"]);
  });

  test("leaves a directory that was known by events where it is", () => {
    const { path, kept } = moved(["/w/a"], renaming(W, "first", B, "moved", MOVED));
    expect([path, kept]).toEqual([["/w: /w/b/moved 2"], true]);
  });

  test("takes one that came from outside out again", () => {
    const { path, parent } = moved(["/w/b/moved"], renaming(X, "x", B, "moved", MOVED));
    expect([path, parent]).toEqual([[], NOWHERE]);
  });

  test("passes over renames of files and whatever else happened", () => {
    const file = event(abi.FAN_RENAME, 1, from(W, "x"), to(B, "moved"), object(MOVED));
    const { kept } = moved(["/w/b/moved"], file, removal(B, "moved", MOVED), event(abi.FAN_Q_OVERFLOW, 0));
    expect(kept).toBe(true);
  });

  test("passes over a rename on another filesystem, though the handles are the same", () => {
    const there = { low: FSID.low, high: FSID.high + 1 };
    const rename = event(
      abi.FAN_RENAME | A_DIRECTORY,
      1,
      from(W, "first", there),
      to(B, "moved", there),
      object(MOVED, there),
    );
    const { path, kept } = moved(["/w/b/moved"], rename);
    expect([path, kept]).toEqual([["/w: /w/b/moved 2"], true]);
  });

  test("begins where it is told to", () => {
    const { fs, node } = filesystemWith(PATHS);
    anchor(fs, node("/w"), watch("/w"));
    fs.fresh.add(node("/w/b/moved"));
    const batch = batchOf(renaming(W, "first", A, "second", MOVED), renaming(A, "second", B, "moved", MOVED));
    rewind(fs, nowhere, batch, 1);
    expect(shown(fs.placesOf(node("/w/b/moved")))).toEqual(["/w: /w/a/second 2"]);
  });
});
