// An add that the running daemon refuses: nothing of it may be left, neither a log nor a line nor a mark, and what was in force
// before goes on without a gap.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestDaemon } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { until } from "../support/wait.ts";

describe.skipIf(captureObstacle !== null)("an add that is refused (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let root: string;
  let storeFile: string;
  beforeEach(async () => {
    filesystem = TestFilesystem.mount("tmpfs");
    root = join(filesystem.path, "root");
    mkdirSync(root);
    daemon = new TestDaemon();
    storeFile = join(daemon.home, ".local/share/fsmon/managed.jsonl");
    await daemon.start();
  });
  afterEach(async () => {
    await daemon.destroy();
    filesystem.unmount();
  });
  const logs = () => readdirSync(daemon.logDir).filter((name) => name.endsWith("_log.jsonl"));
  const marks = () => {
    const fds = readdirSync(`/proc/${daemon.pid}/fdinfo`);
    return fds.filter((fd) =>
      readFileSync(`/proc/${daemon.pid}/fdinfo/${fd}`, "latin1").includes("fanotify sdev"),
    );
  };

  /** While another program holds the store's lock, which the daemon waits for no longer than 0.5 s. */
  async function whileLocked<T>(work: () => Promise<T>): Promise<T> {
    const script =
      "import fcntl,sys,time; f=open(sys.argv[1],'w'); fcntl.flock(f,2); open(sys.argv[2],'w'); time.sleep(60)";
    const holder = Bun.spawn(["python3", "-c", script, `${storeFile}.lock`, join(daemon.home, "held")]);
    try {
      await until("the lock is held", () => existsSync(join(daemon.home, "held")));
      return await work();
    } finally {
      holder.kill("SIGKILL");
      await holder.exited;
    }
  }

  test("for a filesystem that can't be watched leaves no log and no mark", async () => {
    const done = await daemon.fsmon("add", "/proc/sys", "-r");
    expect(done).toMatchObject({ code: 1, stdout: "" });
    expect(done.stderr).toMatch(/^fsmon: Cannot watch "\/proc\/sys": .*\n {2}hint: /);
    expect(logs()).toEqual([]);
    expect(marks()).toEqual([]);
    expect(existsSync(storeFile)).toBe(false);
    expect((await daemon.fsmon("managed")).stdout).toBe("");
  });

  test("because the store can't be changed leaves no log and no mark", async () => {
    mkdirSync(join(daemon.home, ".local/share/fsmon"), { recursive: true });
    const done = await whileLocked(() => daemon.fsmon("add", root, "-r"));
    expect(done.code).toBe(1);
    expect(done.stderr).toContain("another fsmon has held its lock for 0.5 s");
    expect(logs()).toEqual([]);
    expect(marks()).toEqual([]);
    await daemon.add(root, "-r");
    await daemon.settle(root);
    expect(daemon.lines(root).map((line) => line.state ?? line.event_type)[0]).toBe("started");
  });

  test("of a path that was managed once adds nothing to its old log", async () => {
    await daemon.add(root, "-r");
    await daemon.fsmon("remove", root);
    const before = daemon.lines(root).length;
    expect((await whileLocked(() => daemon.fsmon("add", root, "-r"))).code).toBe(1);
    expect(daemon.lines(root).length).toBe(before);
  });

  test("of other filters for a path leaves its filters in force, every event and no word of a change", async () => {
    await daemon.add(root, "-r", "-t", "CREATE,DELETE");
    await whileLocked(async () => {
      const refused = daemon.fsmon("add", root, "-r", "-t", "ATTRIB");
      for (let i = 0; i < 50; i++) {
        writeFileSync(join(root, `f${i}`), "");
        await Bun.sleep(10);
      }
      expect((await refused).code).toBe(1);
    });
    await daemon.settle(root);
    expect(daemon.events(root).map((line) => line.event_type)).toEqual(Array(50).fill("CREATE"));
    expect(daemon.lines(root).flatMap((line) => line.state ?? [])).toEqual(["started"]);
    expect(await daemon.fsmon("managed")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("types=CREATE,DELETE |"),
    });
  });
});
