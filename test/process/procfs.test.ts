import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, readdirSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readExe, readPids, readStatus } from "../../src/process/procfs.ts";
import { until } from "../support/wait.ts";

/** PID_MAX_LIMIT is 2^22. */
const NOBODY = 1 << 23;
const home = realpathSync(mkdtempSync(join(tmpdir(), "fsmon-procfs-")));
// A name that is hostile to whoever parses lines; the kernel cuts it at 15 bytes.
const program = join(home, "a b\nUid:\t7\t8 and more");
let child: Bun.Subprocess;

beforeAll(() => {
  copyFileSync(realpathSync("/bin/sleep"), program);
  child = Bun.spawn([program, "600"]);
});
afterAll(() => {
  child.kill();
  rmSync(home, { recursive: true, force: true });
});

describe("readStatus()", () => {
  test("reads name, parent and users, whatever stands in the name", async () => {
    const status = await until("the program runs", () => {
      const now = readStatus(child.pid);
      return now?.comm.startsWith("a b") ? now : null;
    });
    expect(status).toEqual({
      comm: "a b\nUid:\t7\t8 an".slice(0, 15),
      parentPid: process.pid,
      uid: process.getuid!(),
      euid: process.geteuid!(),
    });
  });

  test("is null for a process that is gone", () => expect(readStatus(NOBODY)).toBeNull());

  test("is null for a thread's number", () => {
    const thread = readdirSync("/proc/self/task").find((tid) => tid !== String(process.pid));
    expect(readStatus(Number(thread))).toBeNull();
  });
});

describe("readExe()", () => {
  test("is the executable's path, byte by byte, and its old name once it was removed", () => {
    expect(readExe(child.pid)?.toString()).toBe(program);
    rmSync(program);
    expect(readlinkSync(`/proc/${child.pid}/exe`)).toEndWith(" (deleted)");
    expect(readExe(child.pid)?.toString()).toBe(program);
  });

  test("keeps what is part of a name, also of one that was removed", async () => {
    const named = join(home, "x (deleted)");
    copyFileSync(realpathSync("/bin/sleep"), named);
    const other = Bun.spawn([named, "600"]);
    try {
      await until("the program runs", () => readExe(other.pid)?.includes("x (") ?? false);
      expect(readExe(other.pid)).toBe(named);
      rmSync(named);
      expect(readExe(other.pid)).toBe(named);
    } finally {
      other.kill();
    }
  });

  test("is null for a process that is gone", () => expect(readExe(NOBODY)).toBeNull());
});

describe("readPids()", () => {
  test("lists processes, ourselves included, and nothing else of /proc", () => {
    const pids = readPids();
    expect(pids).toContain(process.pid);
    expect(pids).toContain(child.pid);
    expect(pids.every((pid) => Number.isInteger(pid) && pid > 0)).toBe(true);
  });
});
