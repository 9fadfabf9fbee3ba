import { expect, test } from "bun:test";
import {
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Lifetime, LOCK_NAME, runningDaemon, WRITEBACK_MS, withoutDaemon } from "../../src/log/lifetime.ts";
import { logHash } from "../../src/log/names.ts";
import { OTHERS } from "../../src/log/owed.ts";
import type { Gap } from "../../src/log/state.ts";
import { LogDir, OWNER, range } from "./log-dir.ts";
import { Storm } from "./storm.ts";

const T0 = Date.UTC(2026, 4, 7, 10);

test("Lifetime knows a first start, a clean stop and a crash", () => {
  using dir = new LogDir();
  const first = new Lifetime(dir.path, OWNER, T0);
  expect(first.previousLife()).toEqual({ kind: "none", endedMs: null, startedMs: null, owed: new Map() });
  first.stop(T0 + 5000);
  const second = new Lifetime(dir.path, OWNER, T0 + 60_000);
  expect(second.previousLife()).toMatchObject({ kind: "stopped", endedMs: T0 + 5000, startedMs: T0 });
});

test("Lifetime.beat() makes the end of a crashed life true to ten seconds", async () => {
  await using storm = new Storm();
  await storm.start(1_000_000, 1, 1);
  await storm.end("SIGKILL");
  const end = Date.now();
  const next = new Lifetime(storm.dir.path, OWNER, end);
  const { kind, endedMs } = next.previousLife();
  expect(kind).toBe("crashed");
  expect(Math.abs(endedMs! - end)).toBeLessThan(10_000);
  const toldMs = () => statSync(join(storm.dir.path, LOCK_NAME)).mtimeMs;
  // Before its first beat nothing of the new life is known to be recorded, whatever it writes down.
  expect(toldMs()).toBeCloseTo(endedMs!, -1);
  next.tellControl("something");
  expect(toldMs()).toBeCloseTo(endedMs!, -1);
  next.beat(end);
  const mtimeMs = toldMs();
  next.beat(end + 5000);
  expect(toldMs()).toBe(mtimeMs);
  next.beat(end + 10_000);
  expect(toldMs()).toBeCloseTo(end + 10_000, -1);
  next.stop(end);
});

