import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, loadConfig } from "../../src/config/config.ts";
import { findOwner } from "../../src/config/owner.ts";
import { Upkeep } from "../../src/daemon/upkeep.ts";
import { lockFile } from "../../src/kernel/lock.ts";
import { Lifetime, LOCK_NAME } from "../../src/log/lifetime.ts";
import { liveName, logHash } from "../../src/log/names.ts";
import { LogWriter } from "../../src/log/writer.ts";
import { until } from "../support/wait.ts";

let logDir: string;
beforeEach(() => {
  logDir = mkdtempSync(join(tmpdir(), "fsmon-upkeep-"));
});
afterEach(() => rmSync(logDir, { recursive: true, force: true }));

test("other settings in the middle of a cleaning let it end: the lock for cleaning is free again", async () => {
  const env = { HOME: logDir };
  const owner = findOwner({ env });
  const config: Config = { ...loadConfig({ owner, env }), logDir };
  // So many that a cleaning takes its time: a step every 20 ms, several steps a log.
  for (let i = 0; i < 30; i++) writeFileSync(join(logDir, liveName(logHash(`/p${i}`))), '{"time":"x"}\n');
  const lifetime = new Lifetime(logDir, owner, Date.now());
  const upkeep = new Upkeep(
    owner,
    config,
    lifetime,
    () => [],
    () => {},
    () => {},
  );
  const lock = join(logDir, "clean.lock");
  const isFree = () => {
    const fd = openSync(lock, "r+");
    try {
      return lockFile(fd, 0);
    } finally {
      closeSync(fd);
    }
  };
  upkeep.start();
  try {
    await until("a cleaning has begun", () => existsSync(lock) && !isFree());
    for (let i = 0; i < 3; i++) upkeep.configure({ ...config, keepDays: i + 1 });
    await until("the cleaning has ended", isFree);
  } finally {
    upkeep.stop();
    lifetime.stop(Date.now());
  }
});

test("limits are looked at as soon as a log begins another file, not with the next tick", async () => {
  const env = { HOME: logDir };
  const owner = findOwner({ env });
  const config: Config = { ...loadConfig({ owner, env }), logDir, maxSizeBytes: 200_000 };
  const lifetime = new Lifetime(logDir, owner, Date.now());
  const log = new LogWriter({
    logDir,
    managedPath: "/srv",
    owner,
    segmentSizeBytes: 64 * 1024,
    describe: () => ({ filters: "", host: "", version: "" }),
    onTrouble: () => {},
    onNewFile: () => upkeep.lookSoon(),
  });
  log.open();
  const upkeep = new Upkeep(
    owner,
    config,
    lifetime,
    () => [log],
    () => {},
    () => {},
  );
  const ticks = spyOn(globalThis, "setInterval").mockReturnValue(0 as never);
  upkeep.start();
  ticks.mockRestore();
  const segments = () => readdirSync(logDir).filter((name) => /\.\d{6}_log\.jsonl$/.test(name));
  const lines = Buffer.from('{"time":"2026-05-07T10:00:00.000+00:00"}\n'.repeat(1000));
  try {
    for (let i = 0; i < 20; i++) log.append(lines, lines.length, 1000, Date.UTC(2026, 4, 7, 10));
    expect(segments().length).toBeGreaterThan(10);
    await until("the oldest are gone", () => segments().length <= 4);
  } finally {
    upkeep.stop();
    log.close();
    lifetime.stop(Date.now());
  }
});

test("no heartbeat while lines wait for the disk: a crash then has a GAP from before they came", async () => {
  const env = { HOME: logDir };
  const owner = findOwner({ env });
  const config: Config = { ...loadConfig({ owner, env }), logDir };
  const startedMs = Date.now() - 60_000;
  const lifetime = new Lifetime(logDir, owner, startedMs);
  const log = new LogWriter({
    logDir,
    managedPath: "/srv",
    owner,
    segmentSizeBytes: 1e6,
    describe: () => ({ filters: "", host: "", version: "" }),
    onTrouble: () => {},
  });
  log.open();
  log.hold(Date.now());
  let ticks = 0;
  const upkeep = new Upkeep(
    owner,
    config,
    lifetime,
    () => [log],
    () => {},
    () => ticks++,
  );
  const beatMs = () => statSync(join(logDir, LOCK_NAME)).mtimeMs;
  upkeep.start();
  try {
    await until("it has ticked", () => ticks > 0);
    expect(beatMs()).toBeCloseTo(startedMs, -1);
    log.release(Date.now());
    await until("it beats again", () => beatMs() > startedMs + 30_000);
  } finally {
    upkeep.stop();
    log.close();
    lifetime.stop(Date.now());
  }
});
