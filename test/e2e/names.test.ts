// Names and paths as hostile as a filesystem allows: any bytes, the longest names, paths beyond PATH_MAX, trees thousands of levels
// deep, loops of symlinks. Each event is one line of valid JSON from which the exact bytes can be had back.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { liveName, logHash } from "../../src/log/names.ts";
import { type LogLine, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, run, TestFilesystem } from "../support/filesystem.ts";
import { until } from "../support/wait.ts";
import { settled } from "./settled.ts";

/** PATH_MAX of linux/limits.h: no system call takes a longer path, and relative ones lead beyond it. */
const PATH_MAX_BYTES = 4096;

const HOSTILE: readonly [string, Buffer][] = [
  ["a newline", Buffer.from("a\nb")],
  ["carriage return, tab, backspace, bell", Buffer.from("a\r\t\b\x07b")],
  ["quotes and backslashes", Buffer.from(`"'\\"\\\\`)],
  ["what looks like the rest of a line", Buffer.from(`","pid":1,"cmd":"forged"}`)],
  [
    "a whole line of its own",
    Buffer.from(`x\n{"time":"2026-01-01T00:00:00.000+00:00","event_type":"DELETE"}\n`),
  ],
  ["terminal escapes", Buffer.from("\x1b]0;title\x07\x1b[31mred\x1b[2J")],
  ["DEL and C1 controls", Buffer.from("a\x7f\u0080\u009b31m\u009fb")],
  ["every byte from 0x01 to 0x2e", Buffer.from(Array.from({ length: 0x2e }, (_, i) => i + 1))],
  ["every byte from 0x30 to 0x7f", Buffer.from(Array.from({ length: 0x50 }, (_, i) => i + 0x30))],
  ["every byte from 0x80 on: no UTF-8", Buffer.from(Array.from({ length: 0x80 }, (_, i) => i + 0x80))],
  [
    "a broken and an overlong sequence",
    Buffer.from([0xc3, 0x41, 0xe2, 0x82, 0xc0, 0xaf, 0xf5, 0x80, 0x80, 0x80]),
  ],
  ["an encoded surrogate", Buffer.from([0xed, 0xa0, 0x80])],
  ["a byte order mark in front", Buffer.from("\ufeffbom")],
  ["right-to-left overrides", Buffer.from("gpj.\u202eexe")],
  ["four-byte characters", Buffer.from("𝕱𝖘🐧")],
  ["a space at both ends", Buffer.from(" a ")],
  ["dashes in front", Buffer.from("--rf")],
  ["three dots", Buffer.from("...")],
  ["what looks like a log", Buffer.from("0123456789abcdef_log.jsonl")],
  ["255 bytes", Buffer.alloc(255, "n")],
  ["255 bytes that all need an escape", Buffer.alloc(255, 0x01)],
  ["255 bytes that are no UTF-8", Buffer.alloc(255, 0xff)],
  ["255 bytes of quotes", Buffer.alloc(255, '"')],
];

const bytesOf = (line: LogLine, key: "path" | "from" | "to" = "path"): Buffer => {
  const exact = (line as unknown as Record<string, string | undefined>)[`${key}_b64`];
  return exact === undefined ? Buffer.from(line[key]!) : Buffer.from(exact, "base64");
};

