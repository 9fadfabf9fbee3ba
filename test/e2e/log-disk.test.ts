// The compiled daemon's log when its disk is in trouble, when no more space may be used, when others pack it, and when root
// cleans it for a person who has laid links.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { liveName, logHash } from "../../src/log/names.ts";
import { range } from "../log/log-dir.ts";
import { command, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, run, TestFilesystem } from "../support/filesystem.ts";
import { makeFiles, numbersMade } from "../support/numbered-files.ts";
import { giveTo, PERSON_UID, PersonsDaemon } from "../support/person.ts";
import { parseLine } from "../support/schema.ts";
import { until } from "../support/wait.ts";
import { Workload } from "../support/workload.ts";
import { settled } from "./settled.ts";

describe.skipIf(captureObstacle !== null)("the log on a disk in trouble (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let root: string;
  let images: string;
  beforeEach(() => {
    images = mkdtempSync(join(tmpdir(), "fsmon-images-"));
    filesystem = TestFilesystem.mount("tmpfs");
    daemon = new TestDaemon();
    mkdirSync(daemon.logDir, { recursive: true });
    root = join(filesystem.path, "managed");
    mkdirSync(root);
  });
  afterEach(async () => {
    spawnSync("umount", ["-l", daemon.logDir]);
    await daemon?.destroy();
    filesystem?.unmount();
    rmSync(images, { recursive: true, force: true });
  });

  async function start(config: string): Promise<void> {
    writeFileSync(daemon.configFile, `${readFileSync(daemon.configFile, "utf8")}${config}`);
    await daemon.start();
    await daemon.add(root, "-r", "--types", "CREATE");
    await settled(daemon, root);
  }

  /** A log of some files on a disk that has become full since: the daemon says so, and most of 50 further files are in its memory. */
  async function startOnFullDisk(files: number): Promise<void> {
    run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "fsmon-test", daemon.logDir]);
    await start("");
    make(0, files);
    await settled(daemon, root);
    fill();
    // More lines than the file's last page has room for.
    make(files, files + 50);
    await until("the daemon says so", () => daemon.stderr.includes("(ENOSPC)"));
  }

  const filler = () => join(daemon.logDir, "filler");
  function fill(): void {
    const page = Buffer.alloc(4096);
    try {
      for (;;) appendFileSync(filler(), page);
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
    }
  }

  const make = (from: number, to: number) => makeFiles(root, from, to);
  const made = () => numbersMade(daemon, root);
  /** Whether told or found. */
  const known = () => [...new Set(made())].sort((a, b) => a - b);

  test("turns read-only under the open log: the daemon lives on, and every event is there with a GAP when it is back", async () => {
    const image = join(images, "before");
    run(["truncate", "-s", "64M", image]);
    run(["mkfs.ext4", "-q", image]);
    run(["mount", "-o", "loop,errors=remount-ro", image, daemon.logDir]);
    await start("");
    make(0, 100);
    await settled(daemon, root);
    run(["sync", "-f", daemon.logDir]);
    const device = basename(run(["findmnt", "-no", "SOURCE", daemon.logDir]).trim());
    writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, "1");
    make(100, 300);
    await until("the daemon says so", () => daemon.stderr.includes("(EROFS)"));
    run(["umount", "-l", daemon.logDir]);
    run(["cp", image, join(images, "after")]);
    spawnSync("e2fsck", ["-fy", join(images, "after")]);
    run(["mount", "-o", "loop", join(images, "after"), daemon.logDir]);
    await until("the daemon writes again", () => daemon.stderr.includes("can be written again"));
    make(300, 310);
    await settled(daemon, root);
    expect(made()).toEqual(range(0, 310));
    expect(daemon.gaps(root)[0]).toMatchObject({ reason: "write_error", lost: 0 });
    expect(await daemon.stop()).toBe(0);
  });

  test("a full disk: what doesn't fit into memory is counted exactly, is one stretch of time, and no line is torn", async () => {
    run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "fsmon-test", daemon.logDir]);
    await start("");
    const workload = new Workload("storm");
    try {
      // 10 MB of lines: 2 fit onto the disk, 4 into memory.
      await workload.start("files", root, 1, 40_000);
      await until("the daemon says so", () => daemon.stderr.includes("(ENOSPC)"));
      await until("everything is read", async () =>
        (await daemon.fsmon("health", "--json")).stdout.includes('"queue":{"now":0,'),
      );
      run(["mount", "-o", "remount,size=64m", daemon.logDir]);
      await until("the daemon writes again", () => daemon.stderr.includes("can be written again"));
      make(0, 10);
      await settled(daemon, root);
      expect(made()).toEqual(range(0, 10));
      const [gap, ...more] = daemon.gaps(root);
      expect(more).toEqual([]);
      expect(gap?.reason).toBe("disk_full");
      const numbers = numbersMade(daemon, root, /\/0-(\d+)$/);
      expect(numbers).toEqual(range(0, numbers.length));
      expect(numbers.length).toBeGreaterThan(20_000);
      // Lost are the storm's last files.
      expect(gap?.lost).toBe(40_000 - numbers.length);
      const lastKept = daemon.events(root).find(({ path }) => path.endsWith(`/0-${numbers.length - 1}`));
      expect(Date.parse(gap?.gap_from ?? "")).toBeGreaterThanOrEqual(Date.parse(lastKept?.time ?? ""));
      expect(await daemon.stop()).toBe(0);
    } finally {
      workload.remove();
    }
  });

  test("a disk that is full when the daemon is stopped: what waited in memory is a GAP with its count, and health says so", async () => {
    await startOnFullDisk(10);
    const last = daemon.lines(root).at(-1);
    expect(await daemon.stop()).toBe(0);
    const stoppedMs = Date.now();
    unlinkSync(filler());
    await daemon.start();
    await settled(daemon, root);
    const told = daemon.events(root).filter(({ origin }) => origin === undefined);
    const [lost, stopped, ...more] = daemon.gaps(root);
    expect(more).toEqual([]);
    expect(lost).toMatchObject({ reason: "disk_full", lost: 60 - told.length });
    expect(stopped).toMatchObject({ reason: "daemon_stopped", lost: null, gap_from: lost!.gap_to });
    expect(Date.parse(lost!.gap_from!)).toBeGreaterThanOrEqual(Date.parse(last!.time));
    expect(Date.parse(lost!.gap_to!)).toBeLessThanOrEqual(stoppedMs);
    expect(known()).toEqual(range(0, 60));
    expect(await daemon.fsmon("health")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("1 GAP line since the start: disk_full"),
    });
    // It is told once.
    expect(await daemon.stop()).toBe(0);
    await daemon.start();
    expect(daemon.gaps(root).map(({ reason }) => reason)).toEqual([
      "disk_full",
      "daemon_stopped",
      "daemon_stopped",
    ]);
  });

  test("more logs than have room in the lock file, on a disk that is full when the daemon is stopped: none of them says that it was only stopped", async () => {
    const roots = range(0, 40).map((i) => join(filesystem.path, `one-of-many-${i}`));
    run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "fsmon-test", daemon.logDir]);
    await start("");
    for (const one of roots) {
      mkdirSync(one);
      await daemon.add(one, "--types", "CREATE");
    }
    fill();
    for (const one of roots) makeFiles(one, 0, 50);
    for (const one of roots) {
      const log = join(daemon.logDir, liveName(logHash(one)));
      await until("the daemon says so", () => daemon.stderr.includes(`Cannot write the log "${log}"`));
    }
    expect(await daemon.stop()).toBe(0);
    unlinkSync(filler());
    await daemon.start();
    const gaps = roots.map((one) => daemon.gaps(one));
    const reasons = gaps.map((some) => some.map(({ reason }) => reason));
    expect(reasons).toEqual(roots.map(() => ["disk_full", "daemon_stopped"]));
    const unknown = gaps.filter(([lost]) => lost?.lost === null).length;
    expect(unknown).toBeGreaterThan(0);
    expect(unknown).toBeLessThan(roots.length);
  });

  test("a daemon that is killed before it could write a line behind the end of the run before: the GAP is a crash's", async () => {
    run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "fsmon-test", daemon.logDir]);
    await start("");
    expect(await daemon.stop()).toBe(0);
    const last = daemon.lines(root).at(-1);
    const log = join(daemon.logDir, liveName(logHash(root)));
    // Its only page has no room for a line.
    writeFileSync(log, `${readFileSync(log, "utf8").trimEnd().padEnd(4095)}\n`);
    fill();
    await daemon.start();
    make(0, 50);
    await until("the daemon says so", () => daemon.stderr.includes("(ENOSPC)"));
    daemon.signal("SIGKILL");
    await daemon.ended();
    expect(daemon.lines(root).at(-1)).toEqual(last!);
    unlinkSync(filler());
    await daemon.start();
    await settled(daemon, root);
    expect(daemon.gaps(root)).toMatchObject([{ reason: "daemon_crashed", gap_from: last!.time }]);
    expect(known()).toEqual(range(0, 50));
  });

  for (const [how, signal, reasons] of [
    // Nobody has counted what happened between two lives: the GAP of all of them has no number.
    ["stopped", "SIGTERM", ["disk_full", "daemon_stopped"]],
    ["killed", "SIGKILL", ["daemon_crashed"]],
  ] as const) {
    test(`a disk that is still full when the daemon is ${how} and started, again and again: the GAP begins no later than the last line`, async () => {
      await startOnFullDisk(10);
      const last = daemon.lines(root).at(-1);
      for (let life = 1; life <= 3; life++) {
        daemon.signal(signal);
        await daemon.ended();
        await daemon.start();
        make(life * 100, life * 100 + 30);
      }
      const startedMs = Date.now();
      expect(daemon.lines(root).at(-1)).toEqual(last!);
      unlinkSync(filler());
      await until("the daemon writes again", () => daemon.stderr.includes("can be written again"));
      await settled(daemon, root);
      // What was lost with a life is found on the disk, because the GAP covers it.
      const all = [range(0, 60), range(100, 130), range(200, 230), range(300, 330)].flat();
      expect(known()).toEqual(all);
      const told = daemon.events(root).filter(({ origin }) => origin === undefined);
      expect(told.slice(-30).map(({ path }) => basename(path))).toEqual(range(300, 330).map((i) => `f${i}`));
      const gaps = daemon.gaps(root);
      const full = gaps.pop();
      const [gap] = gaps;
      expect(gaps).toMatchObject(reasons.map((reason) => ({ reason, lost: null })));
      expect(full).toMatchObject({ reason: "disk_full", lost: 0 });
      expect(gap!.gap_from! <= last!.time).toBe(true);
      expect(Date.parse(gaps.at(-1)!.gap_to!)).toBeLessThanOrEqual(startedMs);
      expect(full!.gap_from! >= gaps.at(-1)!.gap_to!).toBe(true);
      expect(await daemon.stop()).toBe(0);
    });
  }

  for (const [how, signal] of [
    ["stopped", "SIGTERM"],
    ["killed", "SIGKILL"],
  ] as const) {
    test(`a log that can't be opened after the daemon was ${how}, and for a whole life: once it can, its GAP begins at its last line`, async () => {
      await start("");
      make(0, 10);
      await settled(daemon, root);
      daemon.signal(signal);
      await daemon.ended();
      const last = daemon.lines(root).at(-1);
      const log = join(daemon.logDir, liveName(logHash(root)));
      renameSync(log, `${log}.away`);
      symlinkSync("/dev/null", log);
      await daemon.start();
      expect(await daemon.managedPath(root)).toMatchObject({ state: "impossible" });
      make(10, 20);
      daemon.signal("SIGKILL");
      await daemon.ended();
      await daemon.start();
      renameSync(`${log}.away`, log);
      daemon.signal("SIGHUP");
      await until("it is watched", async () => (await daemon.managedPath(root))?.state === "watched");
      await settled(daemon, root);
      expect(known()).toEqual(range(0, 20));
      expect(daemon.gaps(root)).toMatchObject([{ gap_from: last!.time }]);
    });
  }

  for (const addedAgain of [true, false]) {
    test(`a path that is removed ${addedAgain ? "and added again " : ""}while the disk is full: its log lacks nothing when there is room`, async () => {
      await startOnFullDisk(10);
      expect((await daemon.fsmon("remove", root)).code).toBe(0);
      make(60, 70);
      if (addedAgain) {
        await daemon.add(root, "-r", "--types", "CREATE");
        make(70, 80);
      }
      unlinkSync(filler());
      await until("the daemon writes again", () => daemon.stderr.includes("can be written again"));
      if (addedAgain) await settled(daemon, root);
      expect(made()).toEqual([...range(0, 60), ...(addedAgain ? range(70, 80) : [])]);
      expect(daemon.gaps(root)).toMatchObject([{ reason: "disk_full", lost: 0 }]);
      const states = daemon.lines(root).flatMap(({ state }) => state ?? []);
      expect(states).toEqual(addedAgain ? ["started", "stopped", "started"] : ["started", "stopped"]);
      const log = join(daemon.logDir, liveName(logHash(root)));
      const isOpen = () =>
        spawnSync("ls", ["-l", `/proc/${daemon.pid}/fd`], { encoding: "utf8" }).stdout.includes(`${log}\n`);
      if (!addedAgain) await until("the log is closed", () => !isOpen());
      expect(isOpen()).toBe(addedAgain);
    });
  }

  for (const [flags, done] of [
    [["--keep-days", "0"], { code: 0, stdout: "deleted", stderr: "" }],
    [
      ["--max-size", "100KB"],
      { code: 1, stdout: "nothing to delete", stderr: "no space left on device (ENOSPC)" },
    ],
  ] as const) {
    test(`a full disk: fsmon clean ${flags.join(" ")} ${done.code === 0 ? "makes room" : "says what failed"} at its first call`, async () => {
      await startOnFullDisk(800);
      const { code, stdout, stderr } = await daemon.fsmon("clean", ...flags);
      expect({ code, stdout, stderr }).toEqual({
        code: done.code,
        stdout: expect.stringContaining(done.stdout),
        stderr: expect.stringContaining(done.stderr),
      });
      if (done.code !== 0) unlinkSync(filler());
      await until("the daemon writes again", () => daemon.stderr.includes("can be written again"));
      await settled(daemon, root);
      const numbers = made();
      expect(numbers.length).toBeGreaterThan(30);
      expect(numbers).toEqual(range(done.code === 0 ? numbers[0]! : 0, 850));
      expect(daemon.gaps(root)).toMatchObject([{ reason: "disk_full", lost: 0 }]);
    });
  }

  test.skipIf(Bun.which("bindfs") === null)(
    "a filesystem without owners: one warning for all its logs, and everything is recorded (needs bindfs)",
    async () => {
      const under = join(images, "under");
      mkdirSync(under, { mode: 0o777 });
      chownSync(under, 4999, 4999);
      run(["bindfs", "--force-user=4999", "--create-for-user=4999", "--perms=a+rwX", under, daemon.logDir]);
      await start(`[logging]\nsegment_size = "64KB"\n`);
      const second = join(filesystem.path, "second");
      mkdirSync(second);
      await daemon.add(second);
      make(0, 500);
      await settled(daemon, root);
      expect(made()).toEqual(range(0, 500));
      expect(daemon.stderr.split("keeps no owners").length - 1).toBe(1);
      expect(await daemon.stop()).toBe(0);
    },
  );

  for (const [limit, room] of [
    [`min_free = "8MB"`, 4],
    [`max_total = "128KB"`, 0],
  ] as const) {
    test(`no space left to use by ${limit}: recording stops with a GAP, and goes on when there is room`, async () => {
      run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "fsmon-test", daemon.logDir]);
      await start(`[logging]\n${limit}\n`);
      make(0, 20);
      await settled(daemon, root);
      // Somebody else's files: with min_free they take the room, with max_total a log that isn't ours to drop stands for it.
      const filler =
        room > 0 ? join(daemon.logDir, "filler") : join(daemon.logDir, liveName(logHash("/elsewhere")));
      writeFileSync(`${filler}.new`, Buffer.alloc((24 - room) * 1000 * 1000, "\n"));
      renameSync(`${filler}.new`, filler);
      await until("the daemon stops recording", () => daemon.stderr.includes("recording stops"));
      make(20, 220);
      unlinkSync(filler);
      await until("the GAP is there", () => daemon.gaps(root).length > 0);
      make(220, 230);
      await settled(daemon, root);
      expect(made()).toEqual(range(0, 230));
      expect(daemon.gaps(root)).toMatchObject([{ reason: "disk_full", lost: 0 }]);
    });
  }

  test("max_total: the oldest segments of all logs go first, and recording goes on without a GAP", async () => {
    const line = (second: number) =>
      `{"time":"2026-05-07T10:00:0${second}.000+00:00","event_type":"CREATE","path":"/old/x","pid":1,"cmd":"a","user":"b","file_size":0,"monitored_path":"/old"}\n`;
    for (let number = 1; number <= 4; number++)
      writeFileSync(
        join(daemon.logDir, `${logHash("/old")}.00000${number}_log.jsonl`),
        line(number).repeat(1000),
      );
    await start(`[logging]\nmax_total = "600KB"\nkeep_days = 10000\nmax_size = "100MB"\n`);
    const sizes = () =>
      readdirSync(daemon.logDir)
        .filter((name) => name.endsWith("_log.jsonl"))
        .map((name) => statSync(join(daemon.logDir, name), { throwIfNoEntry: false })?.size ?? 0);
    const total = () => sizes().reduce((sum, size) => sum + size, 0);
    make(0, 1500);
    await settled(daemon, root);
    await until("the logs are within max_total", () => total() <= 600 * 1024);
    const old = readdirSync(daemon.logDir).filter((name) => name.startsWith(logHash("/old")));
    // Of the foreign log the newest stay, as far as there is room; of ours nothing had to go while older ones were there.
    expect(old).toEqual([3, 4].slice(2 - old.length).map((n) => `${logHash("/old")}.00000${n}_log.jsonl`));
    if (old.length > 0) expect(made()).toEqual(range(0, 1500));
    make(1500, 6000);
    await settled(daemon, root);
    await until("the logs are within max_total", () => total() <= 600 * 1024);
    const kept = made();
    expect(kept.length).toBeGreaterThan(1000);
    expect(kept).toEqual(range(kept[0]!, 6000));
    expect(daemon.gaps(root)).toEqual([]);
  });

  test("segments that somebody packs are read by query, from the log directory and as files", async () => {
    await start(`[logging]\nsegment_size = "64KB"\n`);
    for (let from = 0; from < 1500; from += 300) {
      make(from, from + 300);
      await settled(daemon, root);
    }
    const whole = (await daemon.fsmon("query")).stdout;
    const sealed = readdirSync(daemon.logDir)
      .filter((name) => /\.\d{6}_log\.jsonl$/.test(name))
      .sort();
    expect(sealed.length).toBeGreaterThan(3);
    const at = (name: string) => join(daemon.logDir, name);
    run(["gzip", at(sealed[0]!)]);
    run(["zstd", "-q", "--rm", at(sealed[1]!)]);
    expect(await daemon.fsmon("query")).toEqual({ code: 0, stdout: whole, stderr: "" });
    const files = [`${at(sealed[0]!)}.gz`, `${at(sealed[1]!)}.zst`, at(sealed[2]!)];
    const asked = await daemon.fsmon("query", ...files.flatMap((file) => ["--file", file]));
    expect(whole.startsWith(asked.stdout)).toBe(true);
    for (const line of asked.stdout.split("\n").slice(0, -1)) parseLine(line);
    // The daemon goes on numbering behind them.
    make(1500, 2000);
    await settled(daemon, root);
    expect(made()).toEqual(range(Number(made()[0]), 2000));
  });
});

