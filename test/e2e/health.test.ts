import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseMetrics } from "../health/exposition.ts";
import { TestDaemon } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { until } from "../support/wait.ts";

interface HealthJson {
  healthy: boolean;
  problems: string[];
  running: boolean;
  controllable: boolean;
  daemon: { pid: number; started: string; reason?: string } | null;
  events: { read: number; logged: number; filtered: number; asked: number; unattributed: number };
  gaps: Record<string, { count: number; last: string }>;
  paths: { path: string; mark: string; filesystem: string; directories: number; events_filtered: number }[];
  disk: { logs_bytes: number; free_bytes: number };
  memory: { resident_bytes: number };
}

describe.skipIf(captureObstacle !== null)(`fsmon health (needs root and mounts: ${captureObstacle})`, () => {
  let fs: TestFilesystem;
  let daemon: TestDaemon;

  beforeEach(() => {
    fs = TestFilesystem.mount("tmpfs");
    daemon = new TestDaemon();
  });
  afterEach(async () => {
    await daemon.destroy();
    fs.unmount();
  });

  async function health(): Promise<{ code: number; report: HealthJson }> {
    const { code, stdout } = await daemon.fsmon("health", "--json");
    return { code, report: JSON.parse(stdout) as HealthJson };
  }

  test("counts what was read, logged and filtered, per path with its mark, filesystem and directories", async () => {
    const [a, b] = [join(fs.path, "a"), join(fs.path, "b")];
    mkdirSync(join(a, "x/y"), { recursive: true });
    mkdirSync(b);
    await daemon.start();
    await daemon.add(a, "-r", "-e", "*.skip");
    await daemon.add(b, "-r");
    for (let i = 0; i < 10; i++) writeFileSync(join(a, `x/${i}.skip`), "1");
    writeFileSync(join(b, "kept"), "1");
    await daemon.settle(b);

    const { code, report } = await health();
    expect(code).toBe(0);
    expect(report).toMatchObject({
      healthy: true,
      problems: [],
      running: true,
      controllable: true,
      gaps: {},
    });
    expect(report.daemon?.pid).toBe(daemon.pid);
    expect(report.paths).toMatchObject([
      { path: a, mark: "filesystem", filesystem: "tmpfs", directories: 3 },
      { path: b, mark: "filesystem", filesystem: "tmpfs", directories: 1, events_filtered: 0 },
    ]);
    // One event a file or several: that depends on when the queue is read.
    expect(report.paths[0]?.events_filtered).toBeGreaterThanOrEqual(10);
    expect(report.events.filtered).toBe(report.paths[0]?.events_filtered ?? 0);
    expect(report.events.logged).toBe(daemon.allLines().filter((line) => line.event_type !== "WATCH").length);
    expect(report.events.unattributed).toBe(0);
    expect(report.events.asked).toBeGreaterThan(0);
    expect(report.disk.logs_bytes).toBeGreaterThan(0);
    expect(report.memory.resident_bytes).toBeGreaterThan(10_000_000);

    const text = await daemon.fsmon("health");
    expect(text.code).toBe(0);
    expect(text.stdout).toStartWith("Healthy\n");
    expect(text.stdout).toContain(`${a}\n  watched by a filesystem mark on tmpfs, 3 directories`);
    const metrics = parseMetrics((await daemon.fsmon("health", "--prometheus")).stdout);
    expect(metrics.get("fsmon_path_directories")?.samples).toContainEqual({ labels: { path: a }, value: 3 });
  });

  test("after a crash says so by its GAP, with exit code 1", async () => {
    await daemon.start();
    await daemon.add(fs.path, "-r");
    await daemon.settle(fs.path);
    await daemon.stop("SIGKILL");
    const down = await health();
    expect(down).toMatchObject({ code: 1, report: { running: false, healthy: false, daemon: null } });
    const metrics = await daemon.fsmon("health", "--prometheus");
    expect(metrics.code).toBe(1);
    expect(parseMetrics(metrics.stdout).get("fsmon_up")?.samples[0]?.value).toBe(0);

    await daemon.start();
    const { code, report } = await health();
    expect(code).toBe(1);
    expect(report.problems).toEqual(["1 GAP line since the start: daemon_crashed"]);
    expect(report.gaps.daemon_crashed?.count).toBe(1);
  });

  test("shows a daemon that couldn't take its socket, and what is in the way", async () => {
    writeFileSync(daemon.socketPath, "in the way");
    await daemon.start();
    const { code, report } = await health();
    expect(code).toBe(1);
    expect(report).toMatchObject({ running: true, controllable: false, healthy: false });
    expect(report.daemon?.pid).toBe(daemon.pid);
    expect(report.daemon?.reason).toContain(daemon.socketPath);
    rmSync(daemon.socketPath);
    await until("the socket is taken", async () => (await health()).report.controllable);
  });

  test("a log that can't be written is a problem, and its GAP is counted once it can", async () => {
    await daemon.start();
    await daemon.add(fs.path, "-r");
    await daemon.settle(fs.path);
    // Nobody can make a file in its place.
    rmSync(daemon.logDir, { recursive: true });
    writeFileSync(daemon.logDir, "");
    writeFileSync(join(fs.path, "unwritten"), "");
    const { report } = await until("it is noticed", async () => {
      const seen = await health();
      return seen.report.problems.some((one) => one.includes("cannot be written")) && seen;
    });
    expect(report.healthy).toBe(false);
    rmSync(daemon.logDir);
    mkdirSync(daemon.logDir);
    chmodSync(daemon.logDir, 0o700);
    await until("it writes again", async () => Object.keys((await health()).report.gaps).length > 0);
    expect((await health()).report.problems.join()).toContain("GAP line");
  });
});
