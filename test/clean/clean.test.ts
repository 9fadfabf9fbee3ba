import { expect, test } from "bun:test";
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { applyClean, type CleanRequest, planClean } from "../../src/clean/clean.ts";
import { liveName, logHash, segmentName } from "../../src/log/names.ts";
import { LogDir, numbered, numbersIn, OWNER, parsed, ROOT, range, span, until } from "../log/log-dir.ts";
import { Storm } from "../log/storm.ts";

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 4, 31, 12);
const HASH = logHash(ROOT);

/** One event an hour, ending now: number i is `count - i` hours old. */
function hours(from: number, to: number, count: number): string {
  return range(from, to)
    .map((i) => `${numbered(i, NOW - (count - i) * 3_600_000)}\n`)
    .join("");
}

function request(dir: LogDir, limits: { keepDays?: number; maxSizeBytes?: number }): CleanRequest {
  return {
    logDir: dir.path,
    owner: OWNER,
    paths: null,
    keepDays: null,
    maxSizeBytes: null,
    nowMs: NOW,
    ...limits,
  };
}

/** 240 hours in three sealed segments and a live file. */
function tenDays(dir: LogDir): void {
  writeFileSync(join(dir.path, segmentName(HASH, 1)), hours(0, 60, 240));
  writeFileSync(join(dir.path, segmentName(HASH, 2)), hours(60, 120, 240));
  writeFileSync(join(dir.path, segmentName(HASH, 3)), hours(120, 180, 240));
  writeFileSync(join(dir.path, liveName(HASH)), hours(180, 240, 240));
}

const noDaemon = { sealLive: () => false };
const snapshot = (dir: LogDir) =>
  readdirSync(dir.path)
    .filter((name) => !name.endsWith(".lock"))
    .map((name) => [name, readFileSync(join(dir.path, name), "utf8")]);

test("applyClean() by age leaves exactly the lines that are young enough", async () => {
  for (const keepDays of [11, 9.99, 7.5, 5, 3, 2, 1, 0.5]) {
    using dir = new LogDir();
    tenDays(dir);
    await applyClean(request(dir, { keepDays }), noDaemon);
    const first = Math.max(0, Math.ceil(240 - keepDays * 24));
    expect([keepDays, numbersIn(dir.text())]).toEqual([keepDays, range(first, 240)]);
  }
});

test("applyClean() by size leaves the newest lines that fit, and not one less", async () => {
  using whole = new LogDir();
  tenDays(whole);
  const text = whole.text();
  const last50 = hours(190, 240, 240).length;
  for (const maxSizeBytes of [
    text.length,
    text.length - 1,
    last50 + 1,
    last50,
    last50 - 1,
    30_000,
    20_000,
    5000,
    200,
    10,
    0,
  ]) {
    using dir = new LogDir();
    tenDays(dir);
    await applyClean(request(dir, { maxSizeBytes }), noDaemon);
    const left = dir.text();
    expect(text.endsWith(left)).toBe(true);
    expect(left.length).toBeLessThanOrEqual(maxSizeBytes);
    const dropped = text.slice(0, text.length - left.length);
    const oneMore = dropped.slice(dropped.lastIndexOf("\n", dropped.length - 2) + 1);
    if (dropped !== "") expect(left.length + oneMore.length).toBeGreaterThan(maxSizeBytes);
  }
});

test("planClean() says what applyClean() then does, and changes nothing", async () => {
  for (const limits of [
    { keepDays: 4 },
    { maxSizeBytes: 12_345 },
    { keepDays: 9, maxSizeBytes: 20_000 },
    { keepDays: 30 },
  ]) {
    using dir = new LogDir();
    tenDays(dir);
    const before = snapshot(dir);
    const text = dir.text();
    const [plan] = planClean(request(dir, limits));
    expect(snapshot(dir)).toEqual(before);
    const [done] = await applyClean(request(dir, limits), noDaemon);
    const left = dir.text();
    const dropped = parsed(text.slice(0, text.length - left.length));
    expect(plan).toMatchObject({
      managedPath: ROOT,
      lines: dropped.length,
      bytes: text.length - left.length,
      keptBytes: left.length,
      fromMs: dropped.length === 0 ? null : Date.parse(dropped[0]!.time),
      toMs: dropped.length === 0 ? null : Date.parse(dropped.at(-1)!.time),
      problems: [],
    });
    expect(done).toEqual({ ...plan!, lines: null });
  }
});

