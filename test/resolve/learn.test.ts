import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, mkdirSync, mkdtempSync, openSync, realpathSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as abi from "../../src/kernel/abi.ts";
import { type DirectoryEntry, handleOf, placeOfHandle } from "../../src/kernel/handles.ts";
import { errnoOf } from "../../src/kernel/syscall.ts";
import { Filesystem } from "../../src/resolve/filesystems/filesystem.ts";
import { Rescan } from "../../src/resolve/filesystems/rescan.ts";
import { NOT_FOUND, NOWHERE } from "../../src/resolve/filesystems/tree.ts";
import { Verified } from "../../src/resolve/filesystems/verified.ts";
import { type Disk, Learner } from "../../src/resolve/learn.ts";
import { Occurrences } from "../../src/resolve/occurrence.ts";
import { ReadAhead } from "../../src/resolve/read-ahead.ts";
import { at, event, FSID, from, inode, itself, object, to } from "../decode/fan-bytes.ts";
import { Queue } from "./queue.ts";
import { anchor, filesystemWith, NO_GROUP, shown, watch } from "./watches.ts";

const asRoot = process.getuid?.() === 0;
const A_DIRECTORY = abi.FAN_ONDIR;

/** A filesystem that can't be asked any more: only the queue can tell. */
const silent: Disk = {
  placeOf: () => null,
  childOf: () => null,
  pathOf: () => null,
  awaitChanges: () => {},
  timesOf: () => null,
};

interface Told {
  node: number | null;
  learner: Learner;
  ahead: ReadAhead;
  /** Names of directories that are used before they are made. */
  early: number[];
}

/** Learns a directory when the batch is at its first event; `later` is in the queue behind the batch. */
function learned(
  fs: Filesystem,
  handle: Uint8Array,
  batch: readonly Uint8Array[],
  options: { disk?: Disk; later?: readonly Uint8Array[]; onAsked?: (queue: Queue) => void } = {},
): Told {
  const queue = new Queue(...batch);
  const { disk = silent, onAsked } = options;
  const asked: Disk = {
    ...disk,
    placeOf: (one, whose) => {
      const place = disk.placeOf(one, whose);
      onAsked?.(queue);
      return place;
    },
  };
  const ahead = new ReadAhead(queue);
  ahead.next();
  queue.add(...(options.later ?? []));
  const early: number[] = [];
  const learner = new Learner(asked, ahead, (_, node) => early.push(node));
  learner.place = ahead.batch.startsAt;
  return { node: learner.learn(fs, handle), learner, ahead, early };
}

/** The places of a directory that must have been learned. */
const placesOf = (fs: Filesystem, { node }: Told) => {
  if (node === null || node === NOT_FOUND) throw new Error("nothing was learned");
  return shown(fs.placesOf(node));
};

const removal = (directory: Uint8Array, name: string, object_: Uint8Array) =>
  event(abi.FAN_DELETE | A_DIRECTORY, 1, at(directory, name), object(object_));
const making = (directory: Uint8Array, name: string, object_: Uint8Array) =>
  event(abi.FAN_CREATE | A_DIRECTORY, 1, at(directory, name), object(object_));
const renaming = (
  fromDirectory: Uint8Array,
  oldName: string,
  toDirectory: Uint8Array,
  newName: string,
  moved: Uint8Array,
  fsid = FSID,
) =>
  event(
    abi.FAN_RENAME | A_DIRECTORY,
    1,
    from(fromDirectory, oldName, fsid),
    to(toDirectory, newName, fsid),
    object(moved, fsid),
  );

/** Directories that the tree doesn't know. */
const [X, Y, Z] = [inode(70), inode(71), inode(72)];
const used = event(abi.FAN_CREATE, 1, at(X, "file"));

