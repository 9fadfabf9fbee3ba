// `fsmon clean` beside the compiled daemon in a storm, again and again, two at a time, and killed at any moment; other programs read
// the log meanwhile. What was really written is known from a second managed path above the first, whose log nobody cleans.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { liveName, logHash } from "../../src/log/names.ts";
import { command, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { parseLine } from "../support/schema.ts";
import { until } from "../support/wait.ts";
import { Workload } from "../support/workload.ts";
import { settled } from "./settled.ts";

const GUSTS = 60;
const MAX_SIZE = "1200K";

/** The events of a text, each without the path that it was logged for, which tells the two logs apart. */
function eventsIn(text: string): string[] {
  const lines = text.split("\n").slice(0, -1).map(parseLine);
  return lines
    .filter(({ event_type }) => event_type !== "WATCH" && event_type !== "GAP")
    .map(({ monitored_path: _, ...event }) => JSON.stringify(event));
}

const wholeLines = (text: string) => text.slice(0, text.lastIndexOf("\n") + 1);

describe.skipIf(captureObstacle !== null)("fsmon clean in a storm (needs root and mounts)", () => {
  const workload = new Workload("storm");
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let root: string;
  beforeEach(() => {
    filesystem = TestFilesystem.mount("tmpfs");
    daemon = new TestDaemon();
    root = join(filesystem.path, "managed");
    for (let gust = 0; gust < GUSTS; gust++) mkdirSync(join(root, String(gust)), { recursive: true });
  });
  afterEach(async () => {
    await daemon?.destroy();
    filesystem?.unmount();
  });

  const namesOf = (path: string) =>
    readdirSync(daemon.logDir)
      .filter((name) => name.startsWith(logHash(path)) && name.endsWith("_log.jsonl"))
      .sort();
  const eventsOf = (path: string) =>
    eventsIn(
      namesOf(path)
        .map((name) => readFileSync(join(daemon.logDir, name), "utf8"))
        .join(""),
    );

  /** Cleans twice at a time while a storm rages and `cat` and `tail -F` read; what the two saw. */
  async function cleanInStorm(clean: (round: number) => Promise<unknown>): Promise<string[]> {
    writeFileSync(
      daemon.configFile,
      `${readFileSync(daemon.configFile, "utf8")}[logging]\nsegment_size = "400KB"\n`,
    );
    await daemon.start();
    await daemon.add(filesystem.path, "-r");
    await daemon.add(root, "-r");
    await settled(daemon, root);
    const live = join(daemon.logDir, liveName(logHash(root)));
    const tail = Bun.spawn(["tail", "-F", "-n", "+1", "-s", "0.01", live], {
      stdout: "pipe",
      stderr: "ignore",
    });
    const tailed = new Response(tail.stdout).text();
    const read: string[] = [];
    let raging = true;
    let cleanings = 0;
    const storm = async () => {
      for (let gust = 0; gust < GUSTS; gust++) {
        await workload.start("files", join(root, String(gust)), 2, 120);
        await until("cleaning and reading keep up", () => Math.min(cleanings, 2 * read.length) > gust / 4);
      }
      raging = false;
    };
    const while_ = async (work: (round: number) => Promise<unknown>) => {
      for (let round = 0; raging; round++) await work(round);
    };
    const cleaning = async (round: number) => {
      await clean(round);
      cleanings++;
    };
    const cat = async () => {
      const shown = await command(["sh", "-c", `cat ${daemon.logDir}/${logHash(root)}*_log.jsonl`]);
      read.push(wholeLines(shown.stdout));
    };
    await Promise.all([storm(), while_(cleaning), while_((round) => cleaning(round + 1)), while_(cat)]);
    await settled(daemon, root);
    tail.kill();
    return [...read, wholeLines(await tailed)];
  }

  function expectUnharmed(read: readonly string[]): void {
    const written = eventsOf(filesystem.path);
    const kept = eventsOf(root);
    expect(written.length).toBeGreaterThan(GUSTS * 2 * 120 * 4);
    expect(kept.length).toBeGreaterThan(1000);
    expect(kept.length).toBeLessThan(written.length);
    // The oldest went, and of the others none is missing, twice or torn.
    const first = written.indexOf(kept[0]!);
    expect(kept).toEqual(written.slice(first).filter((event) => event.includes(`"path":"${root}`)));
    const known = new Set(written);
    for (const text of read) {
      const events = eventsIn(text);
      expect(events.find((event) => !known.has(event))).toBeUndefined();
    }
    expect(read.length).toBeGreaterThan(0);
    for (const path of [root, filesystem.path]) expect(daemon.gaps(path)).toEqual([]);
  }

  test("two at a time: what stays is everything from some moment on, and nobody reads what was never written", async () => {
    let deleted = 0;
    const read = await cleanInStorm(async () => {
      const done = await daemon.fsmon("clean", "--path", root, "--max-size", MAX_SIZE);
      expect(done).toMatchObject({ code: 0, stderr: "" });
      if (done.stdout.includes("deleted")) deleted++;
    });
    expect(deleted).toBeGreaterThan(0);
    expectUnharmed(read);
  });

  test("killed at any moment: every file is the old or the new one, and the next clean takes the leftovers away", async () => {
    let killed = 0;
    const read = await cleanInStorm(async (round) => {
      const child = Bun.spawn([daemon.binary, "clean", "--path", root, "--max-size", MAX_SIZE], {
        env: daemon.environment,
        stdio: ["ignore", "ignore", "ignore"],
      });
      // It takes some 15 ms to begin with, and some more for its work.
      await Bun.sleep(8 + ((round * 7) % 40));
      if (child.exitCode === null) killed++;
      child.kill("SIGKILL");
      await child.exited;
    });
    expect(killed).toBeGreaterThan(0);
    const done = await daemon.fsmon("clean", "--path", root, "--max-size", MAX_SIZE);
    expect(done).toMatchObject({ code: 0, stderr: "" });
    expect(readdirSync(daemon.logDir).filter((name) => name.endsWith(".clean"))).toEqual([]);
    expectUnharmed(read);
  });
});