test("applyClean() cuts a live file in its place while no daemon runs, and keeps its mode", async () => {
  using dir = new LogDir();
  writeFileSync(join(dir.path, liveName(HASH)), hours(0, 240, 240), { mode: 0o640 });
  await applyClean(request(dir, { keepDays: 2 }), noDaemon);
  expect(readdirSync(dir.path).filter((name) => !name.endsWith(".lock"))).toEqual([liveName(HASH)]);
  expect(statSync(join(dir.path, liveName(HASH))).mode & 0o777).toBe(0o640);
  expect(numbersIn(dir.text())).toEqual(range(192, 240));
});

test("applyClean() cleans every log, those of forgotten paths too, or only the ones that were named", async () => {
  using dir = new LogDir();
  const other = liveName(logHash("/forgotten"));
  writeFileSync(join(dir.path, liveName(HASH)), hours(0, 240, 240));
  writeFileSync(join(dir.path, other), hours(0, 240, 240));
  await applyClean({ ...request(dir, { keepDays: 1 }), paths: [ROOT] }, noDaemon);
  expect(readFileSync(join(dir.path, other), "utf8")).toBe(hours(0, 240, 240));
  await applyClean(request(dir, { keepDays: 1 }), noDaemon);
  expect(numbersIn(readFileSync(join(dir.path, other), "utf8"))).toEqual(range(216, 240));
  await expect(applyClean({ ...request(dir, {}), paths: ["/none"] }, noDaemon)).rejects.toThrow(
    'There is no log for "/none"',
  );
});

test("applyClean() drops a packed segment when all of it is old, and keeps it as long as one line isn't", async () => {
  using dir = new LogDir();
  tenDays(dir);
  spawnSync("gzip", ["-r", dir.path]);
  spawnSync("gunzip", [join(dir.path, `${liveName(HASH)}.gz`), join(dir.path, `${segmentName(HASH, 3)}.gz`)]);
  await applyClean(request(dir, { keepDays: 6 }), noDaemon);
  const names = readdirSync(dir.path).filter((name) => name.startsWith(HASH));
  // Segment 2 is 7.5 to 5 days old.
  expect(names.toSorted()).toEqual([`${segmentName(HASH, 2)}.gz`, segmentName(HASH, 3), liveName(HASH)]);
});

test("applyClean() drops a segment's packed copies with it, and leaves those of a segment that it cuts", async () => {
  using dir = new LogDir();
  tenDays(dir);
  const [first, second] = [segmentName(HASH, 1), segmentName(HASH, 2)];
  for (const name of [first, second]) {
    spawnSync("zstd", ["-q", join(dir.path, name)]);
    spawnSync("gzip", ["-k", join(dir.path, name)]);
  }
  await applyClean(request(dir, { keepDays: 6 }), noDaemon);
  const names = readdirSync(dir.path).filter((name) => name.startsWith(HASH));
  expect(names.toSorted()).toEqual([
    second,
    `${second}.gz`,
    `${second}.zst`,
    segmentName(HASH, 3),
    liveName(HASH),
  ]);
});

test("applyClean() judges a file without times by its mtime and keeps it otherwise", async () => {
  using dir = new LogDir();
  const [old, young] = [join(dir.path, segmentName(HASH, 1)), join(dir.path, segmentName(HASH, 2))];
  writeFileSync(old, "no times here\n");
  writeFileSync(young, "nor here\n");
  utimesSync(old, (NOW - 9 * DAY_MS) / 1000, (NOW - 9 * DAY_MS) / 1000);
  utimesSync(young, NOW / 1000, NOW / 1000);
  await applyClean(request(dir, { keepDays: 5 }), noDaemon);
  expect([existsSync(old), existsSync(young)]).toEqual([false, true]);
});

test("applyClean() follows no link, in the log's place or in its copy's", async () => {
  using dir = new LogDir();
  using elsewhere = new LogDir();
  const victim = join(elsewhere.path, "victim");
  writeFileSync(victim, hours(0, 240, 240));
  symlinkSync(victim, join(dir.path, segmentName(HASH, 1)));
  writeFileSync(join(dir.path, segmentName(HASH, 2)), hours(0, 240, 240));
  symlinkSync(victim, join(dir.path, `.${segmentName(HASH, 2)}.clean`));
  const [done] = await applyClean(request(dir, { keepDays: 2 }), noDaemon);
  expect(readFileSync(victim, "utf8")).toBe(hours(0, 240, 240));
  expect(numbersIn(readFileSync(join(dir.path, segmentName(HASH, 2)), "utf8"))).toEqual(range(192, 240));
  expect(done?.problems).toEqual([expect.stringMatching(/is a symbolic link; left as it is$/)]);
});

