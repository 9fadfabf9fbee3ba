// The compiled daemon's log while the disk answers with errors, while the clock is set, and after it was killed.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { liveName, logHash } from "../../src/log/names.ts";
import { range } from "../log/log-dir.ts";
import { OwnClock } from "../support/clock.ts";
import { TestDaemon } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { makeFiles, numbersMade } from "../support/numbered-files.ts";
import { parseLine } from "../support/schema.ts";
import { until } from "../support/wait.ts";
import { Workload } from "../support/workload.ts";
import { settled } from "./settled.ts";

/** FSMON_KILLS=50 for the whole proof; a kill takes a third of a second. */
const KILLS = Number(process.env.FSMON_KILLS ?? 8);
const HOUR_S = 3600;
const YEAR_S = 365 * 24 * HOUR_S;

describe.skipIf(captureObstacle !== null)("the log when things go wrong (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let root: string;
  let log: string;
  beforeEach(() => {
    filesystem = TestFilesystem.mount("tmpfs");
    daemon = new TestDaemon();
    root = join(filesystem.path, "managed");
    mkdirSync(root);
    log = join(daemon.logDir, liveName(logHash(root)));
  });
  afterEach(async () => {
    await daemon?.destroy();
    filesystem?.unmount();
  });

  const make = (from: number, to: number) => makeFiles(root, from, to);
  const made = () => numbersMade(daemon, root);
  /** The files of the log, oldest first, with the times in each. */
  const files = () =>
    readdirSync(daemon.logDir)
      .filter((name) => name.endsWith("_log.jsonl"))
      .sort()
      .map((name) => readFileSync(join(daemon.logDir, name), "utf8").split("\n").slice(0, -1).map(parseLine));

  for (const [errno, reason] of [
    ["EIO", "write_error"],
    ["EDQUOT", "disk_full"],
    ["EFBIG", "disk_full"],
  ] as const) {
    test.skipIf(Bun.which("strace") === null)(
      `a disk that answers ${errno}: the daemon lives on, no line is torn or lost, and a GAP says so (needs strace)`,
      async () => {
        // The first writes are the WATCH line and the first events; every write to the log from the fifth to the twelfth fails.
        const inject = ["-P", log, "-e", `inject=write,pwrite64:error=${errno}:when=5..12`];
        await daemon.start([], ["strace", "-f", "-qq", "-o", "/dev/null", ...inject]);
        await daemon.add(root, "-r", "--types", "CREATE");
        let files = 0;
        // How many come with one write is the daemon's affair.
        await until("it says so", () => {
          make(files, files + 20);
          files += 20;
          return daemon.stderr.includes(`(${errno})`);
        });
        await until("the daemon writes again", () => daemon.stderr.includes("can be written again"));
        make(files, files + 20);
        await settled(daemon, root);
        expect(made()).toEqual(range(0, files + 20));
        expect(daemon.gaps(root)).toMatchObject([{ reason, lost: 0 }]);
      },
    );
  }

  test("the clock set back and far ahead: a new segment with a GAP, and no time goes back within a file", async () => {
    const clock = new OwnClock();
    // A year ahead, everything from before is older than the default allows.
    appendFileSync(daemon.configFile, "[logging]\nkeep_days = 10000\n");
    try {
      await daemon.start([], clock.wrapper);
      await daemon.add(root, "-r", "--types", "CREATE");
      await settled(daemon, root);
      make(0, 50);
      await settled(daemon, root);
      clock.setAhead(-HOUR_S);
      make(50, 100);
      await settled(daemon, root);
      const back = Date.now() - HOUR_S * 1000;
      clock.setAhead(YEAR_S);
      make(100, 150);
      await settled(daemon, root);
      expect(files().length).toBe(3);
      for (const lines of files()) {
        const times = lines.map(({ time }) => String(time));
        expect(times).toEqual(times.toSorted());
      }
      expect(made()).toEqual(range(0, 150));
      expect(daemon.gaps(root).map(({ reason }) => reason)).toEqual(["clock", "clock"]);
      const spans = daemon
        .gaps(root)
        .map(({ gap_from = "", gap_to = "" }) => (Date.parse(gap_to) - Date.parse(gap_from)) / 1000);
      expect(Math.abs(spans[0]! - HOUR_S)).toBeLessThan(600);
      expect(Math.abs(spans[1]! - YEAR_S - HOUR_S)).toBeLessThan(600);
      for (const [head] of files().slice(1))
        expect(head).toMatchObject({ event_type: "WATCH", state: "continued" });
      // What happened while the clock was an hour behind is found by that time, and everything is in order of time.
      const asked = await daemon.fsmon("query", "--until", new Date(back + 60_000).toISOString());
      expect(asked.stdout).toContain("/f99");
      expect(asked.stdout).not.toContain("/f49");
      const all = (await daemon.fsmon("query")).stdout
        .split("\n")
        .slice(0, -1)
        .map((line) => parseLine(line).time);
      expect(all).toEqual(all.toSorted());
    } finally {
      clock.remove();
    }
  });

  test(`killed ${KILLS} times in a storm: no line is torn, none is lost but by a GAP's time`, async () => {
    const workload = new Workload("storm");
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        await daemon.start();
        if (kill === 0) await daemon.add(root, "-r", "--types", "CREATE");
        const dir = join(root, String(kill));
        mkdirSync(dir);
        await settled(daemon, root);
        const storm = workload.start("files", dir, 2, 4000);
        await Bun.sleep(5 + ((kill * 37) % 150));
        daemon.signal("SIGKILL");
        await daemon.ended();
        await storm;
        const text = readFileSync(log, "utf8");
        const whole = text.slice(0, text.lastIndexOf("\n") + 1);
        // Of each process the files up to some number, and every one of them.
        const paths = whole
          .split("\n")
          .slice(0, -1)
          .map((line) => String(parseLine(line).path));
        for (const process of [0, 1]) {
          const numbers = paths
            .map((path) => new RegExp(`/${kill}/${process}-(\\d+)$`).exec(path)?.[1])
            .filter((number) => number !== undefined)
            .map(Number);
          expect(numbers).toEqual(range(0, numbers.length));
        }
        await daemon.start();
        await settled(daemon, root);
        expect(readFileSync(log, "utf8").startsWith(whole)).toBe(true);
        const gap = daemon.gaps(root).at(-1);
        expect(gap).toMatchObject({ reason: "daemon_crashed", lost: null });
        const last = whole.split("\n").slice(0, -1).map(parseLine).at(-1);
        // Nothing after the last line was written, so the GAP begins no later than a heartbeat after it.
        expect(Date.parse(String(gap?.gap_from)) - Date.parse(String(last?.time))).toBeLessThan(1000);
        await daemon.stop();
      }
    } finally {
      workload.remove();
    }
  });
});
