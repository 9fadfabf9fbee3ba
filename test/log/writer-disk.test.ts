// The disk is full, read-only, or gone: on a small tmpfs of its own. Needs root.
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Lifetime, LOCK_NAME, runningDaemon, withoutDaemon } from "../../src/log/lifetime.ts";
import { BACKLOG_MAX_BYTES } from "../../src/log/outage.ts";
import { LogDir, numbersIn, OWNER, parsed, range, until } from "./log-dir.ts";

const run = (...command: string[]) => spawnSync(command[0]!, command.slice(1), { encoding: "utf8" });

class SmallDisk extends LogDir {
  constructor(sizeBytes: number) {
    const path = mkdtempSync(join(tmpdir(), "fsmon-disk-"));
    const mounted = run("mount", "-t", "tmpfs", "-o", `size=${sizeBytes},mode=0700`, "tmpfs", path);
    if (mounted.status !== 0) throw new Error(mounted.stderr);
    super(path);
  }

  /** Leaves about so much room. */
  fill(leaveBytes: number): void {
    rmSync(join(this.path, "filler"), { force: true });
    for (let size = 64 * 1024 * 1024; size >= 4096; size /= 2) {
      try {
        writeFileSync(join(this.path, "filler"), Buffer.alloc(size), { flag: "a" });
      } catch {
        // Smaller steps then.
      }
    }
    if (leaveBytes > 0) {
      const { length } = readFileSync(join(this.path, "filler"));
      run("truncate", "-s", String(Math.max(0, length - leaveBytes)), join(this.path, "filler"));
    }
  }

  empty(): void {
    rmSync(join(this.path, "filler"), { force: true });
  }

  override [Symbol.dispose](): void {
    run("umount", "-l", this.path);
    rmdirSync(this.path);
  }
}

function canMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    new SmallDisk(64 * 1024)[Symbol.dispose]();
    return true;
  } catch {
    return false;
  }
}

const allowed = canMount();

