import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ManagedPath } from "../../src/event.ts";
import { Failure } from "../../src/failure.ts";
import { checkPatterns } from "../../src/filter/filter.ts";
import { lockFile } from "../../src/kernel/lock.ts";
import { encodeEntry } from "../../src/managed/entry.ts";
import { loadStore, updateStore } from "../../src/managed/store.ts";
import { managedPath } from "../support/managed-path.ts";

const asRoot = process.getuid?.() === 0;
const self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, groups: [] };
const person = { uid: 54321, gid: 54321, groups: [] };

let dir = "";
let file = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "fsmon-store-"));
  chmodSync(dir, 0o755);
  file = join(dir, "managed.jsonl");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function add(path: string, more: Partial<ManagedPath> = {}) {
  const added = managedPath(path, more);
  return updateStore(file, self, (paths) => [...paths.filter((one) => one.path !== path), added]);
}

function failureOf(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("nothing failed");
}

describe("loadStore()", () => {
  test("takes a missing file for an empty store", () => {
    expect(loadStore(file, self)).toEqual({ paths: [], broken: [] });
    expect(loadStore(join(dir, "missing/managed.jsonl"), self)).toEqual({ paths: [], broken: [] });
  });

  test("reads each path once, its last line counting, and names the broken lines", () => {
    const lines = [
      encodeEntry(managedPath("/a")),
      "{torn",
      "",
      encodeEntry(managedPath("/b")),
      '{"path":"relative"}',
      encodeEntry(managedPath("/a", { recursive: true })),
    ];
    writeFileSync(file, lines.join("\n"));
    expect(loadStore(file, self)).toEqual({
      paths: [managedPath("/a", { recursive: true }), managedPath("/b")],
      broken: [
        { line: 2, reason: "it is not JSON" },
        { line: 5, reason: '"path" is not an absolute path in its plain form' },
      ],
    });
  });

  test("takes a line that is refused for a broken one, and the others as they are", () => {
    const runaway = '{"path":"/b","exclude":["re:(a+)+$"]}';
    writeFileSync(file, `${encodeEntry(managedPath("/a"))}\n${runaway}\n${encodeEntry(managedPath("/c"))}\n`);
    expect(loadStore(file, self, checkPatterns)).toEqual({
      paths: [managedPath("/a"), managedPath("/c")],
      broken: [{ line: 2, reason: 'Cannot use the pattern "re:(a+)+$": it takes too long on long names' }],
    });
    expect(loadStore(file, self).paths).toHaveLength(3);
    add("/d");
    expect(readFileSync(file, "utf8").split("\n")[1]).toBe(runaway);
  });

  test("refuses a FIFO, a directory, a device, a link and a file beyond any sense, at once", () => {
    const places: [string, (path: string) => unknown, string][] = [
      ["fifo", (path) => spawnSync("mkfifo", [path]), "a FIFO"],
      ["directory", (path) => mkdirSync(path), "a directory"],
      ["link", (path) => symlinkSync("/dev/zero", path), "symbolic link"],
      ["big", (path) => writeFileSync(path, "x".repeat(16 * 2 ** 20 + 1)), "more than 16777216 bytes"],
    ];
    for (const [name, make, said] of places) {
      make(join(dir, name));
      expect(failureOf(() => loadStore(join(dir, name), self)).message).toContain(said);
      expect(failureOf(() => updateStore(join(dir, name), self, () => [])).message).toContain(said);
    }
    expect(failureOf(() => loadStore("/dev/null", self)).message).toContain("a device");
  });
});

