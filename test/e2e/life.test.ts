// The daemon's life as a person meets it: start, add, remove, stop, a second one, a crash, a copy of the
// binary elsewhere.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BINARY, command, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, runShell, TestFilesystem } from "../support/filesystem.ts";
import { until } from "../support/wait.ts";

describe.skipIf(captureObstacle !== null)("life (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  beforeEach(() => {
    filesystem = TestFilesystem.mount("tmpfs");
    daemon = new TestDaemon();
  });
  afterEach(async () => {
    await daemon.destroy();
    filesystem.unmount();
  });
  const directory = (name: string) => filesystem.directory(name);
  const make = (path: string): void => writeFileSync(path, "x");

  test("the very next operation after add is recorded, the very next one after remove is not", async () => {
    const root = directory("live");
    const other = directory("other");
    await daemon.start();
    await daemon.add(other, "-r");
    for (let round = 0; round < 20; round++) {
      make(join(root, `before-${round}`));
      await daemon.add(root, "-r");
      make(join(root, `during-${round}`));
      expect((await daemon.fsmon("remove", root)).code).toBe(0);
      make(join(root, `after-${round}`));
    }
    await daemon.settle(other);
    const created = daemon.events(root).filter((line) => line.event_type === "CREATE");
    expect(created.map((line) => line.path)).toEqual(
      Array.from({ length: 20 }, (_, round) => join(root, `during-${round}`)),
    );
  });

  test("WATCH lines tell what is recorded from when to when", async () => {
    const root = directory("told");
    await daemon.start();
    await daemon.add(root, "-r");
    await daemon.add(root, "-r", "--types", "create,delete");
    await daemon.fsmon("remove", root);
    const states = daemon.lines(root).map((line) => [line.event_type, line.state, line.path]);
    expect(states).toEqual([
      ["WATCH", "started", root],
      ["WATCH", "changed", root],
      ["WATCH", "stopped", root],
    ]);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    test(`${signal}: everything the kernel had queued is written, the socket goes, exit code 0`, async () => {
      const root = directory("stopping");
      await daemon.start();
      await daemon.add(root, "-r");
      for (let i = 0; i < 5000; i++) make(join(root, `f${i}`));
      expect(await daemon.stop(signal)).toBe(0);
      expect(existsSync(daemon.socketPath)).toBe(false);
      const created = daemon.events(root).filter((line) => line.event_type === "CREATE");
      expect(created.length).toBe(5000);
      expect(daemon.lines(root).at(-1)).toMatchObject({ event_type: "WATCH", state: "stopped" });
    });
  }

  test("a clean stop and a crash are told apart, and say from when to when nothing was watched", async () => {
    const root = directory("gaps");
    await daemon.start();
    await daemon.add(root, "-r");
    make(join(root, "first"));
    await daemon.settle(root);
    await daemon.stop();
    await daemon.start();
    const stopped = daemon.gaps(root);
    expect(stopped).toMatchObject([{ reason: "daemon_stopped", path: root, pid: null, lost: null }]);
    const lastStop = daemon.lines(root).findLast((line) => line.state === "stopped");
    expect(stopped[0]!.gap_from).toBe(lastStop!.time);

    make(join(root, "second"));
    await daemon.settle(root);
    const lastEvent = daemon.lines(root).at(-1)!;
    daemon.signal("SIGKILL");
    await daemon.ended();
    await daemon.start();
    const gaps = daemon.gaps(root);
    expect(gaps.map((line) => line.reason)).toEqual(["daemon_stopped", "daemon_crashed"]);
    expect(gaps[1]!.gap_from! >= lastEvent.time).toBe(true);
    expect(gaps[1]!.gap_to! >= gaps[1]!.gap_from!).toBe(true);
  });

  test("without a daemon add and remove change the store and say when it takes effect", async () => {
    const root = directory("later");
    const added = await daemon.fsmon("add", root, "-r");
    expect(added.code).toBe(0);
    expect(added.stderr).toMatch(/next start/);
    expect((await daemon.fsmon("managed")).stdout).toContain(`${root} | `);
    await daemon.start();
    make(join(root, "f"));
    await daemon.settle(root);
    expect(daemon.events(root).some((line) => line.path === join(root, "f"))).toBe(true);
    await daemon.stop();
    const removed = await daemon.fsmon("remove", root);
    expect(removed.code).toBe(0);
    expect((await daemon.fsmon("managed")).stdout).toBe("");
  });

  test("a second daemon is refused with one message and a hint, and changes nothing", async () => {
    const root = directory("twice");
    await daemon.start();
    await daemon.add(root, "-r");
    const second = await daemon.fsmon("daemon");
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/^fsmon: Another fsmon daemon already writes to ".*"\n {2}hint: .*\n$/);
    make(join(root, "still"));
    await daemon.settle(root);
    expect(daemon.gaps(root)).toEqual([]);
  });

  test("a live control socket of somebody else stays: the daemon records all the same", async () => {
    const root = directory("occupied");
    await daemon.fsmon("add", root, "-r");
    const squatter = createServer().listen(daemon.socketPath);
    await new Promise((resolve) => squatter.once("listening", resolve));
    try {
      await daemon.start();
      make(join(root, "f"));
      await daemon.settle(root);
      expect(daemon.stderr).toMatch(/can't be controlled/);
    } finally {
      squatter.close();
    }
    await until(
      "the daemon takes the place once it is free",
      async () => (await daemon.fsmon("managed")).stderr === "",
    );
  });

  test("an unreadable config: one message with file, line and column, exit code 1, and it is not overwritten", async () => {
    const broken = "[logging]\nkeep_days = \n";
    writeFileSync(daemon.configFile, broken);
    const done = await daemon.fsmon("daemon");
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/config\.toml:2:\d+/);
    expect(await Bun.file(daemon.configFile).text()).toBe(broken);
    expect(existsSync(daemon.logDir)).toBe(false);
  });

  test("without root: one message and the command to use, exit code 1, nothing made", async () => {
    const home = mkdtempSync(join(tmpdir(), "fsmon-nobody-"));
    chmodSync(home, 0o777);
    try {
      const done = await command(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", BINARY, "daemon"],
        {
          env: { HOME: home, PATH: "/usr/bin:/bin" },
          cwd: "/",
        },
      );
      expect(done).toMatchObject({ code: 1, stdout: "" });
      expect(done.stderr).toMatch(/^fsmon: .*root\n {2}hint: sudo fsmon daemon\n$/);
      expect(existsSync(join(home, ".local"))).toBe(false);
    } finally {
      rmSync(home, { recursive: true });
    }
  });

  for (const [call, errno, said] of [
    ["fanotify_init", "EINVAL", /doesn't report names and handles together \(EINVAL\)\n {2}hint: .*5\.17/],
    ["fanotify_init", "ENOSYS", /fanotify is missing here \(ENOSYS\)\n {2}hint: /],
    ["fanotify_init", "EPERM", /fanotify_init was refused \(EPERM\)\n {2}hint: .*CAP_SYS_ADMIN/],
  ] as const) {
    test.skipIf(Bun.which("strace") === null)(
      `a kernel that answers ${call} with ${errno}: one message and a hint, exit code 1 (needs strace)`,
      async () => {
        const inject = ["-f", "-qq", "-o", "/dev/null", "-e", `inject=${call}:error=${errno}`];
        const done = await command(["strace", ...inject, BINARY, "daemon"], {
          env: daemon.environment,
          cwd: "/",
        });
        expect(done.code).toBe(1);
        expect(done.stderr).toMatch(said);
        expect(done.stderr.trim().split("\n").length).toBe(2);
        expect(existsSync(daemon.socketPath)).toBe(false);
        expect(existsSync(daemon.logDir)).toBe(false);
      },
    );
  }

  test("without perf and without the connector it records all the same, and says which way is in use", async () => {
    const root = directory("fallback");
    await daemon.start(
      [],
      ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=perf_event_open:error=EACCES"],
    );
    expect(daemon.stderr).toMatch(/perf side-band is not available/);
    expect(daemon.stderr).toMatch(/processes by proc connector/);
    await daemon.add(root, "-r");
    make(join(root, "f"));
    await daemon.settle(root);
    expect(daemon.events(root).map((line) => line.event_type)).toEqual(["CREATE", "CLOSE_WRITE"]);
  });

  test("copied elsewhere and started from / with an empty environment it works", async () => {
    const copy = join(filesystem.path, "copied fsmon");
    copyFileSync(BINARY, copy);
    chmodSync(copy, 0o755);
    const version = await command(["env", "-i", copy, "--version"], { cwd: "/" });
    expect(version.code).toBe(0);
    expect(version.stdout).toMatch(/^fsmon \d+\.\d+\.\d+ \([0-9a-f]+(-dirty)?\)\n$/);
    const copied = new TestDaemon(copy);
    try {
      const root = directory("copy");
      await copied.start([], ["env", "-i", `HOME=${copied.home}`]);
      await copied.add(root, "-r");
      make(join(root, "f"));
      await copied.settle(root);
      expect(copied.events(root).map((line) => line.event_type)).toEqual(["CREATE", "CLOSE_WRITE"]);
      expect(copied.events(root)[1]!.file_size).toBe(1);
    } finally {
      await copied.destroy();
    }
  });

  test("files are the owner's alone", async () => {
    const root = directory("modes");
    await daemon.start();
    await daemon.add(root, "-r");
    const row = await daemon.managedPath(root);
    expect(statSync(row!.log_file).mode & 0o777).toBe(0o600);
    expect(statSync(daemon.logDir).mode & 0o777).toBe(0o700);
  });

  test("a log directory inside the watched tree makes no loop, and reading the log feeds nothing", async () => {
    const inside = join(filesystem.path, "inside");
    mkdirSync(inside);
    writeFileSync(
      daemon.configFile,
      `[socket]\npath = "${daemon.socketPath}"\n[logging]\ndir = "${inside}/logs"\n`,
    );
    Object.assign(daemon, { logDir: join(inside, "logs") });
    await daemon.start();
    await daemon.add(inside, "-r", "--all-events");
    runShell("cat logs/*_log.jsonl; touch logs/foreign", inside);
    await daemon.settle(inside);
    const seen = daemon.events(inside).filter((line) => line.path.startsWith(`${inside}/logs`));
    expect(seen.map((line) => [line.cmd, line.event_type])).toEqual([
      ["touch", "CREATE"],
      ["touch", "OPEN"],
      ["touch", "ATTRIB"],
      ["touch", "CLOSE_WRITE"],
    ]);
  });
});
