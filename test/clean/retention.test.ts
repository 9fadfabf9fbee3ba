import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statfsSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { takeCleanLock } from "../../src/clean/clean-lock.ts";
import { Retention, type RetentionLimits, segmentSizeWithin } from "../../src/clean/retention.ts";
import { liveName, logHash, segmentName } from "../../src/log/names.ts";
import { LogDir, numbered, numbersIn, OWNER, ROOT, range } from "../log/log-dir.ts";

const HOUR_MS = 3_600_000;
const NOW = Date.UTC(2026, 4, 31, 12);
const HASH = logHash(ROOT);
const none: RetentionLimits = { keepDays: null, maxSizeBytes: null, maxTotalBytes: null, minFreeBytes: null };

/** Number i is `240 - i` hours old. */
function write(dir: LogDir, name: string, from: number, to: number): void {
  const lines = range(from, to).map((i) => `${numbered(i, NOW - (240 - i) * HOUR_MS)}\n`);
  writeFileSync(join(dir.path, name), lines.join(""));
}

function tenDays(dir: LogDir, hash = HASH): void {
  for (let n = 1; n <= 9; n++) write(dir, segmentName(hash, n), (n - 1) * 24, n * 24);
  write(dir, liveName(hash), 216, 240);
}

function retention(dir: LogDir, limits: Partial<RetentionLimits>, sealLive = (_hash: string) => false) {
  const trouble: string[] = [];
  // Each step as short as can be.
  const options = { logDir: dir.path, owner: OWNER, limits: { ...none, ...limits }, sealLive, stepMs: 0 };
  return { keeper: new Retention({ ...options, onTrouble: (text) => trouble.push(text) }), trouble };
}

/** One round; returns how many steps it took. */
async function round(keeper: Retention, nowMs = NOW): Promise<{ steps: number; hold: boolean }> {
  for (let steps = 1; ; steps++) {
    const { more, hold } = keeper.step(nowMs);
    if (!more) return { steps, hold };
    await Bun.sleep(0);
  }
}

test("Retention drops segments that are wholly too old, and only those", async () => {
  using dir = new LogDir();
  tenDays(dir);
  await round(retention(dir, { keepDays: 5 }).keeper);
  expect(numbersIn(dir.text())).toEqual(range(120, 240));
});

test("Retention drops whole segments, oldest first, until max_size holds", async () => {
  using dir = new LogDir();
  tenDays(dir);
  await round(retention(dir, { maxSizeBytes: 20_000 }).keeper);
  const text = dir.text();
  expect(text.length).toBeLessThanOrEqual(20_000);
  expect(text.length).toBeGreaterThan(16_000);
  expect(numbersIn(text)[0]! % 24).toBe(0);
});

test("Retention seals and cuts a live file that breaks a limit by itself", async () => {
  for (const limits of [{ keepDays: 3 }, { maxSizeBytes: 10_000 }]) {
    using dir = new LogDir();
    const writer = dir.openWriter();
    for (let i = 0; i < 240; i++) dir.put(writer, 1, NOW - (240 - i) * HOUR_MS);
    await round(retention(dir, limits, () => writer.seal()).keeper);
    dir.put(writer, 1, NOW);
    writer.close();
    const numbers = numbersIn(dir.text());
    expect(numbers.at(-1)).toBe(240);
    if ("keepDays" in limits) expect(numbers).toEqual(range(168, 241));
    else expect(dir.text().length).toBeLessThan(10_500);
  }
});

test("Retention leaves a file whose oldest line is less than a day too old", async () => {
  using dir = new LogDir();
  write(dir, liveName(HASH), 0, 240);
  const seals: string[] = [];
  await round(
    retention(dir, { keepDays: 9.5 }, (hash) => {
      seals.push(hash);
      return false;
    }).keeper,
  );
  expect(seals).toEqual([]);
});

test("Retention works in steps and looks again a minute later, not before", async () => {
  using dir = new LogDir();
  tenDays(dir);
  const { keeper } = retention(dir, { keepDays: 5 });
  expect((await round(keeper)).steps).toBeGreaterThan(1);
  expect(numbersIn(dir.text())).toEqual(range(120, 240));
  // Its own work has changed the directory too: one more look.
  await round(keeper, NOW + 1000);
  expect((await round(keeper, NOW + 59_000)).steps).toBe(1);
  await round(keeper, NOW + 25 * HOUR_MS);
  expect(numbersIn(dir.text())).toEqual(range(144, 240));
});

