// After every loss the log says from when to when something may be missing, and then what can be found out about that time by
// reading the directories: with origin "scan", without a process, by the filters of the path, and never the daemon's own work.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type LogLine, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, run, runShell } from "../support/filesystem.ts";
import { hasMemoryGroups, MemoryLimit } from "../support/memory-limit.ts";
import { Mounts } from "../support/mounts.ts";
import { until } from "../support/wait.ts";

/** Times of files tick in steps of up to 10 ms: what was done before a gap must be told from what was done in it. */
const TICK_MS = 25;
const LIMIT_BYTES = 128 << 20;

describe.skipIf(captureObstacle !== null)("rescan (needs root and mounts)", () => {
  let mounts: Mounts;
  let daemon: TestDaemon;
  let root: string;
  let limit: MemoryLimit | null = null;

  beforeEach(() => {
    mounts = new Mounts();
    root = mounts.mount(join(mounts.home, "w"), mounts.image("ext4").device);
    daemon = new TestDaemon();
  });
  afterEach(async () => {
    await daemon.destroy();
    limit?.remove();
    limit = null;
    mounts.destroy();
  });

  const shell = (script: string, cwd = root) => runShell(script, cwd);
  const gaps = (path = root): LogLine[] => daemon.gaps(path);
  const scanning = async (): Promise<boolean> =>
    (await daemon.fsmon("managed", "--json")).stdout.includes('"scanning":true');
  const scanned = async () => {
    await until("it is scanned", async () => !(await scanning()));
    await daemon.settle(root);
  };
  /** What a rescan told, "TYPE path" below the managed path, sorted. */
  const found = (path = root): string[] =>
    daemon
      .events(path)
      .filter((line) => line.origin === "scan")
      .map((line) => `${line.event_type} ${line.path.slice(path.length + 1)}`)
      .sort();
  /** Nobody saw who it was, and all of it stands behind the GAP that it belongs to. */
  const checkFound = (path = root) => {
    const lines = daemon.lines(path);
    const first = lines.findIndex((line) => line.origin === "scan");
    const gap = lines.findIndex((line) => line.event_type === "GAP");
    expect(gap).toBeGreaterThanOrEqual(0);
    if (first >= 0) expect(first).toBeGreaterThan(gap);
    for (const { origin, pid, cmd, user, who_reason } of lines.slice(Math.max(first, 0))) {
      if (origin === "scan") expect([pid, cmd, user, who_reason]).toEqual([null, null, null, "scan"]);
    }
  };
  /** What each of the tests does while nobody looks, and what a rescan has to find of it. */
  const BEFORE =
    "mkdir -p stays/in goes/deep; echo 1 > stays/old; echo 1 > stays/changed; echo 1 > stays/mode; ln stays/old stays/link";
  const MEANWHILE =
    "mkdir -p new/sub; echo x > new/sub/f; : > new/empty; ln -s f new/sub/l; echo 2 >> stays/changed; chmod 600 stays/mode; rm -r goes; chmod 700 stays/in";
  const TOLD = [
    "ATTRIB stays/in",
    "ATTRIB stays/mode",
    "CLOSE_WRITE new/sub/f",
    "CLOSE_WRITE stays/changed",
    "CREATE new",
    "CREATE new/empty",
    "CREATE new/sub",
    "CREATE new/sub/f",
    "CREATE new/sub/l",
  ];

  for (const [what, end, reason] of [
    ["a clean stop", "SIGTERM", "daemon_stopped"],
    ["a crash", "SIGKILL", "daemon_crashed"],
  ] as const) {
    test(`${what}: what was done until the next start is found, within the gap and by the filters`, async () => {
      shell(BEFORE);
      await daemon.start();
      await daemon.add(root, "-r", "-e", "*.tmp");
      await scanned();
      const files = join(root, "stays/mode");
      await daemon.add(files, "-t", "attrib,delete");
      await Bun.sleep(TICK_MS);
      daemon.signal(end);
      await daemon.ended();
      const endedMs = Date.now();
      await Bun.sleep(TICK_MS);
      shell(`${MEANWHILE}; touch new/out.tmp; mkdir -p x.tmp/y; touch x.tmp/y/z`);
      await Bun.sleep(TICK_MS);
      const startedMs = Date.now();
      await daemon.start();
      await scanned();
      const gap = gaps().at(-1)!;
      expect(gap).toMatchObject({ reason, lost: null });
      expect(gap.untold).toBeUndefined();
      // A crash is known to the second of the last heartbeat or line.
      expect(Date.parse(gap.gap_from!)).toBeLessThanOrEqual(endedMs);
      expect(Date.parse(gap.gap_from!)).toBeGreaterThan(endedMs - 12_000);
      expect(Date.parse(gap.gap_to!)).toBeGreaterThanOrEqual(startedMs);
      if (reason === "daemon_stopped") expect(found()).toEqual(TOLD);
      // After a crash what was done right before it may be in the gap too.
      else expect(found()).toEqual(expect.arrayContaining(TOLD));
      checkFound();
      expect(found(files)).toEqual(["ATTRIB "]);
      expect(daemon.events(root).find((line) => line.path.endsWith("new/sub/f"))?.file_size).toBe(2);
      // Once: nothing is told again by the next start, in which nothing happened.
      const told = found().length;
      await Bun.sleep(TICK_MS);
      await daemon.stop();
      await daemon.start();
      await scanned();
      expect(found().filter((line) => !line.includes("sentinel")).length).toBe(told);
    });
  }

  test("crashed after a long silence, the gap begins at the last heartbeat", async () => {
    await daemon.start();
    await daemon.add(root, "-r");
    // Every 10 s; the first is that of the start.
    const beatMs = () => statSync(join(daemon.logDir, "daemon.lock")).mtimeMs;
    const startedMs = beatMs();
    await until("its heart beats", () => beatMs() > startedMs);
    const heardMs = beatMs();
    daemon.signal("SIGKILL");
    await daemon.ended();
    await daemon.start();
    expect(gaps()).toMatchObject([{ reason: "daemon_crashed" }]);
    expect(Date.parse(gaps()[0]!.gap_from!)).toBe(Math.floor(heardMs));
  });

  test("unmounted and mounted again: what was done elsewhere meanwhile, directories that went included", async () => {
    const disk = join(root, "disk");
    const { device } = mounts.image("ext4", "inner");
    mounts.mount(disk, device);
    shell(BEFORE, disk);
    await daemon.start();
    await daemon.add(root, "-r");
    await scanned();
    await Bun.sleep(TICK_MS);
    mounts.umount(disk);
    await until("the unmounting is logged", () => gaps().length === 1);
    const elsewhere = mounts.mount(join(mounts.home, "elsewhere"), device);
    shell(MEANWHILE, elsewhere);
    mounts.umount(elsewhere);
    await Bun.sleep(TICK_MS);
    mounts.mount(disk, device);
    await until("it is watched again", () => gaps().length === 2);
    await scanned();
    const told = [...TOLD, "DELETE goes", "DELETE goes/deep"].map((line) => line.replace(" ", " disk/"));
    expect(found()).toEqual(told.sort());
    checkFound();
    // It is watched, with what is new in it.
    shell("rm -r new; mkdir after", disk);
    await daemon.settle(root);
    const seen = daemon.events(root).map((line) => `${line.event_type} ${line.path.slice(disk.length + 1)}`);
    expect(seen).toContain("DELETE new/sub/f");
    expect(seen).toContain("CREATE after");
  });

  test("mounted below a recursive path: what was done before the mark could be set", async () => {
    const { device } = mounts.image("ext4", "inner");
    const aside = mounts.mount(join(mounts.home, "aside"), device);
    shell("mkdir old; echo 1 > old/f", aside);
    mounts.umount(aside);
    await daemon.start();
    await daemon.add(root, "-r", "-t", "create,close_write,delete");
    await scanned();
    const disk = join(root, "disk");
    mkdirSync(disk);
    await daemon.settle(root);
    await Bun.sleep(TICK_MS);
    for (let round = 0; round < 10; round++) {
      // Stopped, so that everything happens before anybody can have set a mark.
      await daemon.whileStopped(() => {
        mounts.mount(disk, device);
        shell(`mkdir r${round}; echo 1 > r${round}/f`, disk);
      });
      const made = `CREATE disk/r${round}/f`;
      await until(made, () => found().includes(made));
      expect(found()).toContain(`CREATE disk/r${round}`);
      expect(found()).toContain(`CLOSE_WRITE disk/r${round}/f`);
      mounts.umount(disk);
      await until("the unmounting is logged", () => gaps().length === 2 * round + 1);
    }
    expect(found().some((line) => line.includes("old"))).toBe(false);
  });

  test.skipIf(!hasMemoryGroups)(
    "the managed path itself goes, comes, and is replaced while events are lost (needs cgroup v1 memory)",
    async () => {
      const paths = ["gone", "made", "swapped", "kept", "file-gone", "file-made", "file-kept"];
      shell("mkdir -p gone/deep/er swapped/old kept/x; echo 1 > file-gone; echo 1 > file-kept; mkdir storm");
      limit = new MemoryLimit(LIMIT_BYTES);
      await daemon.start([], limit.wrapper);
      for (const path of paths) await daemon.add(join(root, path), "-r");
      await daemon.add(join(root, "storm"), "-r", "-t", "create,delete");
      await daemon.settle(join(root, "storm"));
      await Bun.sleep(TICK_MS);
      await daemon.whileStopped(() => {
        overflow(join(root, "storm"));
        shell(
          "rm -r gone; mkdir -p made/in; echo 1 > made/in/f; rm -r swapped; mkdir -p swapped/new; echo 1 > kept/x/f; rm file-gone; echo 1 > file-made; echo 2 > file-kept",
        );
        return Bun.sleep(TICK_MS);
      });
      await until("all say GAP", () => paths.every((path) => gaps(join(root, path)).length === 1));
      await until("it is scanned", async () => !(await scanning()));
      await daemon.settle(join(root, "storm"));
      const of = (path: string) => found(join(root, path));
      expect(of("gone")).toEqual(["DELETE ", "DELETE deep", "DELETE deep/er"]);
      expect(of("made")).toEqual(["CLOSE_WRITE in/f", "CREATE ", "CREATE in", "CREATE in/f"]);
      expect(of("swapped")).toEqual(["CREATE ", "CREATE new", "DELETE ", "DELETE old"]);
      expect(of("kept")).toEqual(["CLOSE_WRITE x/f", "CREATE x/f"]);
      expect(of("file-gone")).toEqual(["DELETE "]);
      expect(of("file-made")).toEqual(["CLOSE_WRITE ", "CREATE "]);
      expect(of("file-kept")).toEqual(["CLOSE_WRITE "]);
      // All of it is watched from then on.
      shell("mkdir gone; touch gone/again made/in/more swapped/new/more");
      for (const path of ["gone/again", "made/in/more", "swapped/new/more"]) {
        await until(path, () =>
          daemon.allLines().some((line) => line.path === join(root, path) && line.origin === undefined),
        );
      }
    },
  );

  test("more than there is room for is counted, and said to be cut short", async () => {
    const many = mounts.tmpfs(join(root, "many"));
    await daemon.start();
    await daemon.add(many, "-r", "-t", "create");
    await daemon.settle(many);
    await Bun.sleep(TICK_MS);
    await daemon.stop();
    run(["python3", "-c", "import os\nfor i in range(100500): os.mknod(str(i))"], { cwd: many });
    await daemon.start();
    // As text: a hundred thousand lines aren't to be parsed at each look.
    const said = () =>
      readdirSync(daemon.logDir).some((name) =>
        readFileSync(join(daemon.logDir, name)).includes('"untold":'),
      );
    await until("it is said", said);
    const [first, second, ...more] = gaps(many);
    expect(more).toEqual([]);
    const { reason, gap_from, gap_to } = first!;
    expect(second).toMatchObject({ reason, gap_from: gap_from!, gap_to: gap_to!, untold: 500 });
    expect(found(many)).toHaveLength(100_000);
    expect(daemon.lines(many).at(-1)).toEqual(second!);
  });

  test("what the daemon itself writes isn't found", async () => {
    mkdirSync(dirname(daemon.configFile), { recursive: true });
    await daemon.start();
    await daemon.add(daemon.home, "-r");
    await daemon.add(root, "-r");
    await Bun.sleep(TICK_MS);
    await daemon.stop();
    await Bun.sleep(TICK_MS);
    writeFileSync(join(daemon.logDir, "by-others"), "x");
    await daemon.start();
    await daemon.settle(root);
    await until("it is scanned", async () => !(await scanning()));
    await until("it is found", () => found(daemon.home).length > 0);
    await daemon.settle(root);
    const below = join(".local/state/fsmon", "by-others");
    expect(found(daemon.home)).toEqual([`CLOSE_WRITE ${below}`, `CREATE ${below}`]);
    expect(readFileSync(daemon.configFile, "utf8")).toContain("socket");
  });
});

/** More events than the queue holds under the limit: 174,762. */
function overflow(directory: string): void {
  run(["python3", "-c", OVERFLOW], { cwd: directory });
}

const OVERFLOW = `
import os
for i in range(100000):
    os.close(os.open('f', os.O_CREAT | os.O_WRONLY)); os.unlink('f')
`;
