// More files than the process may have descriptors: they are opened when they are read, and found though they were sealed meanwhile.
import { expect, test } from "bun:test";
import { readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { liveName, logHash, segmentName } from "../../src/log/names.ts";
import { SnapshotFile } from "../../src/query/snapshot.ts";
import { MAIN } from "../cli/fsmon.ts";
import { range } from "../log/log-dir.ts";
import { event, Logs } from "./logs.ts";

const OWN = { uid: 0, gid: 0, groups: [] };
const LOGS = 400;
/** More than the smallest block of a run, so that each file is read several times. */
const LINES = 80;

/** The lines of all logs, in order; every second log has a sealed segment as well. */
function manyLogs(logs: Logs): string[] {
  for (const n of range(0, LOGS)) {
    const lines = range(0, LINES).map((i) => event(i * LOGS + n, `/m${n}/${i}`));
    const sealed = n % 2 === 0 ? lines.splice(0, LINES / 2) : [];
    if (sealed.length > 0) logs.segment(`/m${n}`, 1, ...sealed);
    logs.live(`/m${n}`, ...lines);
  }
  return range(0, LOGS * LINES).map((at) => event(at, `/m${at % LOGS}/${Math.floor(at / LOGS)}`));
}

function queryWithin(descriptors: number, ...args: string[]) {
  const command = ["sh", "-c", `ulimit -n ${descriptors}; exec "$@"`, "sh", process.execPath, MAIN, "query"];
  const ran = Bun.spawnSync([...command, ...args], { env: { HOME: "/nonexistent", PATH: "/usr/bin:/bin" } });
  return { text: ran.stdout.toString(), stderr: ran.stderr.toString(), exitCode: ran.exitCode };
}

test("a query over more logs than descriptors prints them all, in order", () => {
  using logs = new Logs();
  const text = manyLogs(logs)
    .map((line) => `${line}\n`)
    .join("");
  const ofLogs = queryWithin(260, "--log-dir", logs.path);
  expect([ofLogs.stderr, ofLogs.exitCode]).toEqual(["", 0]);
  expect(ofLogs.text === text).toBe(true);
  const files = readdirSync(logs.path).flatMap((name) => ["--file", join(logs.path, name)]);
  const ofFiles = queryWithin(260, ...files);
  expect([ofFiles.stderr, ofFiles.exitCode]).toEqual(["", 0]);
  expect(ofFiles.text === text).toBe(true);
});

test("SnapshotFile finds a live file again that was sealed, and tells one that is gone", () => {
  using logs = new Logs();
  const hash = logHash("/m");
  const path = logs.live("/m", event(1, "/m/a"));
  const live = { name: liveName(hash), number: null, packing: null };
  const file = new SnapshotFile(logs.path, hash, live, OWN);
  file.letGo();
  const sealed = join(logs.path, segmentName(hash, 7));
  renameSync(path, sealed);
  writeFileSync(path, "");
  expect(file.fd()).not.toBeNull();
  expect(file.path).toBe(sealed);
  file.release();
  renameSync(sealed, join(logs.path, "elsewhere"));
  expect(file.fd()).toBeNull();
  expect(file.replaced).toBe(true);
});