test("applyClean() leaves other people's files and directories in the log directory alone", async () => {
  using dir = new LogDir();
  tenDays(dir);
  mkdirSync(join(dir.path, segmentName(HASH, 9)));
  writeFileSync(join(dir.path, "notes.txt"), "mine");
  await applyClean(request(dir, { keepDays: 0 }), noDaemon);
  expect(readdirSync(dir.path).toSorted()).toEqual(
    [segmentName(HASH, 9), "clean.lock", "notes.txt"].toSorted(),
  );
});

test("applyClean() beside a writer at full speed loses no line that was not to go, and tears none", async () => {
  await using storm = new Storm();
  await storm.start(200_000, 20, 1);
  const { dir } = storm;
  const seal = async () => {
    const segments = () => readdirSync(dir.path).filter((name) => name.startsWith(`${HASH}.`)).length;
    const before = segments();
    storm.seal();
    await until(() => segments() > before);
    return true;
  };
  let first = 0;
  for (let i = 0; i < 12; i++) {
    await storm.pass(2000);
    const maxSizeBytes = 150_000 + i * 20_000;
    const [done] = await applyClean(
      { ...request(dir, { maxSizeBytes }), nowMs: Date.now() },
      { sealLive: seal },
    );
    expect(done?.problems).toEqual([]);
    const text = dir.text();
    const numbers = numbersIn(text.slice(0, text.lastIndexOf("\n") + 1));
    first = numbers[0]!;
    expect(span(numbers)).toBe(`${first}..${numbers.at(-1)}`);
  }
  expect(first).toBeGreaterThan(10_000);
  await storm.end("SIGTERM");
  expect(span(numbersIn(dir.text()))).toBe(`${first}..${storm.acknowledged - 1}`);
});

test("applyClean() killed at any moment leaves each file old or new, and the next one tidies up", async () => {
  using dir = new LogDir();
  const script = join(import.meta.dir, "clean-once.ts");
  const lines = hours(0, 20_000, 20_000);
  for (let i = 0; i < 12; i++) {
    for (const name of readdirSync(dir.path)) spawnSync("rm", [join(dir.path, name)]);
    writeFileSync(join(dir.path, segmentName(HASH, 1)), lines);
    writeFileSync(join(dir.path, liveName(HASH)), hours(20_000, 20_010, 20_010));
    const child = spawn(process.execPath, [script, dir.path, "1000000"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    // It may be done before it is killed.
    const ended = new Promise((resolve) => child.once("exit", resolve));
    await Promise.race([new Promise((resolve) => child.stdout.once("data", resolve)), ended]);
    await Bun.sleep(i * 0.4);
    child.kill("SIGKILL");
    await ended;
    const numbers = numbersIn(dir.text());
    expect(span(numbers)).toBe(`${numbers[0]}..20009`);
    await applyClean(request(dir, { maxSizeBytes: 1_000_000 }), noDaemon);
    expect(readdirSync(dir.path).filter((name) => name.endsWith(".clean"))).toEqual([]);
    expect(dir.text().length).toBeLessThanOrEqual(1_000_000);
  }
});

test("two applyClean() at once do what one does", async () => {
  using dir = new LogDir();
  const script = join(import.meta.dir, "clean-once.ts");
  for (let i = 0; i < 4; i++) {
    writeFileSync(join(dir.path, segmentName(HASH, 1)), hours(0, 20_000, 20_000));
    writeFileSync(join(dir.path, liveName(HASH)), hours(20_000, 20_010, 20_010));
    const both = [1_000_000, 900_000].map((size) =>
      Bun.spawn([process.execPath, script, dir.path, String(size)], { stdout: "ignore", stderr: "inherit" }),
    );
    expect(await Promise.all(both.map((one) => one.exited))).toEqual([0, 0]);
    const numbers = numbersIn(dir.text());
    expect(span(numbers)).toBe(`${numbers[0]}..20009`);
    expect(dir.text().length).toBeLessThanOrEqual(900_000);
    expect(dir.text().length).toBeGreaterThan(899_000);
  }
});
