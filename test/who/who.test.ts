import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { logHash } from "../../src/log/names.ts";
import { type Home, type Ran, temporaryHome } from "../cli/fsmon.ts";
import { gapLine, line, manage, renameLines, watchLine, writeLog } from "../support/made-log.ts";

let home: Home;
beforeEach(() => {
  home = temporaryHome();
  manage(home.managedFile, { path: "/srv" });
});
afterEach(() => home[Symbol.dispose]());

const write = (...segments: string[]) => writeLog(home.logDir, "/srv", ...segments);
const who = (...args: string[]): Promise<Ran> => home.runWith({ env: { TZ: "UTC" } }, "who", ...args);

/** Rows without times: "alice sh[100] created". */
async function rows(...args: string[]): Promise<string[]> {
  const { stdout, stderr, exitCode } = await who(...args);
  if (exitCode !== 0) throw new Error(stderr);
  const rowsOf = stdout.split("\n").slice(0, -1);
  return rowsOf.map((row) =>
    row.replace(/^\d{4}-\d\d-\d\d [\d:]{8} +(now|\d+[smhdy] ago) +/, "").replace(/ {2,}/g, " "),
  );
}

const START = watchLine(0, "started");

describe("fsmon who: what one process does at once is one line", () => {
  test("newest first, with user, login, program, ancestry and size", async () => {
    const sudo = {
      user: "root",
      login: "alice",
      ancestry: "sshd>bash>bash>sudo>vim",
      cmd: "vim",
      pid: 7,
      file_size: 2048,
    };
    write(
      START +
        line(1, "CREATE", "/srv/f") +
        line(1.001, "ATTRIB", "/srv/f") +
        line(1.002, "CLOSE_WRITE", "/srv/f") +
        line(50, "CLOSE_WRITE", "/srv/f", sudo) +
        line(60, "ATTRIB", "/srv/f", { cmd: "chmod", pid: 8 }) +
        line(61, "ATTRIB", "/srv/other"),
    );
    const { stdout, stderr, exitCode } = await who("/srv/f");
    expect(exitCode).toBe(0);
    expect(stdout.split("\n")[1]).toMatch(
      /^2026-05-07 10:00:50 {2}\d+d ago +root \(alice\) {2}sshd>bash>sudo>vim\[7\] {2}written, 2KB$/,
    );
    expect(await rows("/srv/f")).toEqual([
      "alice chmod[8] attributes changed",
      "root (alice) sshd>bash>sudo>vim[7] written, 2KB",
      "alice sh[100] created, written, 5B",
    ]);
    expect(stderr).toContain("The log begins at 2026-05-07 10:00:00");
  });

  test("a storm is one line with its number; a pause or somebody else in between parts it", async () => {
    let text = START;
    for (let i = 0; i < 300; i++) text += line(1 + i / 100, "CLOSE_WRITE", "/srv/f");
    text +=
      line(10, "CLOSE_WRITE", "/srv/f") +
      line(10.1, "CLOSE_WRITE", "/srv/f", { pid: 9 }) +
      line(10.2, "CLOSE_WRITE", "/srv/f");
    write(text);
    expect(await rows("/srv/f")).toEqual([
      "alice sh[100] written, 5B",
      "alice sh[9] written, 5B",
      "alice sh[100] written, 5B",
      "alice sh[100] written 300 times, 5B",
    ]);
  });

  test("a program that isn't known says why, and one that isn't certain has a question mark", async () => {
    write(
      START +
        line(1, "CREATE", "/srv/f", { pid: 5, cmd: null, user: null, who_reason: "gone_before_known" }) +
        line(9, "CLOSE_WRITE", "/srv/f", { cmd: "make", who: "lost" }),
    );
    expect(await rows("/srv/f")).toEqual(["alice make?[100] written, 5B", "? ? (had ended)[5] created, 5B"]);
  });
});

