import { afterEach, beforeEach, test } from "bun:test";
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, loadConfig } from "../../src/config/config.ts";
import { findOwner } from "../../src/config/owner.ts";
import { Upkeep } from "../../src/daemon/upkeep.ts";
import { lockFile } from "../../src/kernel/lock.ts";
import { Lifetime } from "../../src/log/lifetime.ts";
import { liveName, logHash } from "../../src/log/names.ts";
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
    await until("the cleaning has ended", isFree, 10_000);
  } finally {
    upkeep.stop();
    lifetime.stop(Date.now());
  }
});
