// Thousands of managed paths: the daemon answers while it starts, records what it watches by then, and does first what it is asked for.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { askDaemon } from "../../src/control/client.ts";
import type { DaemonStatus, HealthReply } from "../../src/control/protocol.ts";
import { TestDaemon } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { managedPath } from "../support/managed-path.ts";
import { Mounts } from "../support/mounts.ts";
import { until } from "../support/wait.ts";

/** Some 2 s of starting: a hundred steps. */
const PATHS = 4000;

describe.skipIf(captureObstacle !== null)("thousands of managed paths (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let paths: string[];

  beforeAll(() => {
    filesystem = TestFilesystem.mount("tmpfs");
    paths = Array.from({ length: PATHS }, (_, n) => join(filesystem.path, `${n}`));
    for (const path of paths) mkdirSync(path);
  });
  afterAll(() => filesystem?.unmount());
  beforeEach(() => {
    daemon = new TestDaemon();
  });
  afterEach(() => daemon.destroy());

  function manage(some: readonly string[]): void {
    const store = join(daemon.home, ".local/share/fsmon/managed.jsonl");
    mkdirSync(dirname(store), { recursive: true });
    writeFileSync(store, some.map((path) => `${JSON.stringify({ path, recursive: true })}\n`).join(""));
  }

  async function status(): Promise<DaemonStatus | null> {
    const answer = await askDaemon(daemon.socketPath, { command: "status" });
    return answer.running ? answer.reply : null;
  }

  async function health(): Promise<HealthReply | null> {
    const answer = await askDaemon(daemon.socketPath, { command: "health" });
    return answer.running ? answer.reply : null;
  }

  const statesOf = (path: string) => daemon.lines(path).map((line) => line.state ?? line.reason);

  test("the daemon answers while it starts, and does first what it is asked for", async () => {
    manage(paths);
    const starting = daemon.start();
    const early = await until("it answers", health);
    expect(early.healthy).toBe(false);
    expect(early.problems[0]).toMatch(
      /^The daemon is starting: \d+ of 4000 managed paths are not watched yet$/,
    );
    const [second = "", last = ""] = paths.slice(-2);
    const entry = managedPath(last, { recursive: true, types: ["DELETE"] });
    const [listed, added, removed] = await Promise.all([
      status(),
      askDaemon(daemon.socketPath, { command: "add", entry }),
      askDaemon(daemon.socketPath, { command: "remove", path: second }),
    ]);
    if (!added.running || !removed.running) throw new Error("the daemon is gone");
    expect((await health())?.starting).toBeGreaterThan(0);
    expect(listed?.paths.length).toBe(PATHS);
    expect(listed?.paths.some(({ state }) => state === "starting")).toBe(true);
    expect(added.reply).toMatchObject({ state: "watched", replaced: true });
    // Recorded from here on, by its new filters, whatever else is still to be done.
    writeFileSync(join(last, "f"), "");
    await starting;
    const after = await status();
    expect(after?.paths.length).toBe(PATHS - 1);
    expect(after?.paths.every(({ state }) => state === "watched")).toBe(true);
    expect((await daemon.fsmon("health")).stdout).toStartWith("Healthy");
    await daemon.settle(paths[0]!);
    expect(daemon.events(last)).toEqual([]);
    expect([statesOf(last), statesOf(second)]).toEqual([
      ["started", "changed"],
      ["started", "stopped"],
    ]);
  });

  test("ended while it starts, the daemon claims nothing of paths whose turn didn't come", async () => {
    const [first = "", ...others] = paths;
    const last = others.at(-1) ?? "";
    manage([last]);
    await daemon.start();
    await daemon.settle(last);
    await daemon.stop("SIGKILL");
    const crashedMs = Date.now();
    manage(paths);
    void daemon.start().catch(() => {});
    await until("it has begun", async () => ((await health())?.watched ?? 0) > 0);
    expect(await daemon.stop()).toBe(0);
    expect(statesOf(first)).toEqual(["started", "stopped"]);
    manage([first, last]);
    await daemon.start();
    const gap = daemon.lines(last).find((line) => line.event_type === "GAP");
    expect(Date.parse(gap?.gap_from ?? "")).toBeLessThanOrEqual(crashedMs);
  });

  test("what is mounted and unmounted costs no look at each of them where it concerns none, and is followed where it concerns all", async () => {
    const mounts = new Mounts();
    const some = paths.slice(0, 2000);
    try {
      manage(some);
      await daemon.start();
      const cpuBefore = cpuMs(daemon.pid);
      mounts.bind(filesystem.path, join(mounts.home, "elsewhere"));
      await daemon.settle(some[0]!);
      expect(cpuMs(daemon.pid) - cpuBefore).toBeLessThan(120);
      const [inner = "", other = ""] = some.slice(-2);
      mounts.tmpfs(filesystem.path);
      const states = async () => (await status())?.paths.map(({ state }) => state) ?? [];
      await until("all are hidden", async () => (await states()).every((state) => state === "pending"));
      // What is done as soon as the mount was noticed is recorded.
      mkdirSync(inner);
      writeFileSync(join(inner, "f"), "");
      await daemon.settle(inner);
      mounts.umount(filesystem.path);
      await until("all are there again", async () => (await states()).every((state) => state === "watched"));
      await daemon.settle(other);
      expect(
        daemon.events(inner).map((line) => [line.event_type, line.path.slice(inner.length), line.pid]),
      ).toEqual([
        ["CREATE", "", process.pid],
        ["CREATE", "/f", process.pid],
        ["CLOSE_WRITE", "/f", process.pid],
      ]);
      expect(daemon.gaps(other).map(({ reason }) => reason)).toEqual(["unmounted", "unmounted"]);
    } finally {
      mounts.destroy();
    }
  }, 60_000);

  test("beyond the files that it may have open, paths are told as impossible and the others work", async () => {
    const some = paths.slice(0, 300);
    manage(some);
    await daemon.start([], ["prlimit", "--nofile=300:300"]);
    const { paths: told } = (await status())!;
    const watched = told.filter(({ state }) => state === "watched");
    const others = told.filter(({ state }) => state !== "watched");
    expect([watched.length > 100, others.length > 100, told.length]).toEqual([true, true, 300]);
    expect(others[0]).toMatchObject({
      state: "impossible",
      reason: expect.stringContaining("the daemon may have 300 files open, and each managed path takes one"),
    });
    const verdict = await daemon.fsmon("health");
    expect([verdict.code, verdict.stdout]).toEqual([1, expect.stringContaining("300 files open")]);
    await daemon.settle(watched[0]!.path);
    // Room for one more, and its turn.
    for (const { path } of watched.slice(0, 2)) expect((await daemon.fsmon("remove", path)).code).toBe(0);
    // The daemon closes a log, and a client's connection, a moment after its answer.
    await until("it is watched", async () =>
      (await daemon.fsmon("add", others[0]!.path)).stderr.includes("it is being watched now"),
    );
  });
});

/** What a process has used of the CPUs, in its ticks of 10 ms. */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const [utime = 0, stime = 0] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13)
    .map(Number);
  return (utime + stime) * 10;
}