test("Retention looks at once when a segment has come, so that max_size holds while a storm rages", async () => {
  using dir = new LogDir();
  const maxSizeBytes = 80_000;
  const { keeper } = retention(dir, { maxSizeBytes });
  const writer = dir.openWriter(maxSizeBytes / 8);
  let cut = 0;
  for (let i = 0; i < 1500; i++) {
    dir.put(writer, 1, NOW + i);
    // All within the minute after the first round.
    await round(keeper, NOW + i);
    const sizeBytes = dir.text().length;
    expect(sizeBytes).toBeLessThanOrEqual(maxSizeBytes);
    if (sizeBytes > maxSizeBytes / 2) cut++;
  }
  writer.close();
  expect(cut).toBeGreaterThan(1000);
});

test("Retention looks again where a segment has come to a log that the round had looked at already", async () => {
  using dir = new LogDir();
  tenDays(dir);
  // One that the round comes to after it.
  tenDays(dir, "f".repeat(16));
  const { keeper } = retention(dir, { keepDays: 9 });
  const first = join(dir.path, segmentName(HASH, 1));
  // A time that no change can fall on.
  utimesSync(dir.path, 1, 1);
  while (existsSync(first)) keeper.step(NOW);
  write(dir, segmentName(HASH, 1), 0, 24);
  await round(keeper);
  expect(existsSync(first)).toBe(true);
  await round(keeper, NOW + 1000);
  expect(existsSync(first)).toBe(false);
});

test("Retention keeps max_total over all logs by dropping the oldest segments of any", async () => {
  using dir = new LogDir();
  tenDays(dir);
  const other = logHash("/other");
  write(dir, segmentName(other, 1), 100, 110);
  write(dir, liveName(other), 230, 240);
  await round(retention(dir, { maxTotalBytes: 20_000 }).keeper);
  const names = readdirSync(dir.path);
  const sizes = names.map((name) => readFileSync(join(dir.path, name)).length);
  expect(sizes.reduce((a, b) => a + b)).toBeLessThanOrEqual(20_000);
  expect(names).not.toContain(segmentName(other, 1));
  expect(names).toContain(segmentName(HASH, 9));
  expect(names).toContain(liveName(other));
});

test("Retention stops the recording when nothing is left to drop, and lets it go on when there is room", async () => {
  using dir = new LogDir();
  tenDays(dir);
  const { bavail, bsize } = statfsSync(dir.path);
  const limits = { ...none, minFreeBytes: bavail * bsize * 2 };
  const { keeper, trouble } = retention(dir, {});
  const strict = new Retention({
    logDir: dir.path,
    owner: OWNER,
    limits,
    sealLive: () => false,
    stepMs: 0,
    onTrouble: (text) => trouble.push(text),
  });
  expect((await round(strict)).hold).toBe(true);
  expect(readdirSync(dir.path).filter((name) => name.startsWith(HASH))).toEqual([liveName(HASH)]);
  expect(trouble.length).toBe(1);
  expect((await round(strict, NOW + 2000)).hold).toBe(true);
  expect(trouble.length).toBe(1);
  limits.minFreeBytes = 1;
  expect((await round(strict, NOW + 4000)).hold).toBe(false);
  expect((await round(keeper)).hold).toBe(false);
});

test("Retention leaves the field to a person who is cleaning", async () => {
  using dir = new LogDir();
  tenDays(dir);
  const release = takeCleanLock(dir.path, OWNER, 0);
  await round(retention(dir, { keepDays: 1 }).keeper);
  expect(numbersIn(dir.text())).toEqual(range(0, 240));
  release?.();
  await round(retention(dir, { keepDays: 1 }).keeper);
  expect(numbersIn(dir.text())).toEqual(range(216, 240));
});

test("segmentSizeWithin() keeps a small log in several segments", () => {
  expect(segmentSizeWithin(64_000_000, null)).toBe(64_000_000);
  expect(segmentSizeWithin(64_000_000, 1_000_000_000)).toBe(64_000_000);
  expect(segmentSizeWithin(64_000_000, 80_000_000)).toBe(10_000_000);
  expect(segmentSizeWithin(64_000_000, 1000)).toBe(65_536);
});