describe.skipIf(captureObstacle !== null)("fsmon clean by root for a person (needs root and mounts)", () => {
  test("follows no link that the person has laid, and writes nothing there", async () => {
    const daemon = new PersonsDaemon();
    const treasure = mkdtempSync(join(tmpdir(), "fsmon-treasure-"));
    try {
      const line = `{"time":"2020-05-07T10:00:01.482+00:00","event_type":"CREATE","path":"/a/b","pid":1,"cmd":"x","user":"root","file_size":0,"monitored_path":"/a"}\n`;
      const text = line.repeat(1000);
      const names = [liveName(logHash("/a")), `${logHash("/b")}.000001_log.jsonl`];
      mkdirSync(daemon.logDir, { recursive: true });
      for (const name of names) {
        writeFileSync(join(treasure, name), text);
        symlinkSync(join(treasure, name), join(daemon.logDir, name));
      }
      // Where the copy of a third log would be made.
      const mine = liveName(logHash("/c"));
      writeFileSync(join(daemon.logDir, mine), text);
      writeFileSync(join(treasure, "copy"), text);
      symlinkSync(join(treasure, "copy"), join(daemon.logDir, `.${mine}.clean`));
      symlinkSync(join(treasure, "lock"), join(daemon.logDir, "daemon.lock"));
      giveTo(daemon.home, PERSON_UID);
      const clean = (...args: string[]) =>
        command([...daemon.wrapper, daemon.binary, "clean", ...args], { env: daemon.environment, cwd: "/" });
      await clean("--max-size", "10K");
      unlinkSync(join(daemon.logDir, "daemon.lock"));
      const done = await clean("--max-size", "10K", "--keep-days", "10000");
      expect(done.code).toBe(1);
      for (const name of names)
        expect(done.stderr).toContain(`"${join(daemon.logDir, name)}" is a symbolic link`);
      for (const name of [...names, "copy"]) expect(readFileSync(join(treasure, name), "utf8")).toBe(text);
      expect(readdirSync(treasure).sort()).toEqual([...names, "copy"].sort());
      const kept = readFileSync(join(daemon.logDir, mine), "utf8");
      expect(kept.length).toBeLessThanOrEqual(10 * 1024);
      expect(kept.length).toBeGreaterThan(9 * 1024);
    } finally {
      await daemon.destroy();
      rmSync(treasure, { recursive: true, force: true });
    }
  });
});