describe("fsmon who follows", () => {
  test("a save by rename: the new version's making, and the versions before", async () => {
    write(
      START +
        line(1, "CLOSE_WRITE", "/srv/f", { cmd: "vi", pid: 1 }) +
        line(20, "CREATE", "/srv/.f.tmp", { pid: 2 }) +
        line(20, "CLOSE_WRITE", "/srv/.f.tmp", { pid: 2 }) +
        renameLines(20, "/srv/.f.tmp", "/srv/f", { pid: 2 }) +
        line(20, "ATTRIB", "/srv/f", { pid: 2, file_size: 0 }) +
        line(20, "DELETE_SELF", "/srv/f", { pid: 2, file_size: 0 }),
    );
    expect(await rows("/srv/f")).toEqual([
      "alice sh[2] created, written, replaced by rename from .f.tmp, 5B",
      "alice vi[1] written, 5B",
    ]);
  });

  test("a temporary name no further back than to where it was made", async () => {
    write(
      START +
        line(1, "CREATE", "/srv/tmp", { cmd: "stranger" }) +
        line(2, "DELETE", "/srv/tmp", { cmd: "stranger" }) +
        line(10, "CREATE", "/srv/tmp", { cmd: "writer" }) +
        renameLines(20, "/srv/tmp", "/srv/f", { cmd: "mv" }),
    );
    expect(await rows("/srv/f")).toEqual([
      "alice mv[100] renamed from tmp, 5B",
      "alice writer[100] created, 5B, as tmp",
    ]);
  });

  test("a chain of renames, from outside as well", async () => {
    write(
      START +
        renameLines(1, "/home/a/x", "/srv/b", { pid: 1 }).split("\n").slice(1).join("\n") +
        renameLines(10, "/srv/b", "/srv/c", { pid: 2 }) +
        renameLines(20, "/srv/c", "/srv/d/e", { pid: 3 }),
    );
    expect(await rows("/srv/d/e")).toEqual([
      "alice sh[3] renamed from /srv/c, 5B",
      "alice sh[2] renamed from /srv/b, 5B, as /srv/c",
      "alice sh[1] renamed from /home/a/x, 5B, as /srv/b",
    ]);
  });

  test("vim's save with a backup, and the backup isn't the file", async () => {
    const vim = { cmd: "vim", pid: 4 };
    write(
      START +
        line(1, "CREATE", "/srv/f") +
        renameLines(30, "/srv/f", "/srv/f~", vim) +
        line(30, "CREATE", "/srv/f", vim) +
        line(30.1, "CLOSE_WRITE", "/srv/f", vim) +
        line(30.1, "DELETE", "/srv/f~", vim),
    );
    expect(await rows("/srv/f")).toEqual([
      "alice vim[4] renamed to f~, created, written, 5B",
      "alice sh[100] created, 5B",
    ]);
    expect(await rows("/srv/f~")).toEqual([
      "alice vim[4] renamed from f, deleted",
      "alice sh[100] created, 5B, as f",
    ]);
  });

  test("a directory that was renamed above it, by the name it had then", async () => {
    write(
      START +
        line(1, "CREATE", "/srv/old/sub/f") +
        renameLines(20, "/srv/old", "/srv/new", { dir: true, cmd: "mv", file_size: 0 }) +
        line(30, "CLOSE_WRITE", "/srv/new/sub/f"),
    );
    expect(await rows("/srv/new/sub/f")).toEqual([
      "alice sh[100] written, 5B",
      "alice mv[100] its directory renamed from /srv/old/sub/f",
      "alice sh[100] created, 5B, as /srv/old/sub/f",
    ]);
    // From the other end: it left with its directory.
    expect(await rows("/srv/old/sub/f")).toEqual([
      "alice mv[100] its directory renamed to /srv/new/sub/f",
      "alice sh[100] created, 5B",
    ]);
  });

  test("a file and a directory that were outside for a while, in a place that nobody records", async () => {
    const away = (atS: number, from: string, to: string, dir: boolean) =>
      line(atS, "MOVED_FROM", from, { to, cmd: "mv", ...(dir ? { dir } : {}) });
    const back = (atS: number, from: string, to: string, dir: boolean) =>
      line(atS, "MOVED_TO", to, { from, cmd: "mv", ...(dir ? { dir } : {}) });
    write(
      START +
        line(1, "CREATE", "/srv/a/f") +
        line(2, "CREATE", "/srv/g") +
        away(20, "/srv/a", "/root/up/a", true) +
        away(21, "/srv/g", "/root/g", false) +
        back(30, "/root/up", "/srv/b", true) +
        back(31, "/root/g", "/srv/g", false),
    );
    expect(await rows("/srv/b/a/f")).toEqual([
      "alice mv[100] its directory renamed from /root/up/a/f",
      "alice mv[100] its directory renamed from /srv/a/f, as /root/up/a/f",
      "alice sh[100] created, 5B, as /srv/a/f",
    ]);
    expect(await rows("/srv/g")).toEqual([
      "alice mv[100] renamed from /root/g, 5B",
      "alice mv[100] renamed from g, as /root/g",
      "alice sh[100] created, 5B",
    ]);
  });

  test("no directory that was renamed before the file was made below it", async () => {
    write(
      START +
        renameLines(5, "/srv/old", "/srv/d", { dir: true, cmd: "mv", file_size: 0 }) +
        line(10, "CREATE", "/srv/d/log") +
        renameLines(20, "/srv/d/log", "/srv/d/log.1", { cmd: "mv" }),
    );
    expect(await rows("/srv/d/log.1")).toEqual([
      "alice mv[100] renamed from log, 5B",
      "alice sh[100] created, 5B, as log",
    ]);
  });

  test("an exchange, in both directions", async () => {
    const swap = (from: string, to: string) =>
      line(20, "MOVED_FROM", from, { to, exchange: true, pid: 9 }) +
      line(20, "MOVED_TO", to, { from, exchange: true, pid: 9 });
    write(
      START +
        line(1, "CREATE", "/srv/a", { cmd: "maker-a" }) +
        line(5, "CREATE", "/srv/b", { cmd: "maker-b" }) +
        swap("/srv/a", "/srv/b") +
        swap("/srv/b", "/srv/a"),
    );
    expect(await rows("/srv/a")).toEqual([
      "alice sh[9] exchanged with b, 5B",
      "alice maker-b[100] created, 5B, as b",
      "alice maker-a[100] created, 5B",
    ]);
    expect((await rows("/srv/b"))[0]).toBe("alice sh[9] exchanged with a, 5B");
  });

  test("what was deleted, gone, and made again under its name", async () => {
    write(
      START +
        line(1, "CREATE", "/srv/f") +
        line(9, "ATTRIB", "/srv/f", { cmd: "rm" }) +
        line(9, "DELETE", "/srv/f", { cmd: "rm", last_size: 1024 }) +
        line(9, "DELETE_SELF", "/srv/f", { cmd: "rm" }) +
        line(20, "CREATE", "/srv/f"),
    );
    expect(await rows("/srv/f")).toEqual([
      "alice sh[100] created, 5B",
      "alice rm[100] deleted, 1KB",
      "alice sh[100] created, 5B",
    ]);
  });

  test("a move from another managed path into that one's log", async () => {
    manage(home.managedFile, { path: "/srv" }, { path: "/data" });
    const there = { monitored_path: "/data" };
    writeLog(
      home.logDir,
      "/data",
      watchLine(0, "started", "/data") +
        line(3, "CREATE", "/data/x", { ...there, cmd: "first" }) +
        line(20, "MOVED_FROM", "/data/x", { ...there, cmd: "mv", to: "/srv/f" }) +
        line(40, "CREATE", "/data/x", { ...there, cmd: "later" }),
    );
    write(
      START +
        line(20, "MOVED_TO", "/srv/f", { cmd: "mv", from: "/data/x" }) +
        line(30, "CLOSE_WRITE", "/srv/f"),
    );
    expect(await rows("/srv/f")).toEqual([
      "alice sh[100] written, 5B",
      "alice mv[100] renamed from /data/x, 5B",
      "alice first[100] created, 5B, as /data/x",
    ]);
  });

  test("a move from one managed path into another through a place that nobody records", async () => {
    manage(home.managedFile, { path: "/srv" }, { path: "/data" });
    const there = { monitored_path: "/data" };
    const away = (atS: number, name: string, to: string, dir = {}) =>
      line(atS, "MOVED_FROM", `/data/${name}`, { ...there, ...dir, cmd: "mv", to });
    writeLog(
      home.logDir,
      "/data",
      watchLine(0, "started", "/data") +
        line(3, "CREATE", "/data/x", { ...there, cmd: "first" }) +
        line(4, "CREATE", "/data/d/y", { ...there, cmd: "second" }) +
        away(20, "x", "/tmp/x") +
        away(21, "d", "/tmp/d", { dir: true }),
    );
    write(
      START +
        line(30, "MOVED_TO", "/srv/f", { cmd: "mv", from: "/tmp/x" }) +
        line(31, "MOVED_TO", "/srv/g", { cmd: "mv", from: "/tmp/d/y" }),
    );
    expect(await rows("/srv/f")).toEqual([
      "alice mv[100] renamed from /tmp/x, 5B",
      "alice mv[100] renamed from /data/x, as /tmp/x",
      "alice first[100] created, 5B, as /data/x",
    ]);
    expect(await rows("/srv/g")).toEqual([
      "alice mv[100] renamed from /tmp/d/y, 5B",
      "alice mv[100] its directory renamed from /data/d/y, as /tmp/d/y",
      "alice second[100] created, 5B, as /data/d/y",
    ]);
  });

  test("that other names of the file are not followed, where it has some now", async () => {
    const path = join(home.dir, "tree/f");
    mkdirSync(dirname(path));
    writeFileSync(path, "");
    manage(home.managedFile, { path: dirname(path) });
    const there = { monitored_path: dirname(path) };
    writeLog(
      home.logDir,
      dirname(path),
      watchLine(0, "started", dirname(path)) + line(3, "CREATE", path, there),
    );
    expect((await who(path)).stderr).not.toContain("hard links");
    linkSync(path, join(home.dir, "other"));
    expect((await who(path)).stderr).toContain(
      `"${path}" has 2 names (hard links): changes through the others`,
    );
  });

  test("an event in the logs of two managed paths once", async () => {
    manage(home.managedFile, { path: "/srv" }, { path: "/srv/sub" });
    const there = { monitored_path: "/srv/sub" };
    const both = (more: object) => line(5, "CREATE", "/srv/sub/f", more as Record<string, unknown>);
    writeLog(home.logDir, "/srv/sub", watchLine(0, "started", "/srv/sub") + both(there));
    write(START + both({}));
    expect(await rows("/srv/sub/f")).toEqual(["alice sh[100] created, 5B"]);
  });
});