describe("updateStore()", () => {
  test("makes the file, its directory and its lock for the owner alone", () => {
    file = join(dir, "share/fsmon/managed.jsonl");
    expect(add("/a").paths).toEqual([managedPath("/a")]);
    expect(readFileSync(file, "utf8")).toBe(`${encodeEntry(managedPath("/a"))}\n`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(`${file}.lock`).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, "share")).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(dir, "share/fsmon")).sort()).toEqual(["managed.jsonl", "managed.jsonl.lock"]);
  });

  test("replaces a path in its place and takes one out", () => {
    add("/a");
    add("/b");
    add("/c");
    expect(add("/b", { recursive: true }).paths.map(({ path }) => path)).toEqual(["/a", "/b", "/c"]);
    const left = updateStore(file, self, (paths) => paths.filter(({ path }) => path !== "/a"));
    expect(left.paths).toEqual([managedPath("/b", { recursive: true }), managedPath("/c")]);
    expect(loadStore(file, self)).toEqual(left);
  });

  test("keeps broken lines byte by byte, and unchanged ones as somebody wrote them", () => {
    const before = Buffer.concat([
      Buffer.from('{"path": "/by/hand",   "note": "mine"}\n{torn\n\n'),
      Buffer.from([0xff, 0xfe, 0x0a]),
      Buffer.from('{"path":"/twice"}\n{"path":"/twice","recursive":true}'),
    ]);
    writeFileSync(file, before);
    const after = add("/new");
    expect(after.broken.map(({ line }) => line)).toEqual([2, 4]);
    expect(after.paths.map(({ path }) => path)).toEqual(["/by/hand", "/twice", "/new"]);
    const expected = Buffer.concat([
      before.subarray(0, before.indexOf('{"path":"/twice"}')),
      Buffer.from(`{"path":"/twice","recursive":true}\n${encodeEntry(managedPath("/new"))}\n`),
    ]);
    expect(readFileSync(file).toString("latin1")).toBe(expected.toString("latin1"));
  });

  test("writes nothing when nothing changes or the change throws", () => {
    add("/a");
    const { ino } = statSync(file);
    writeFileSync(file, `${encodeEntry(managedPath("/a"))}\n{torn`);
    updateStore(file, self, (paths) => [...paths]);
    expect(readFileSync(file, "utf8")).toEndWith("{torn");
    expect(() =>
      updateStore(file, self, () => {
        throw new Failure("Cannot remove it");
      }),
    ).toThrow("Cannot remove it");
    expect(statSync(file).ino).toBe(ino);
    // The lock is free again.
    expect(add("/b").paths).toHaveLength(2);
  });

  test("gives up on a lock that somebody keeps, and says so", () => {
    add("/a");
    const fd = openSync(`${file}.lock`, "r");
    expect(lockFile(fd, 0)).toBe(true);
    const failure = failureOf(() => updateStore(file, self, () => [], 30));
    expect(failure.message).toContain("held its lock");
    closeSync(fd);
    expect(loadStore(file, self).paths).toHaveLength(1);
  });

  test("never hangs on something else in the lock's place", () => {
    for (const make of [
      (path: string) => spawnSync("mkfifo", [path]),
      (path: string) => mkdirSync(path),
      (path: string) => symlinkSync(join(dir, "elsewhere"), path),
    ]) {
      rmSync(`${file}.lock`, { recursive: true, force: true });
      make(`${file}.lock`);
      expect(failureOf(() => updateStore(file, self, () => [])).message).toContain("Cannot lock");
      expect(existsSync(join(dir, "elsewhere"))).toBe(false);
    }
  });

  test("loses nothing when 100 commands add at once", async () => {
    // On a busy machine a hundred runtimes starting take longer than a command waits.
    const PATIENCE_MS = 60_000;
    const script = `import { updateStore } from ${JSON.stringify(join(import.meta.dir, "../../src/managed/store.ts"))};
      const [file, path] = process.argv.slice(-2);
      const added = { ...${JSON.stringify(managedPath("/"))}, path };
      updateStore(file, ${JSON.stringify(self)}, (paths) => [...paths, added], ${PATIENCE_MS});`;
    writeFileSync(join(dir, "add.ts"), script);
    const children = Array.from({ length: 100 }, (_, child) =>
      Bun.spawn([process.execPath, join(dir, "add.ts"), file, `/p${child}`], { stderr: "inherit" }),
    );
    expect(await Promise.all(children.map((child) => child.exited))).toEqual(children.map(() => 0));
    const paths = loadStore(file, self).paths.map(({ path }) => path);
    expect(new Set(paths)).toEqual(new Set(Array.from({ length: 100 }, (_, path) => `/p${path}`)));
    expect(paths).toHaveLength(100);
    expect(readdirSync(dir).sort()).toEqual(["add.ts", "managed.jsonl", "managed.jsonl.lock"]);
  });

  test.skipIf(!asRoot)("works as the person and leaves root's files alone (needs root)", () => {
    mkdirSync(join(dir, "home"));
    chownSync(join(dir, "home"), person.uid, person.gid);
    const store = join(dir, "home/share/managed.jsonl");
    updateStore(store, person, (paths) => [...paths, managedPath("/a")]);
    for (const made of [store, `${store}.lock`, join(dir, "home/share")]) {
      expect([made, statSync(made).uid, statSync(made).gid]).toEqual([made, person.uid, person.gid]);
    }
    writeFileSync(join(dir, "secret"), "root's\n", { mode: 0o600 });
    for (const name of [store, `${store}.lock`]) {
      rmSync(name);
      symlinkSync(join(dir, "secret"), name);
      expect(() => updateStore(store, person, () => [managedPath("/b")])).toThrow(Failure);
    }
    expect(() => updateStore(join(dir, "roots.jsonl"), person, () => [managedPath("/b")])).toThrow(
      "permission denied",
    );
    expect(readFileSync(join(dir, "secret"), "utf8")).toBe("root's\n");
    expect(existsSync(join(dir, "roots.jsonl"))).toBe(false);
  });
});
