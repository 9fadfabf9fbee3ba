// The compiled daemon's log while a storm rages and other people's tools are at work on its files: every event is in exactly one
// of the files, or in what was thrown away, and whoever reads beside it sees whole lines in order.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { liveName, logHash } from "../../src/log/names.ts";
import { readRange } from "../../src/log/tail.ts";
import { command, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { parseLine } from "../support/schema.ts";
import { until } from "../support/wait.ts";
import { Workload } from "../support/workload.ts";
import { settled } from "./settled.ts";

const TYPES = ["CREATE", "CLOSE_WRITE", "ATTRIB", "DELETE", "DELETE_SELF"];
const PROCESSES = 2;
/** Gusts with a moment between them, so that the storm lasts a few seconds; each in a directory of its own. */
const GUSTS = 50;
const FILES = 80;

interface Happened {
  type: string;
  process: number;
  /** Which of the process's files, over all gusts. */
  file: number;
}

const keyOf = ({ type, process, file }: Happened) => `${type} ${process}-${file}`;

/** The storm's events in a text of whole lines, each of which must be as specified. */
function happenedIn(text: string): Happened[] {
  expect(text === "" || text.endsWith("\n")).toBe(true);
  const happened: Happened[] = [];
  for (const { event_type, path } of text.split("\n").slice(0, -1).map(parseLine)) {
    const [, gust, process, number] = /\/(\d+)\/(\d+)-(\d+)$/.exec(String(path)) ?? [];
    if (gust === undefined) continue;
    happened.push({
      type: String(event_type),
      process: Number(process),
      file: Number(gust) * FILES + Number(number),
    });
  }
  return happened;
}

const eventsIn = (text: string) => happenedIn(text).map(keyOf);
const wholeLines = (text: string) => text.slice(0, text.lastIndexOf("\n") + 1);

/** What is not there once. */
function wrongIn(events: readonly string[]): { missing: string[]; twice: string[] } {
  const missing = new Set<string>();
  for (let process = 0; process < PROCESSES; process++)
    for (let file = 0; file < GUSTS * FILES; file++)
      for (const type of TYPES) missing.add(keyOf({ type, process, file }));
  const twice: string[] = [];
  for (const event of events) if (!missing.delete(event)) twice.push(event);
  return { missing: [...missing], twice };
}

/** What the daemon has sealed. */
const SEALED = /\.\d{6}_log\.jsonl$/;

const NOTHING_WRONG = { missing: [], twice: [] };

describe.skipIf(captureObstacle !== null)("the log in a storm (needs root and mounts)", () => {
  const workload = new Workload("storm");
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let root: string;
  let log: string;
  beforeEach(() => {
    filesystem = TestFilesystem.mount("tmpfs");
    daemon = new TestDaemon();
    root = join(filesystem.path, "managed");
    for (let gust = 0; gust < GUSTS; gust++) mkdirSync(join(root, String(gust)), { recursive: true });
    log = join(daemon.logDir, liveName(logHash(root)));
  });
  afterEach(async () => {
    await daemon?.destroy();
    filesystem?.unmount();
  });

  async function start(config = ""): Promise<void> {
    writeFileSync(daemon.configFile, `${readFileSync(daemon.configFile, "utf8")}${config}`);
    await daemon.start();
    await daemon.add(root, "-r");
    await settled(daemon, root);
  }

  /**
   * Does something again and again, some milliseconds apart and at least once in four gusts, while a storm rages; everything is
   * logged when it returns.
   */
  async function duringStorm(work: (round: number) => unknown): Promise<number> {
    let raging = true;
    let rounds = 0;
    const startedMs = performance.now();
    const storm = async () => {
      for (let gust = 0; gust < GUSTS; gust++) {
        await workload.start("files", join(root, String(gust)), PROCESSES, FILES);
        await Bun.sleep(15);
        await until("the other work keeps up", () => rounds > gust / 4);
      }
      raging = false;
    };
    const others = async () => {
      for (; raging; rounds++) {
        await Bun.sleep(15);
        await work(rounds);
      }
    };
    await Promise.all([storm(), others()]);
    await settled(daemon, root);
    const events = GUSTS * PROCESSES * FILES * TYPES.length;
    if (process.env.FSMON_TEST_RATES)
      console.log(`${Math.round((events / (performance.now() - startedMs)) * 1000)} events/s`);
    return rounds;
  }

  const filesNamed = (pattern: RegExp) =>
    readdirSync(daemon.logDir)
      .filter((name) => pattern.test(name))
      .sort();
  const textOf = (names: readonly string[]) =>
    names.map((name) => readFileSync(join(daemon.logDir, name), "utf8")).join("");

  test("renamed and rotated away: every event in exactly one file, and tail -F beside it sees whole lines in order", async () => {
    await start(`[logging]\nsegment_size = "200KB"\n`);
    const tail = Bun.spawn(["tail", "-F", "-n", "+1", "-s", "0.01", log], {
      stdout: "pipe",
      stderr: "ignore",
    });
    const seen = new Response(tail.stdout).text();
    let rotated = 0;
    const rounds = await duringStorm((round) => {
      try {
        // Each time after the daemon has sealed it, so that both happen however quick the storm is.
        if (filesNamed(SEALED).length > rotated) {
          renameSync(log, join(daemon.logDir, `rotated-${String(round).padStart(4, "0")}`));
          rotated++;
        }
        // What stands there at any moment is whole, but for what is being written.
        else eventsIn(wholeLines(readFileSync(log, "utf8")));
      } catch (error) {
        // The daemon has just sealed it.
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      }
    });
    expect(rounds).toBeGreaterThan(0);
    expect(wrongIn(eventsIn(textOf(filesNamed(/_log\.jsonl$|^rotated-/))))).toEqual(NOTHING_WRONG);
    expect(rotated).toBeGreaterThan(2);
    tail.kill();
    const lines = wholeLines(await seen)
      .split("\n")
      .slice(0, -1)
      .map(parseLine);
    expect(lines.length).toBeGreaterThan(1000);
    const times = lines.map(({ time }) => String(time));
    expect(times).toEqual(times.toSorted());
  });

  test("deleted: everything written since is in the new file", async () => {
    await start();
    const deleted: { fd: number; sizeBytes: number }[] = [];
    await duringStorm(() => {
      const fd = openSync(log, "r");
      unlinkSync(log);
      deleted.push({ fd, sizeBytes: fstatSync(fd).size });
      return until("the log is back", () => statSync(log, { throwIfNoEntry: false }) !== undefined);
    });
    const kept = eventsIn(readFileSync(log, "utf8"));
    expect(new Set(kept).size).toBe(kept.length);
    const thrownAway: string[] = [];
    const remaining = new Set(kept);
    for (const { fd, sizeBytes } of deleted) {
      // A write may have been on its way while the name went: its lines count as thrown away only with the name.
      thrownAway.push(
        ...eventsIn(wholeLines(readRange(fd, 0, sizeBytes).toString())).filter(
          (event) => !remaining.has(event),
        ),
      );
      closeSync(fd);
    }
    expect(deleted.length).toBeGreaterThan(0);
    const { missing, twice } = wrongIn([...kept, ...new Set(thrownAway)]);
    expect({ missing, twice }).toEqual(NOTHING_WRONG);
  });

  for (const [what, trim, dropped] of [
    ["tail -n 500", "tail -n 500 log > t && mv t log", /^$/],
    ["jq", "jq -c 'select(.event_type != \"ATTRIB\")' log > t && mv t log", /^ATTRIB /],
  ] as const) {
    test(`replaced by a copy that ${what} has trimmed: the lines written meanwhile are carried over`, async () => {
      await start();
      const replaced: number[] = [];
      await duringStorm(async (round) => {
        if (round % 10 !== 2) return;
        replaced.push(openSync(log, "r"));
        // A foreign line or a torn one makes jq fail; then nothing is replaced.
        const done = await command(["sh", "-c", trim.replaceAll("log", log).replaceAll(" t ", ` ${log}.t `)]);
        if (done.code !== 0) expect(done.stderr).toContain("Unfinished");
      });
      await daemon.stop();
      expect(replaced.length).toBeGreaterThan(0);
      const kept = eventsIn(readFileSync(log, "utf8"));
      expect(new Set(kept).size).toBe(kept.length);
      // Of each replaced file what came before the copy's first line was thrown away, and of jq's what it left out.
      const first = kept.find((event) => !dropped.test(event));
      const allKept = new Set(kept);
      const gone = new Set<string>();
      for (const fd of replaced) {
        const events = eventsIn(wholeLines(readRange(fd, 0, fstatSync(fd).size).toString()));
        closeSync(fd);
        const copiedFrom = first === undefined ? -1 : events.indexOf(first);
        for (const [i, event] of events.entries()) {
          if (allKept.has(event)) continue;
          if (copiedFrom < 0 || i < copiedFrom || dropped.test(event)) gone.add(event);
        }
      }
      expect(wrongIn([...kept, ...gone])).toEqual(NOTHING_WRONG);
    });
  }

  test("copied and truncated: goes on at the new end with whole lines, and only what came in between is lost", async () => {
    await start();
    let saved = "";
    await duringStorm((round) => {
      if (round !== 8) return;
      saved = wholeLines(readFileSync(log, "utf8"));
      truncateSync(log, 0);
    });
    expect(saved.length).toBeGreaterThan(0);
    const { missing, twice } = wrongIn([...eventsIn(saved), ...eventsIn(readFileSync(log, "utf8"))]);
    expect(twice).toEqual([]);
    // At most one stretch of each process's files.
    for (let process = 0; process < PROCESSES; process++) {
      const mine = missing.filter((event) => event.includes(` ${process}-`));
      const files = new Set(mine.map((event) => Number(event.slice(event.lastIndexOf("-") + 1))));
      if (files.size > 0) expect(Math.max(...files) - Math.min(...files) + 1).toBe(files.size);
    }
  });

  test("fsmon clean beside it: the oldest lines go, and none other", async () => {
    await start(`[logging]\nsegment_size = "2MB"\n`);
    const said: string[] = [];
    await duringStorm(async () => {
      const done = await daemon.fsmon("clean", "--max-size", "1500K");
      expect(done.stderr).toBe("");
      expect(done.code).toBe(0);
      said.push(done.stdout);
      await daemon.fsmon("query", "--since", "1h").then(({ code, stderr }) => {
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      });
    });
    expect(said.filter((line) => line.includes("deleted")).length).toBeGreaterThan(0);
    const kept = eventsIn(textOf(filesNamed(/_log\.jsonl$/)));
    expect(new Set(kept).size).toBe(kept.length);
    expect(kept.length).toBeGreaterThan(1000);
    const all = (await daemon.fsmon("query")).stdout;
    expect(eventsIn(all)).toEqual(kept);
    // Of each process the first events went, and nothing behind them.
    for (let process = 0; process < PROCESSES; process++) {
      const mine = happenedIn(all).filter((event) => event.process === process);
      const keys = new Set(mine.map(keyOf));
      for (let file = mine[0]!.file + 1; file < GUSTS * FILES; file++)
        for (const type of TYPES) expect(keys.has(keyOf({ type, process, file }))).toBe(true);
    }
  });

  test("the daemon itself keeps max_size, over paths that aren't managed any more as well, and WATCH heads each segment", async () => {
    const maxSizeBytes = 2 * 1024 * 1024;
    const forgotten = logHash("/forgotten");
    mkdirSync(daemon.logDir, { recursive: true });
    for (let number = 1; number <= 4; number++) {
      const text = `{"time":"2026-05-07T10:00:0${number}.000+00:00","event_type":"CREATE","path":"/forgotten/x","pid":1,"cmd":"a","user":"b","file_size":0,"monitored_path":"/forgotten"}\n`;
      writeFileSync(join(daemon.logDir, `${forgotten}.00000${number}_log.jsonl`), text.repeat(8000));
    }
    await start(`[logging]\nmax_size = "2MB"\nkeep_days = 10000\n`);
    let largest = 0;
    await duringStorm(() => {
      let sizeBytes = 0;
      for (const name of filesNamed(new RegExp(`^${logHash(root)}`)))
        sizeBytes += statSync(join(daemon.logDir, name), { throwIfNoEntry: false })?.size ?? 0;
      largest = Math.max(largest, sizeBytes);
    });
    const total = (hash: string) =>
      filesNamed(new RegExp(`^${hash}`)).reduce(
        (sum, name) => sum + (statSync(join(daemon.logDir, name), { throwIfNoEntry: false })?.size ?? 0),
        0,
      );
    await until(
      "both logs are within max_size",
      () => total(logHash(root)) <= maxSizeBytes && total(forgotten) <= maxSizeBytes,
    );
    expect(total(forgotten)).toBeGreaterThan(maxSizeBytes / 2);
    // The daemon looks once a second: a storm may be ahead by as much as it writes in that time, not by all of it.
    expect(largest).toBeGreaterThan(maxSizeBytes / 2);
    for (const name of filesNamed(new RegExp(`^${logHash(root)}\\.`))) {
      const [head = ""] = readFileSync(join(daemon.logDir, name), "utf8").split("\n");
      expect(parseLine(head)).toMatchObject({ event_type: "WATCH" });
    }
    // The newest stay, without a hole.
    const kept = eventsIn(textOf(filesNamed(new RegExp(`^${logHash(root)}`))));
    for (const type of TYPES) expect(kept).toContain(`${type} 0-${GUSTS * FILES - 1}`);
  });
});