describe("fsmon who says what limits the answer", () => {
  test("gaps in their place, several in one line, and only those that matter", async () => {
    write(
      START +
        line(1, "CREATE", "/srv/f") +
        gapLine(100, 200, "daemon_stopped") +
        gapLine(300, 310, "queue_overflow") +
        line(400, "CLOSE_WRITE", "/srv/f") +
        gapLine(500, 560, "daemon_crashed") +
        line(600, "CLOSE_WRITE", "/srv/f"),
    );
    expect(await rows("/srv/f")).toEqual([
      "alice sh[100] written, 5B",
      "! events may be missing from 2026-05-07 10:08:20 to 10:09:20 (1m): the daemon had ended without a word",
      "alice sh[100] written, 5B",
      "! 2 gaps between 2026-05-07 10:01:40 and 2026-05-07 10:05:10 (1m 50s in all): the kernel's queue was full; the daemon was stopped",
      "alice sh[100] created, 5B",
    ]);
    expect(await rows("/srv/f", "-n", "1")).toEqual(["alice sh[100] written, 5B"]);
  });

  test("the time while the path was not managed, and that it no longer is", async () => {
    write(
      START +
        line(1, "CREATE", "/srv/f") +
        watchLine(10, "stopped") +
        watchLine(99, "started") +
        line(100, "CLOSE_WRITE", "/srv/f") +
        watchLine(200, "stopped"),
    );
    const told = await rows("/srv/f");
    expect(told[0]).toMatch(
      /^! Nothing has been recorded since 2026-05-07 10:03:20 \(\d+d ago\): the path is no longer managed$/,
    );
    expect(told.slice(1)).toEqual([
      "alice sh[100] written, 5B",
      "! nothing was recorded from 2026-05-07 10:00:10 to 2026-05-07 10:01:39: the path was not managed",
      "alice sh[100] created, 5B",
    ]);
  });

  test("no change: since when it has been recorded, exit code 0", async () => {
    write(START + line(1, "CREATE", "/srv/f"));
    expect(await who("/srv/other")).toEqual({
      stdout: "",
      stderr:
        'fsmon: No change of "/srv/other" was recorded since 2026-05-07 10:00:00, when its log begins\n',
      exitCode: 0,
    });
  });

  test("a path below no managed path: what is managed, exit code 1", async () => {
    write(START);
    const ran = await who("/etc/passwd");
    expect(ran).toMatchObject({ stdout: "", exitCode: 1 });
    expect(ran.stderr).toContain('"/etc/passwd": it lies below no managed path');
    expect(ran.stderr).toContain('managed are: "/srv"');
  });

  test("a path deeper than what is managed without -r: exit code 1, with the remedy", async () => {
    manage(home.managedFile, { path: "/srv", recursive: false });
    write(START + line(1, "CREATE", "/srv/f"));
    const ran = await who("/srv/sub/f");
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toContain('fsmon add -r "/srv"');
    expect((await who("/srv/f")).exitCode).toBe(0);
  });

  test("the filters that leave the file, or some of its changes, out", async () => {
    manage(home.managedFile, { path: "/srv", exclude: ["*.swp"], only_cmd: ["nginx"] });
    write(START);
    expect((await who("/srv/x.swp")).stderr).toContain('The filters of "/srv" leave this file out: *.swp');
    expect((await who("/srv/x")).stderr).toContain('Below "/srv" only this is recorded: types=');
  });

  test("the log of a path that is no longer managed still answers", async () => {
    rmSync(home.managedFile);
    write(START + line(1, "CREATE", "/srv/f"));
    expect(await rows("/srv/f")).toEqual(["alice sh[100] created, 5B"]);
  });
});