describe("learn() from the events behind", () => {
  function managed() {
    const { fs, node } = filesystemWith(["/w", "/w/a"]);
    anchor(fs, node("/w"), watch("/w"));
    return fs;
  }

  test("takes a removed directory's parent and name from its DELETE", () => {
    const fs = managed();
    const told = learned(fs, X, [event(abi.FAN_DELETE, 1, at(X, "file")), removal(inode(3), "x", X)]);
    expect(placesOf(fs, told)).toEqual(["/w: /w/x 1"]);
    expect(fs.tree.find(X, 0)).toBe(told.node!);
  });

  test("goes up through several removed ones, whose DELETEs come from the inside out", () => {
    const fs = managed();
    const told = learned(fs, Z, [
      event(abi.FAN_OPEN | A_DIRECTORY, 1, itself(Z)),
      removal(Y, "z", Z),
      removal(X, "y", Y),
      removal(inode(3), "x", X),
    ]);
    expect(placesOf(fs, told)).toEqual(["/w: /w/x/y/z 3"]);
  });

  test("takes the old end of the first rename, where it was when the event happened", () => {
    const fs = managed();
    const told = learned(fs, X, [
      used,
      renaming(inode(3), "old", inode(4), "new", X),
      renaming(inode(4), "new", inode(3), "newer", X),
      removal(inode(3), "newer", X),
    ]);
    expect(placesOf(fs, told)).toEqual(["/w: /w/old 1"]);
  });

  test("reads on in the queue for it", () => {
    const fs = managed();
    const told = learned(fs, X, [used], { later: [removal(inode(3), "x", X)] });
    expect(placesOf(fs, told)).toEqual(["/w: /w/x 1"]);
  });

  test("uses none of a file, of another object, or of another filesystem with the same handles", () => {
    const fs = managed();
    const told = learned(fs, X, [
      used,
      event(abi.FAN_DELETE, 1, at(inode(3), "x"), object(X)),
      removal(inode(3), "y", Y),
      renaming(inode(3), "x", inode(4), "x", X, { low: FSID.low, high: FSID.high + 1 }),
    ]);
    expect(told.node).toBeNull();
    expect(fs.tree.find(X, 0)).toBe(NOT_FOUND);
  });

  test("uses none before", () => {
    const fs = managed();
    const told = learned(fs, Y, [removal(inode(3), "x", X), used]);
    told.learner.place = told.ahead.batch.placeOf(1);
    expect(told.learner.learn(fs, X)).toBeNull();
  });

  test("gives up where a directory above isn't known either, and on a circle", () => {
    expect(learned(managed(), X, [used, removal(Y, "x", X)]).node).toBeNull();
    const circle = [used, removal(Y, "x", X), removal(X, "y", Y), removal(Y, "x", X)];
    expect(learned(managed(), X, circle).node).toBeNull();
    expect(learned(managed(), X, [used, removal(X, "x", X)]).node).toBeNull();
  });

  test("looks further up from a known directory that nothing is known above", () => {
    const fs = managed();
    const detached = fs.tree.put(Y, 0, NOWHERE, Buffer.from("was"));
    const told = learned(fs, X, [used, removal(Y, "x", X), renaming(inode(4), "y", Z, "gone", Y)]);
    expect(placesOf(fs, told)).toEqual(["/w: /w/a/y/x 3"]);
    expect(fs.tree.parentOf(told.node!)).toBe(detached);
  });

  test("says of one that is used before its CREATE that it is, so that the CREATE is told first", () => {
    const fs = managed();
    const told = learned(fs, X, [used, making(inode(3), "x", X)]);
    expect(placesOf(fs, told)).toEqual(["/w: /w/x 1"]);
    expect(told.early).toEqual([told.node!]);
    expect(fs.unread.size).toBe(0);
  });

  test("leaves one whose CREATE isn't in the batch to the next", () => {
    const fs = managed();
    expect(learned(fs, X, [used], { later: [making(inode(3), "x", X)] }).node).toBe(NOT_FOUND);
    expect([fs.tree.find(X, 0), fs.outside.size]).toEqual([NOT_FOUND, 0]);
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
  const disk: Disk = {
    placeOf: (_fs, handle): DirectoryEntry | { mountPoint: Uint8Array | null } | null => {
      const fd = openSync(home, "r");
      try {
        const place = placeOfHandle(fd, handle);
        if (place === null) return { mountPoint: new Uint8Array(0) };
        return typeof place !== "number" ? place : place === -errnoOf("EXDEV") ? { mountPoint: null } : null;
      } finally {
        closeSync(fd);
      }
    },
    childOf: () => null,
    awaitChanges: () => {},
    pathOf: () => null,
    timesOf: () => null,
  };
  const managed = (path: string, recursive = true) => {
    const fs = new Filesystem(0, FSID.low | 0, FSID.high | 0, "ext4", "8:1", NO_GROUP);
    anchor(fs, fs.tree.put(handleAt(path), 0, NOWHERE, Buffer.from("w")), watch(path, { recursive }));
    return fs;
  };

  test.skipIf(!asRoot)("inserts what is missing between it and the nearest known one (needs root)", () => {
    const top = join(home, "one");
    mkdirSync(join(top, "a/b\n/c (deleted)"), { recursive: true });
    const fs = managed(top);
    const told = learned(fs, handleAt(join(top, "a/b\n/c (deleted)")), [used], { disk });
    expect(placesOf(fs, told)).toEqual([`${top}: ${top}/a/b\n/c (deleted) 3`]);
    expect(fs.tree.size).toBe(4);
    // None of them was read.
    expect(fs.unread.size).toBe(3);
  });

  test.skipIf(!asRoot)("inserts what is missing below the root itself (needs root)", () => {
    const directory = join(home, "below-root");
    mkdirSync(directory);
    const fs = managed("/");
    expect(placesOf(fs, learned(fs, handleAt(directory), [used], { disk }))).toEqual([
      `/: ${directory} ${directory.split("/").length - 1}`,
    ]);
  });

  test.skipIf(!asRoot)("puts it where it was before the renames that are still queued (needs root)", () => {
    const top = join(home, "two");
    mkdirSync(join(top, "a"), { recursive: true });
    mkdirSync(join(top, "old/deep"), { recursive: true });
    const [a, old, deep, above] = ["a", "old", "old/deep", "."].map((one) => handleAt(join(top, one)));
    renameSync(join(top, "old"), join(top, "a/new"));
    const fs = managed(top);
    const told = learned(fs, deep!, [used, renaming(above!, "old", a!, "new", old!)], { disk });
    expect(placesOf(fs, told)).toEqual([`${top}: ${top}/old/deep 2`]);
  });

  test.skipIf(!asRoot)("believes a rename that was queued while the disk was asked (needs root)", () => {
    const top = join(home, "while");
    mkdirSync(join(top, "is/deep"), { recursive: true });
    const [is, deep, above] = ["is", "is/deep", "."].map((one) => handleAt(join(top, one)));
    const fs = managed(top);
    let asked = 0;
    const onAsked = (queue: Queue) => {
      if (asked++ === 1) queue.add(renaming(above!, "was", above!, "is", is!));
    };
    expect(placesOf(fs, learned(fs, deep!, [used], { disk, onAsked }))).toEqual([
      `${top}: ${top}/was/deep 2`,
    ]);
  });

  test.skipIf(!asRoot)(
    "learns nothing outside every managed path, nor too deep below one that isn't recursive (needs root)",
    () => {
      const top = join(home, "three");
      mkdirSync(join(top, "a/b"), { recursive: true });
      mkdirSync(join(home, "elsewhere"));
      const fs = managed(top, false);
      expect(learned(fs, handleAt(join(home, "elsewhere")), [used], { disk }).node).toBe(NOT_FOUND);
      // And remembers it until something moves.
      expect(fs.outside.size).toBe(1);
      fs.placesChanged();
      expect(fs.outside.size).toBe(0);
      expect(learned(fs, handleAt(join(top, "a/b")), [used], { disk }).node).toBe(NOT_FOUND);
      expect(shown(fs.placesOf(fs.tree.find(handleAt(join(top, "a")), 0)))).toEqual([`${top}: ${top}/a 1`]);
      expect(fs.tree.find(handleAt(join(top, "a/b")), 0)).toBe(NOT_FOUND);
    },
  );

  test.skipIf(!asRoot)("tells the path of any directory, as it was then (needs root)", () => {
    const top = join(home, "outside");
    mkdirSync(join(top, "now/deep"), { recursive: true });
    const [now, deep, above] = ["now", "now/deep", "."].map((one) => handleAt(join(top, one)));
    const fs = managed(join(home, "outside"));
    fs.dropAll(new Set(fs.begins.watches()));
    const { learner } = learned(fs, X, [renaming(above!, "then", above!, "now", now!)], { disk });
    expect(Buffer.from(learner.pathAt(fs, deep!)!).toString()).toBe(join(top, "then/deep"));
  });
});

describe("verify() after a loss", () => {
  const PATHS = ["/w", "/w/a", "/w/b", "/w/b/moved"];
  const [W, A, B, MOVED] = [inode(3), inode(4), inode(5), inode(6)];

  const entry = (parent: Uint8Array, name: string) => ({ parent, name: Buffer.from(name) });

  /** What is told of /w/b/moved, which the disk has under `now` in /w/a, and where it is then. */
  const compared = (now: string, ...queued: Buffer[]) =>
    comparedWith(
      [
        [A, entry(W, "a")],
        [MOVED, entry(A, now)],
      ],
      queued,
    );

  /** @param entries that the disk has */
  function comparedWith(entries: [Uint8Array, DirectoryEntry][], queued: Buffer[] = []) {
    const { fs, node } = filesystemWith(PATHS);
    const all = watch("/w");
    anchor(fs, node("/w"), all);
    fs.verified = new Verified(fs.tree);
    fs.rescans.set(all, new Rescan("queue_overflow", 0, 1));
    const disk: Disk = {
      ...silent,
      placeOf: (_, handle) => entries.find(([one]) => Buffer.compare(one, handle) === 0)?.[1] ?? null,
    };
    const ahead = new ReadAhead(new Queue(...queued));
    const learner = new Learner(disk, ahead, () => {});
    learner.out = new Occurrences();
    learner.comparison.verify(fs, node("/w/b/moved"));
    learner.comparison.verify(fs, node("/w/b/moved"));
    const { out } = learner;
    const told = Array.from({ length: out.count }, (_, i) => {
      const { places: seen, bytes, mask } = out.at(i);
      const what = mask & abi.FAN_DELETE ? "gone" : mask & abi.FAN_MOVED_FROM ? "from" : "to";
      return `${what} ${Buffer.from(seen[0]!.path)}/${Buffer.from(bytes)}`;
    });
    return { told, path: shown(fs.placesOf(node("/w/b/moved"))) };
  }

  test("tells a move that was lost, once", () => {
    expect(compared("now")).toEqual({ told: ["from /w/b/moved", "to /w/a/now"], path: ["/w: /w/a/now 2"] });
  });

  test("tells of an exchange that both leave before one comes", () => {
    const { told } = comparedWith([
      [A, entry(B, "moved")],
      [B, entry(W, "b")],
      [MOVED, entry(W, "a")],
    ]);
    expect(told).toEqual(["from /w/b/moved", "from /w/a", "to /w/a", "to /w/b/moved"]);
  });

  test("tells of one that took the place of the one it was in, though that one is in it now", () => {
    const { told } = comparedWith([
      [MOVED, entry(W, "b")],
      [B, entry(MOVED, "below")],
    ]);
    expect(told).toEqual(["from /w/b/moved", "from /w/b", "to /w/b", "to /w/b/below"]);
  });

  test("tells that a directory is gone before another one has its name", () => {
    const { told } = comparedWith([[MOVED, entry(W, "a")]]);
    expect(told).toEqual(["from /w/b/moved", "gone /w/a", "to /w/a"]);
  });

  test("leaves one that is queued to its event", () => {
    const queued = renaming(B, "moved", A, "now", MOVED);
    expect(compared("now", queued)).toEqual({ told: [], path: ["/w: /w/b/moved 2"] });
  });

  test("tells the lost one of two, and leaves the other to its event", () => {
    const queued = renaming(W, "between", A, "now", MOVED);
    expect(compared("now", queued)).toEqual({
      told: ["from /w/b/moved", "to /w/between"],
      path: ["/w: /w/between 1"],
    });
  });
});

describe("takeBack()", () => {
  const PATHS = ["/w", "/w/a", "/w/b", "/w/b/moved"];
  // As filesystemWith() counts.
  const [W, A, B, MOVED] = [inode(3), inode(4), inode(5), inode(6)];

  function moved(fresh: readonly string[], ...events: Buffer[]) {
    const { fs, node } = filesystemWith(PATHS);
    anchor(fs, node("/w"), watch("/w"));
    for (const path of fresh) fs.fresh.add(node(path));
    const before = fs.placesOf(node("/w/b/moved"));
    const ahead = new ReadAhead(new Queue(...events));
    new Learner(silent, ahead, () => {}).takeBack(fs);
    const after = fs.placesOf(node("/w/b/moved"));
    expect(fs.fresh.size).toBe(0);
    return { path: shown(after), kept: after === before, parent: fs.tree.parentOf(node("/w/b/moved")) };
  }

  test("takes a directory that was read from the disk back through the renames that are queued", () => {
    const events = [renaming(W, "first", A, "second", MOVED), renaming(A, "second", B, "moved", MOVED)];
    expect(moved(["/w/b/moved"], ...events).path).toEqual(["/w: /w/first 1"]);
  });

  test("leaves a directory that was known by events where it is", () => {
    const { path } = moved(["/w/a"], renaming(W, "first", B, "moved", MOVED));
    expect(path).toEqual(["/w: /w/b/moved 2"]);
  });

  test("takes one that came from outside out again", () => {
    const { path, parent } = moved(["/w/b/moved"], renaming(X, "x", B, "moved", MOVED));
    expect([path, parent]).toEqual([[], NOWHERE]);
  });

  test("looks for the directory that it came from, if that is removed by now", () => {
    const events = [renaming(X, "first", B, "moved", MOVED), removal(A, "x", X)];
    expect(moved(["/w/b/moved"], ...events).path).toEqual(["/w: /w/a/x/first 3"]);
  });

  test("passes over renames of files and whatever else happened", () => {
    const file = event(abi.FAN_RENAME, 1, from(W, "x"), to(B, "moved"), object(MOVED));
    const { path } = moved(["/w/b/moved"], file, event(abi.FAN_Q_OVERFLOW, 0));
    expect(path).toEqual(["/w: /w/b/moved 2"]);
  });

  test("does nothing while the queue tells of no directory", () => {
    expect(moved(["/w/b/moved"], event(abi.FAN_CREATE, 1, at(W, "f"))).kept).toBe(true);
  });
});

describe("reattach()", () => {
  test("finds the way up from a directory that was outside when it was scanned, and whose parent has come in since", () => {
    const { fs, node } = filesystemWith(["/w", "/w/in"]);
    anchor(fs, node("/w"), watch("/w"));
    const [detached, below] = [
      fs.tree.put(X, 0, NOWHERE, Buffer.from("later")),
      fs.tree.put(Y, 0, fs.tree.find(X, 0), Buffer.from("y")),
    ];
    const ahead = new ReadAhead(new Queue(renaming(inode(4), "was", inode(3), "later", X)));
    const learner = new Learner(silent, ahead, () => {});
    ahead.next();
    learner.reattach(fs, below);
    expect(shown(fs.placesOf(below))).toEqual(["/w: /w/in/was/y 3"]);
    expect(fs.unread.has(detached)).toBe(true);
  });

  test("remembers that there is none", () => {
    const { fs, node } = filesystemWith(["/w"]);
    anchor(fs, node("/w"), watch("/w"));
    const detached = fs.tree.put(X, 0, NOWHERE, Buffer.from("x"));
    const learner = new Learner(silent, new ReadAhead(new Queue()), () => {});
    learner.reattach(fs, detached);
    expect([fs.tree.parentOf(detached), fs.outside.size]).toEqual([NOWHERE, 1]);
  });
});