describe.skipIf(!allowed)("LogWriter on a disk in trouble (needs root and mounts)", () => {
  test("begins a first life on a full disk, and writes down who has the directory when there is room", () => {
    using disk = new SmallDisk(1024 * 1024);
    disk.fill(0);
    const nowMs = Date.now();
    const lifetime = new Lifetime(disk.path, OWNER, nowMs);
    expect(readFileSync(join(disk.path, LOCK_NAME), "utf8")).toBe("");
    expect(withoutDaemon(disk.path, OWNER, () => true)).toBeNull();
    disk.empty();
    lifetime.beat(nowMs + 10_000);
    expect(runningDaemon(disk.path, OWNER)).toMatchObject({ pid: process.pid, lastBeatMs: nowMs + 10_000 });
    lifetime.stop(nowMs + 11_000);
  });

  test("keeps every event of a short while on a full disk, without a torn line, and writes a GAP afterwards", async () => {
    using disk = new SmallDisk(4 * 1024 * 1024);
    const writer = disk.openWriter();
    disk.put(writer, 10);
    disk.fill(8192);
    for (let i = 0; i < 100; i++) disk.put(writer, 30);
    // What had room was written, as whole lines.
    expect(numbersIn(disk.text()).length).toBeLessThan(3010);
    disk.empty();
    await until(() => writer.incompleteSinceMs === null);
    disk.put(writer, 5);
    writer.close();
    expect(numbersIn(disk.text())).toEqual(range(0, 3015));
    const gaps = parsed(disk.text()).filter((line) => line.event_type === "GAP");
    expect(gaps).toMatchObject([{ reason: "disk_full", lost: 0 }]);
    expect(disk.trouble).toEqual([
      expect.stringMatching(/^Cannot write the log ".*": no space left on device \(ENOSPC\); events wait/),
      expect.stringMatching(/can be written again: 0 events were lost/),
    ]);
  });

  for (const [how, ms] of [
    ["ahead", 3_600_000],
    ["back", -3_600_000],
  ] as const) {
    test(`a clock that is set ${how} meanwhile begins a segment with its one GAP`, async () => {
      using disk = new SmallDisk(4 * 1024 * 1024);
      const writer = disk.openWriter();
      disk.put(writer, 10);
      disk.fill(0);
      disk.put(writer, 500);
      const setMs = Date.now() + 1000;
      writer.gap({ reason: "clock", fromMs: setMs, toMs: setMs + ms, lost: 0 }, setMs + ms);
      disk.empty();
      await until(() => writer.incompleteSinceMs === null);
      writer.close();
      const segments = disk.names().map((name) => parsed(readFileSync(join(disk.path, name), "utf8")));
      const gaps = segments.map((lines) => lines.flatMap(({ reason }) => reason ?? []));
      expect(gaps).toEqual([[], ["clock", "disk_full"]]);
      expect(numbersIn(disk.text())).toEqual(range(0, 510));
    });
  }

  test("loses no more than the GAP says once its memory is full, and what it lost is one span", async () => {
    using disk = new SmallDisk(12 * 1024 * 1024);
    const writer = disk.openWriter();
    disk.fill(0);
    const from = Date.now();
    while ((writer.owed(0)?.lost ?? 0) < 5000) disk.put(writer, 500);
    const lost = writer.owed(0)?.lost ?? 0;
    disk.empty();
    await until(() => writer.incompleteSinceMs === null);
    disk.put(writer, 5);
    writer.close();
    const numbers = numbersIn(disk.text());
    expect(numbers.length + lost).toBe(disk.written);
    expect(numbers).toEqual([...range(0, numbers.length - 5), ...range(disk.written - 5, disk.written)]);
    expect(disk.text().length).toBeLessThan(BACKLOG_MAX_BYTES + 100_000);
    const [gap, ...more] = parsed(disk.text()).filter((line) => line.event_type === "GAP");
    expect(more).toEqual([]);
    expect(gap).toMatchObject({ reason: "disk_full", lost });
    expect(Date.parse(String(gap!.gap_from))).toBeGreaterThanOrEqual(from);
    expect(Date.parse(String(gap!.gap_from))).toBeLessThanOrEqual(Date.parse(String(gap!.gap_to)));
  });

  test("repairs the half line that a nearly full disk leaves, at every amount of room", () => {
    for (const room of [1, 50, 137, 4095, 4096, 5000, 9000]) {
      using disk = new SmallDisk(1024 * 1024);
      const writer = disk.openWriter();
      disk.fill(room);
      disk.put(writer, 200);
      // Not torn at any moment: parsed() throws when it is.
      const before = numbersIn(disk.text());
      expect(before).toEqual(range(0, before.length));
      disk.empty();
      writer.release(Date.now());
      writer.close();
      expect(numbersIn(disk.text())).toEqual(range(0, 200));
    }
  });

  test("writes what was kept as room comes, a part at a time, and nothing twice", async () => {
    using disk = new SmallDisk(1024 * 1024);
    const writer = disk.openWriter();
    disk.fill(0);
    for (let i = 0; i < 3; i++) disk.put(writer, 300);
    for (let have = 0; have < 900; ) {
      disk.fill(32 * 1024);
      const before = have;
      await until(() => {
        have = numbersIn(disk.text()).length;
        return have > before;
      });
      expect(numbersIn(disk.text())).toEqual(range(0, have));
    }
    disk.empty();
    await until(() => writer.incompleteSinceMs === null);
    writer.close();
    expect(numbersIn(disk.text())).toEqual(range(0, 900));
  });

  test("lives through a read-only remount", async () => {
    using disk = new SmallDisk(1024 * 1024);
    const writer = disk.openWriter();
    disk.put(writer, 5);
    const { path } = writer;
    // A file that is open for writing keeps a remount busy, as an error does not: move the log away from under it.
    run("mv", path, `${path}.away`);
    writer.tick(Date.now());
    run("rm", path);
    writer.close();
    expect(run("mount", "-o", "remount,ro", disk.path).status).toBe(0);
    const second = disk.writer();
    expect(() => second.open()).toThrow(/EROFS/);
    run("mount", "-o", "remount,rw", disk.path);
    second.open();
    disk.put(second, 5);
    second.close();
    expect(numbersIn(disk.text())).toEqual(range(5, 10));
  });

  test("a copy that doesn't fit is completed when there is room again", async () => {
    using disk = new SmallDisk(4 * 1024 * 1024);
    const writer = disk.openWriter();
    disk.put(writer, 5000);
    disk.sh(`head -n 100 ${writer.path} > t`);
    disk.fill(100_000);
    disk.sh(`mv t ${writer.path}`);
    for (let i = 0; i < 50; i++) {
      disk.put(writer, 100);
      writer.tick(Date.now());
    }
    await until(() => writer.incompleteSinceMs !== null);
    disk.empty();
    await until(() => writer.incompleteSinceMs === null);
    writer.close();
    expect(numbersIn(disk.text())).toEqual(range(0, 10_000));
  });
});
