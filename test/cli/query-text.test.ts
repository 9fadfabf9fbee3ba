import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { columnsOf } from "../../src/show/width.ts";
import { gapLine, line, manage, renameLines, watchLine, writeLog } from "../support/made-log.ts";
import { type Home, temporaryHome } from "./fsmon.ts";

let home: Home;
beforeEach(() => {
  home = temporaryHome();
  manage(home.managedFile, { path: "/srv" });
  writeLog(
    home.logDir,
    "/srv",
    watchLine(0, "started") +
      line(1, "CREATE", "/srv/a", { file_size: 0 }) +
      line(2, "CLOSE_WRITE", "/srv/sub/b", {
        file_size: 5 * 1024 * 1024,
        user: "root",
        login: "alice",
        cmd: "rsync",
      }) +
      renameLines(3, "/srv/a", "/elsewhere/\u202eb\x1b[2J") +
      gapLine(4, 94, "queue_overflow"),
  );
});
afterEach(() => home[Symbol.dispose]());

const query = (env: Record<string, string>, ...args: string[]) =>
  home.runWith({ env: { TZ: "UTC", ...env } }, "query", ...args);

describe("query --format text", () => {
  test("one row an event in local time, human sizes, names escaped", async () => {
    const { stdout, exitCode } = await query({}, "--format", "text");
    expect(exitCode).toBe(0);
    expect(stdout.split("\n").slice(0, -1)).toEqual([
      "2026-05-07 10:00:00.000 WATCH       /srv: recording begins (recursive)",
      "2026-05-07 10:00:01.000 CREATE      alice sh           0B /srv/a",
      "2026-05-07 10:00:02.000 CLOSE_WRITE root (alice) rsync       5MB /srv/sub/b",
      "2026-05-07 10:00:03.000 MOVED_FROM  alice        sh            - /srv/a -> /elsewhere/\\u202eb\\e[2J",
      "2026-05-07 10:00:03.000 MOVED_TO    alice        sh           5B /elsewhere/\\u202eb\\e[2J <- /srv/a",
      "2026-05-07 10:00:03.000 MOVE_SELF   alice        sh           5B /elsewhere/\\u202eb\\e[2J",
      "2026-05-07 10:01:34.000 GAP         /srv: events may be missing from 2026-05-07 10:00:04 to 10:01:34 (1m 30s): the kernel's queue was full",
    ]);
    expect((await query({ TZ: "Asia/Kolkata" }, "--format", "text")).stdout).toStartWith(
      "2026-05-07 15:30:00.000 WATCH",
    );
  });

  test("keeps to the width of any terminal", async () => {
    for (const columns of [4, 10, 26, 36, 40, 46, 47, 50, 63, 64, 80, 109, 110, 200]) {
      const { stdout } = await query({ COLUMNS: String(columns) }, "--format", "text");
      for (const row of stdout.split("\n")) expect(columnsOf(row)).toBeLessThanOrEqual(columns);
    }
  });

  test("jsonl is the default, and what else is asked for is refused", async () => {
    expect((await query({}, "--format", "jsonl")).stdout).toBe((await query({})).stdout);
    const ran = await query({}, "--format", "xml");
    expect(ran).toMatchObject({ stdout: "", exitCode: 2 });
    expect(ran.stderr).toContain('"xml"');
    expect(ran.stderr).toContain("jsonl, text");
    expect((await query({}, "--stats", "--format", "text")).exitCode).toBe(2);
  });
});

describe("query --stats", () => {
  test("tables and a histogram; with --json one object", async () => {
    const { stdout } = await query({}, "--stats");
    expect(stdout).toStartWith(
      "5 events from 2026-05-07 10:00:01 to 2026-05-07 10:00:03 (2s)\n! 1 gap of 1m 30s",
    );
    for (const heading of ["what", "who", "with", "where (3 directories)", "when (each line 1s)"])
      expect(stdout).toMatch(new RegExp(`(^|\\s{2,})${heading.replace(/[()]/g, "\\$&")}`, "m"));
    const json = JSON.parse((await query({}, "--stats", "--json", "--since", "2026-05-07 10:00:03")).stdout);
    expect(json).toMatchObject({ events: 3, programs: [{ name: "sh", count: 3 }] });
  });

  test("of any file, and its bad lines still count", async () => {
    writeFileSync(
      join(home.dir, "x.jsonl"),
      `${line(1, "CREATE", "/a/b")}broken\n${line(0, "DELETE", "/a/b")}`,
    );
    const ran = await home.run("query", "--stats", "--json", "-f", "x.jsonl");
    expect(JSON.parse(ran.stdout)).toMatchObject({ events: 2, directories: [{ name: "/a", count: 2 }] });
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toContain("Skipped 1 line");
  });
});