describe("fsmon who reads", () => {
  test("from the end over all segments, packed ones included, up to -n and --since", async () => {
    write(
      START + line(1, "CREATE", "/srv/f", { pid: 1 }),
      watchLine(50, "continued") + line(60, "CLOSE_WRITE", "/srv/f", { pid: 2 }),
      watchLine(90, "continued") + line(100, "CLOSE_WRITE", "/srv/f", { pid: 3 }),
    );
    const sealed = join(home.logDir, `${logHash("/srv")}.000001_log.jsonl`);
    writeFileSync(`${sealed}.gz`, gzipSync(START + line(1, "CREATE", "/srv/f", { pid: 1 })));
    rmSync(sealed);
    const pids = async (...args: string[]) =>
      (await rows("/srv/f", ...args)).map((row) => row.match(/\[(\d+)\]/)?.[1]);
    expect(await pids()).toEqual(["3", "2", "1"]);
    expect(await pids("-n", "2")).toEqual(["3", "2"]);
    expect(await pids("--since", "2026-05-07 10:00:30")).toEqual(["3", "2"]);
    expect(await pids("-n", "all")).toEqual(["3", "2", "1"]);
  });

  test("every line of a large log, wherever blocks and windows of the search end, within a second or so", async () => {
    let text = START;
    let expected = 0;
    for (let i = 0; text.length < 3_000_000; i++) {
      const ours = i % 7 === 0;
      if (ours) expected++;
      // Of all lengths, so that the borders fall everywhere.
      const more = { pid: i + 1, cmd: "x".repeat(i % 15), exe: `/${"e".repeat((i * 7919) % 300)}` };
      text += line(i * 3, "CLOSE_WRITE", ours ? "/srv/f" : `/srv/f${i}`, more);
    }
    write(text);
    expect((await rows("/srv/f", "-n", "all")).length).toBe(expected);
    expect((await rows("/srv/f", "-n", "10")).length).toBe(10);
  });

  test("a thousand saves by rename in two logs at once", async () => {
    manage(home.managedFile, { path: "/srv" }, { path: "/srv/sub" });
    const there = { monitored_path: "/srv/sub" };
    let above = START;
    let below = watchLine(0, "started", "/srv/sub");
    for (let i = 0; i < 1000; i++) {
      above += renameLines(i * 5, `/srv/sub/tmp${i}`, "/srv/sub/f", { pid: i + 1 });
      below += renameLines(i * 5, `/srv/sub/tmp${i}`, "/srv/sub/f", { pid: i + 1, ...there });
    }
    write(above);
    writeLog(home.logDir, "/srv/sub", below);
    const told = await rows("/srv/sub/f", "-n", "all");
    expect(told).toHaveLength(1000);
    expect(told[0]).toBe("alice sh[1000] renamed from tmp999, 5B");
    expect(told[999]).toBe("alice sh[1] renamed from tmp0, 5B");
  });

  test("names of every kind, exactly and not as a part of another", async () => {
    const names = ["a b", "ü", "日本", 'q"q', "back\\slash", "new\nline", "\u009b31m", "ff", "f.bak", "F"];
    write(START + [...names, "f"].map((name, i) => line(1 + i, "CREATE", `/srv/${name}`)).join(""));
    for (const name of [...names, "f"]) expect(await rows(`/srv/${name}`)).toHaveLength(1);
    expect((await who("-r", "/srv")).stdout).not.toMatch(/[\u009b]|new\nline/);
  });

  test("what lies below a directory with -r, each file by itself", async () => {
    write(
      START +
        line(1, "CREATE", "/srv/d", { dir: true }) +
        line(1, "CREATE", "/srv/d/a") +
        line(1, "CREATE", "/srv/d/b") +
        line(1.5, "CLOSE_WRITE", "/srv/d/a") +
        line(2, "CREATE", "/srv/dd/c"),
    );
    expect(await rows("-r", "/srv/d")).toEqual([
      "alice sh[100] a: created, written, 5B",
      "alice sh[100] b: created, 5B",
      "alice sh[100] .: directory made",
    ]);
    expect(await rows("-r", "/srv")).toHaveLength(4);
  });

  test("the log's own lines with --json, newest first", async () => {
    const lines = [
      line(1, "CREATE", "/srv/f"),
      line(1.5, "CLOSE_WRITE", "/srv/f"),
      gapLine(3, 4, "clock"),
      line(9, "ATTRIB", "/srv/f"),
    ];
    write(START + lines.join("") + line(10, "CREATE", "/srv/other"));
    expect((await who("/srv/f", "--json")).stdout).toBe(lines.toReversed().join(""));
  });

  test("a link's file, a relative name, and a name below a linked directory that is gone", async () => {
    const real = join(home.dir, "real");
    manage(home.managedFile, { path: real });
    const there = { monitored_path: real };
    writeLog(home.logDir, real, watchLine(0, "started", real) + line(1, "DELETE", `${real}/gone`, there));
    symlinkSync(real, join(home.dir, "link"));
    mkdirSync(real);
    const ran = await home.runWith({ cwd: home.dir }, "who", "link/gone");
    expect(ran.stdout).toContain("deleted");
    expect(ran.stderr).toContain(`leads through a symbolic link to "${real}/gone"`);
  });

  test("on a narrow terminal without going beyond its width", async () => {
    write(
      START +
        line(1, "CREATE", `/srv/${"long".repeat(20)}`, { ancestry: "systemd>sshd>bash>vim", cmd: "vim" }),
    );
    for (const columns of [20, 40, 72, 100, 140]) {
      const { stdout } = await home.runWith({ env: { COLUMNS: String(columns) } }, "who", "-r", "/srv");
      expect(stdout.trimEnd().length).toBeLessThanOrEqual(Math.max(columns, 34));
    }
  });

  for (const [args, quoted] of [
    [["-n", "0", "/srv/f"], '"0"'],
    [["-n", "x", "/srv/f"], '"x"'],
    [["--since", "later", "/srv/f"], '"later"'],
    [["-t", "WRITE", "/srv/f"], '"WRITE"'],
    [[], "needs a FILE"],
    [[""], "needs a FILE"],
  ] as const) {
    test(`refuses ${args.join(" ") || "nothing"} with exit code 2`, async () => {
      const ran = await who(...args);
      expect(ran.exitCode).toBe(2);
      expect(ran.stderr).toContain(quoted);
    });
  }
});
