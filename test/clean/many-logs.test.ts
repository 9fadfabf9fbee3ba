// Thousands of logs in one directory: reading its names takes milliseconds then, so nothing may do that for each log.
import { expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { applyClean } from "../../src/clean/clean.ts";
import { Retention } from "../../src/clean/retention.ts";
import { liveName, logHash } from "../../src/log/names.ts";
import { findChanges } from "../../src/who/who.ts";
import { LogDir, numbered, OWNER, range } from "../log/log-dir.ts";

const LOGS = 2000;
const NOW = Date.UTC(2026, 4, 31, 12);
const paths = range(0, LOGS).map((n) => `/managed/${n}`);

function manyLogs(dir: LogDir): void {
  const lines = `${numbered(1, NOW - 86_400_000)}\n${numbered(2, NOW)}\n`;
  for (const path of paths) writeFileSync(join(dir.path, liveName(logHash(path))), lines);
}

/** How many looks at the directory take as long as this, at their best: one for each log is LOGS of them. */
async function inLooks(dir: LogDir, work: () => unknown): Promise<number> {
  const lookMs = await bestMs(10, () => readdirSync(dir.path));
  return (await bestMs(3, work)) / lookMs;
}

async function bestMs(runs: number, work: () => unknown): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < runs; i++) {
    const startMs = performance.now();
    await work();
    best = Math.min(best, performance.now() - startMs);
  }
  return best;
}

test("applyClean(), the daemon's own cleaning and findChanges() don't read the directory once for each log", async () => {
  using dir = new LogDir();
  manyLogs(dir);
  const keeping = (keepDays: number) => {
    const request = { logDir: dir.path, owner: OWNER, paths: null, keepDays, maxSizeBytes: null, nowMs: NOW };
    return applyClean(request, { sealLive: () => false });
  };
  expect(await inLooks(dir, () => keeping(2))).toBeLessThan(LOGS / 2);
  const none = { maxSizeBytes: null, maxTotalBytes: null, minFreeBytes: null };
  const options = { logDir: dir.path, owner: OWNER, sealLive: () => false, onTrouble: () => {}, stepMs: 1 };
  let steps = 0;
  const round = () => {
    const keeper = new Retention({ ...options, limits: { ...none, keepDays: 2 } });
    for (steps = 1; keeper.step(NOW).more; steps++);
  };
  expect(await inLooks(dir, round)).toBeLessThan(LOGS / 2);
  // Neither one for each log, between which a daemon waits for 20 ms, nor one for all, for which events would wait.
  expect(steps).toBeGreaterThan(1);
  expect(steps).toBeLessThan(LOGS / 2);
  const answer = {
    onChange: () => {},
    onPause: () => {},
    onLine: () => {},
    onProblem: () => {},
    onMoment: () => {},
  };
  const asked = { path: "/managed", recursive: true, managedPaths: paths, sinceMs: 0, count: 20 };
  const request = { logDir: dir.path, owner: OWNER, types: new Set(["CREATE"]), ...asked };
  expect(await inLooks(dir, () => findChanges(request, answer))).toBeLessThan(LOGS / 2);
});