describe.skipIf(captureObstacle !== null)("names and depth (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;

  beforeAll(async () => {
    filesystem = TestFilesystem.mount("tmpfs");
    daemon = await new TestDaemon().start();
  });
  afterAll(async () => {
    await daemon?.destroy();
    filesystem?.unmount();
  });

  const managed = (name: string, ...flags: string[]) =>
    daemon.add(filesystem.directory(name), "-r", ...flags);
  /** The lines that tell of one kind, without those of the sentinel. */
  const ofType = (path: string, type: string) =>
    daemon.events(path).filter((line) => line.event_type === type);

  test("a file that is called as the kernel calls those without a name is one like others, also when it isn't there any more", async () => {
    const root = await managed("number", "-t", "close_write");
    const file = join(root, "file");
    writeFileSync(file, "");
    const numbered = join(root, `#${statSync(file).ino}`);
    await settled(daemon, root);
    daemon.signal("SIGSTOP");
    renameSync(file, numbered);
    writeFileSync(numbered, "1");
    renameSync(numbered, file);
    daemon.signal("SIGCONT");
    await settled(daemon, root);
    expect(ofType(root, "CLOSE_WRITE").map(({ path }) => path)).toEqual([file, numbered]);
  });

  describe("any bytes", () => {
    let root: string;
    const names = HOSTILE.map(([, name]) => name);
    const at = (...parts: Buffer[]) =>
      Buffer.concat([Buffer.from(root), ...parts.flatMap((part) => [Buffer.from("/"), part])]);

    beforeAll(async () => {
      root = await managed("bytes");
      // A directory of the name, a file of the name in it, renamed to the next name, then removed.
      for (const [i, name] of names.entries()) {
        const other = names[(i + 1) % names.length]!;
        mkdirSync(at(name));
        writeFileSync(at(name, name), "12345");
        renameSync(at(name, name), at(name, other));
        unlinkSync(at(name, other));
      }
      await settled(daemon, root);
    });

    for (const [i, [what, name]] of HOSTILE.entries()) {
      test(`${what}: the exact bytes come back`, () => {
        const other = names[(i + 1) % names.length]!;
        const has = (type: string, path: Buffer) =>
          ofType(root, type).filter((line) => bytesOf(line).equals(path));
        expect(has("CREATE", at(name)).map((line) => line.dir)).toEqual([true]);
        expect(has("CREATE", at(name, name)).length).toBe(1);
        const [from, ...more] = has("MOVED_FROM", at(name, name));
        expect(more).toEqual([]);
        expect(bytesOf(from!, "to")).toEqual(at(name, other));
        const [to] = has("MOVED_TO", at(name, other));
        expect(bytesOf(to!, "from")).toEqual(at(name, name));
        expect(has("DELETE", at(name, other)).length).toBe(1);
      });
    }

    test("the log is plain lines: nothing in it can reach a terminal or pass for another line", () => {
      const text = logText(daemon);
      // C0, DEL and C1, the newlines between the lines apart.
      expect(text.replaceAll("\n", "").match(/[\x00-\x1f\x7f-\x9f]/)).toBeNull();
      for (const line of text.split("\n").slice(0, -1)) expect(line).toStartWith('{"time":"');
      expect(daemon.allLines().filter((line) => line.cmd === "forged")).toEqual([]);
    });

    test("fsmon query prints the same bytes", async () => {
      const { stdout, code } = await daemon.fsmon("query", "--path", root);
      expect(code).toBe(0);
      const told = stdout.split("\n").filter((line) => line.includes('"event_type":"CREATE"'));
      const wanted = logText(daemon, root)
        .split("\n")
        .filter((line) => line.includes('"event_type":"CREATE"'));
      expect(told).toEqual(wanted);
    });
  });

  describe("depth", () => {
    /** In one process, by relative steps: no path is ever longer than a name. */
    const python = (script: string, cwd: string) => run(["python3", "-c", script], { cwd });

    test("a path beyond PATH_MAX is followed and logged, and the file at its end has its size", async () => {
      const root = await managed("beyond");
      const step = "s".repeat(200);
      python(
        `import os
for i in range(40):
    os.mkdir("${step}")
    os.chdir("${step}")
open("deep", "w").write("1234567")
os.rename("deep", "deeper")
os.unlink("deeper")`,
        root,
      );
      await settled(daemon, root);
      const deepest = `${root}${`/${step}`.repeat(40)}`;
      expect(deepest.length).toBeGreaterThan(PATH_MAX_BYTES);
      expect(ofType(root, "CREATE").filter((line) => line.dir === true)).toHaveLength(40);
      expect(ofType(root, "CREATE").map((line) => line.path)).toContain(`${deepest}/deep`);
      expect(ofType(root, "MOVED_TO").map((line) => [line.path, line.from])).toContainEqual([
        `${deepest}/deeper`,
        `${deepest}/deep`,
      ]);
      expect(ofType(root, "DELETE").map((line) => line.path)).toContain(`${deepest}/deeper`);
    });

    test("a tree 5,000 levels deep, made and removed while it is watched", async () => {
      // Only these: the paths alone are 25 MB each way.
      const root = await managed("levels", "-t", "create,delete");
      const levels = 5000;
      python(`import os\nfor i in range(${levels}):\n    os.mkdir("d")\n    os.chdir("d")`, root);
      run(["rm", "-rf", join(root, "d")]);
      // The outermost goes last.
      await until("the end of the tree is told", () =>
        logEnd(daemon, root).includes(`"DELETE","path":"${root}/d",`),
      );
      const made = ofType(root, "CREATE");
      expect(made).toHaveLength(levels);
      expect(made.at(-1)!.path).toBe(`${root}${"/d".repeat(levels)}`);
      const removed = ofType(root, "DELETE").map((line) => line.path.length);
      expect(removed).toHaveLength(levels);
      expect(Math.max(...removed)).toBe(root.length + 2 * levels);
    });

    test("a tree 5,000 levels deep that was there before holds nothing up", async () => {
      const levels = 5000;
      const root = join(filesystem.path, "before");
      mkdirSync(root);
      const other = await managed("beside");
      python(`import os\nfor i in range(${levels}):\n    os.mkdir("d")\n    os.chdir("d")`, root);
      // That it was made is read, so that it is known by the scan alone.
      await settled(daemon, other);
      await daemon.add(root, "-r");
      writeFileSync(join(other, "at-once"), "");
      await settled(daemon, other);
      expect(ofType(other, "CREATE").map((line) => line.path)).toEqual([join(other, "at-once")]);
      python(
        `import os\nfor i in range(${levels}):\n    os.chdir("d")\nopen("f", "w").close()\nos.unlink("f")`,
        root,
      );
      await settled(daemon, root);
      const deepest = `${root}${"/d".repeat(levels)}/f`;
      expect(ofType(root, "CREATE").map((line) => line.path)).toEqual([deepest]);
      expect(ofType(root, "DELETE").map((line) => line.path)).toEqual([deepest]);
    });

    test("loops of symlinks are never followed", async () => {
      const root = join(filesystem.path, "loops");
      mkdirSync(join(root, "a/b"), { recursive: true });
      symlinkSync("..", join(root, "a/b/up"));
      symlinkSync("self", join(root, "self"));
      symlinkSync("/", join(root, "everything"));
      await daemon.add(root, "-r");
      symlinkSync("../..", join(root, "a/b/up-later"));
      writeFileSync(join(root, "a/b/up/through"), "x");
      await settled(daemon, root);
      const made = ofType(root, "CREATE").map((line) => line.path);
      // Through the link a file of `a` was made: that is its path.
      expect(made).toEqual([join(root, "a/b/up-later"), join(root, "a/through")]);
    });
  });
});

/** The last kilobytes of a path's log: a whole one is too long to be read again and again. */
function logEnd(daemon: TestDaemon, monitoredPath: string): string {
  const fd = openSync(join(daemon.logDir, liveName(logHash(monitoredPath))), "r");
  const end = Buffer.alloc(65536);
  const got = readSync(fd, end, 0, end.length, Math.max(0, fstatSync(fd).size - end.length));
  closeSync(fd);
  return end.toString("latin1", 0, got);
}

/** As it stands in the files. */
function logText(daemon: TestDaemon, monitoredPath?: string): string {
  const files = readdirSync(daemon.logDir)
    .filter((name) => name.endsWith("_log.jsonl"))
    .sort()
    .map((name) => readFileSync(join(daemon.logDir, name), "utf8"));
  if (monitoredPath === undefined) return files.join("");
  return files.filter((text) => text.includes(`"monitored_path":"${monitoredPath}"`)).join("");
}