test("Lifetime counts a minute less where the machine went down: lines reach the disk later than the heartbeat", () => {
  using dir = new LogDir();
  new Lifetime(dir.path, OWNER, T0).beat(T0 + 300_000);
  const lock = join(dir.path, LOCK_NAME);
  const { mtimeMs } = statSync(lock);
  const content = readFileSync(lock, "utf8");
  const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  expect(content).toContain(bootId);
  for (const [text, endedMs] of [
    [content, T0 + 300_000],
    [content.replace(bootId, "f2f3f4f5-0000-4000-8000-000000000000"), T0 + 240_000],
    [content.replace(/,"boot":"[^"]*"/, ""), T0 + 240_000],
  ] as const) {
    using other = new LogDir();
    const path = join(other.path, LOCK_NAME);
    writeFileSync(path, text, { mode: 0o600 });
    utimesSync(path, mtimeMs / 1000, mtimeMs / 1000);
    expect(new Lifetime(other.path, OWNER, T0 + 400_000).previousLife()).toMatchObject({
      kind: "crashed",
      endedMs,
    });
  }
});

test("Lifetime.abandon() leaves the run before as it was told, a clean stop as well as a crash", () => {
  using dir = new LogDir();
  const stopped = new Lifetime(dir.path, OWNER, T0);
  stopped.stop(T0 + 5000);
  new Lifetime(dir.path, OWNER, T0 + 60_000).abandon();
  const next = new Lifetime(dir.path, OWNER, T0 + 120_000);
  expect(next.previousLife()).toMatchObject({ kind: "stopped", endedMs: T0 + 5000, startedMs: T0 });
  next.abandon();
  using fresh = new LogDir();
  new Lifetime(fresh.path, OWNER, T0).abandon();
  expect(new Lifetime(fresh.path, OWNER, T0).previousLife().kind).toBe("none");
});

test("Lifetime.stop() tells what logs are owed in one block, however many they are", () => {
  const gap = (lost: number | null, fromMs = T0 + 1000): Gap => {
    return { reason: "disk_full", fromMs, toMs: T0 + 5000, lost };
  };
  const owed = (count: number) =>
    new Map(range(0, count).map((i) => [logHash(`/${i}`), gap(Number.MAX_SAFE_INTEGER - i, T0 + i)]));
  for (const count of [0, 1, 20, 3000]) {
    using dir = new LogDir();
    const lock = join(dir.path, LOCK_NAME);
    const life = new Lifetime(dir.path, OWNER, T0, `/home/${"x".repeat(100)}/managed.jsonl`);
    const { size } = statSync(lock);
    life.stop(T0, owed(count));
    expect(statSync(lock).size).toBe(size);
    const next = new Lifetime(dir.path, OWNER, T0 + 9000);
    const told = next.previousLife().owed;
    next.abandon();
    const named = [...told].filter(([hash]) => hash !== OTHERS);
    expect(named).toEqual([...owed(count)].slice(0, named.length));
    expect(named.length).toBeGreaterThanOrEqual(Math.min(count, 20));
    // The rest is all of the others, from the first one on.
    expect(told.get(OTHERS)).toEqual(named.length === count ? undefined : gap(null, T0 + named.length));
    if (count === 0) continue;
    const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    writeFileSync(lock, readFileSync(lock, "utf8").replace(bootId, bootId.toUpperCase()));
    const afterReboot = new Lifetime(dir.path, OWNER, T0 + 9000);
    expect([...afterReboot.previousLife().owed.values()][0]).toEqual(gap(null, T0 - WRITEBACK_MS));
    afterReboot.abandon();
    writeFileSync(lock, readFileSync(lock, "utf8").replaceAll("disk_full", "no_reason"));
    const foreign = new Lifetime(dir.path, OWNER, T0 + 9000);
    expect(foreign.previousLife().owed.size).toBe(0);
    foreign.stop(T0);
  }
});

test("runningDaemon() reads the store, and why a daemon can't be controlled as long as that is so", async () => {
  using dir = new LogDir();
  const life = new Lifetime(dir.path, OWNER, T0, "/home/managed.jsonl");
  expect(runningDaemon(dir.path, OWNER)).toMatchObject({
    pid: process.pid,
    startedMs: T0,
    managedFile: "/home/managed.jsonl",
    uncontrollable: null,
  });
  const { size } = statSync(join(dir.path, LOCK_NAME));
  life.tellControl('"/tmp/x\u009b31m.sock" is a directory');
  expect(runningDaemon(dir.path, OWNER)?.uncontrollable).toBe('"/tmp/x\u009b31m.sock" is a directory');
  expect(statSync(join(dir.path, LOCK_NAME)).size).toBe(size);
  expect(readFileSync(join(dir.path, LOCK_NAME), "latin1")).not.toMatch(/[\x7f-\x9f]/);
  // Longer than what is kept for it, each character six when escaped.
  life.tellControl("\u0001".repeat(5000));
  expect(runningDaemon(dir.path, OWNER)?.uncontrollable).toMatch(/^\u0001{300}$/);
  life.tellControl(null);
  expect(runningDaemon(dir.path, OWNER)?.uncontrollable).toBeNull();
  expect(statSync(join(dir.path, LOCK_NAME)).size).toBe(size);
  life.tellControl("something");
  life.stop(T0 + 1000);
  expect(runningDaemon(dir.path, OWNER)).toBeNull();
  expect(JSON.parse(readFileSync(join(dir.path, LOCK_NAME), "utf8")).uncontrollable).toBeNull();
  // As long as a path may be, each character six when escaped.
  const longest = `/${"\u0001".repeat(4094)}`;
  const next = new Lifetime(dir.path, OWNER, T0 + 2000, longest);
  expect(runningDaemon(dir.path, OWNER)?.managedFile).toBe(longest);
  next.stop(T0 + 3000);
});

test("Lifetime.beat() takes a directory again whose lock file, or all of it, was removed or renamed", () => {
  using dir = new LogDir();
  const life = new Lifetime(dir.path, OWNER, T0);
  const lock = join(dir.path, LOCK_NAME);
  let nowMs = T0;
  for (const spoil of [
    () => rmSync(lock),
    () => rmSync(dir.path, { recursive: true }),
    () => renameSync(dir.path, `${dir.path}.away`),
  ]) {
    spoil();
    nowMs += 10_000;
    life.beat(nowMs);
    expect(statSync(lock).mtimeMs).toBeCloseTo(nowMs, -1);
    expect(withoutDaemon(dir.path, OWNER, () => true)).toBeNull();
  }
  rmSync(`${dir.path}.away`, { recursive: true });
  life.stop(nowMs);
  expect(new Lifetime(dir.path, OWNER, nowMs).previousLife()).toMatchObject({
    kind: "stopped",
    endedMs: nowMs,
  });
});

test("Lifetime lets a directory have one daemon", async () => {
  await using storm = new Storm();
  await storm.start(1_000_000, 1, 1);
  expect(() => new Lifetime(storm.dir.path, OWNER, T0)).toThrow(/^Another fsmon daemon already writes to/);
  await storm.end("SIGTERM");
  new Lifetime(storm.dir.path, OWNER, T0).stop(T0);
});

test("Lifetime takes an unreadable lock file for a crash, and refuses a link in its place", () => {
  using dir = new LogDir();
  writeFileSync(join(dir.path, LOCK_NAME), "rubbish");
  const life = new Lifetime(dir.path, OWNER, T0);
  expect(life.previousLife().kind).toBe("crashed");
  life.stop(T0);
  using other = new LogDir();
  symlinkSync("/etc/passwd", join(other.path, LOCK_NAME));
  expect(() => new Lifetime(other.path, OWNER, T0)).toThrow(/is a symbolic link/);
});

test("withoutDaemon() runs its work only while no daemon has the directory, and leaves no trace", async () => {
  using empty = new LogDir();
  expect(withoutDaemon(empty.path, OWNER, () => 1)).toBe(1);
  expect(existsSync(join(empty.path, LOCK_NAME))).toBe(false);
  await using storm = new Storm();
  await storm.start(1_000_000, 1, 1);
  expect(withoutDaemon(storm.dir.path, OWNER, () => 1)).toBeNull();
  await storm.end("SIGTERM");
  expect(withoutDaemon(storm.dir.path, OWNER, () => 1)).toBe(1);
});
