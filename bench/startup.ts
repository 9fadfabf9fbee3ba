// A daemon that starts on a large tree: how soon events are recorded, how soon it has seen every directory, what the tree takes.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestDaemon } from "../test/support/daemon.ts";
import { TestFilesystem } from "../test/support/filesystem.ts";
import { until } from "../test/support/wait.ts";
import { Workload } from "../test/support/workload.ts";
import { atMost, type Goal, type Section } from "./section.ts";
import { median, spread, table } from "./table.ts";
import { memory } from "./usage.ts";

const REST_MS = 6000;
const PROBES = 400;

export const startup: Section = {
  name: "startup",
  title: "Start on a large tree",
  run: async (rounds) => {
    const rows: string[][] = [];
    const goals: Goal[] = [];
    const bare = await starts(0, Math.min(rounds, 3));
    for (const [directories, memoryGoalMb] of [
      [100_000, 10],
      [1_000_000, 100],
    ] as const) {
      const all = await starts(directories, directories > 500_000 ? 1 : Math.min(rounds, 3));
      const ready = all.map((one) => one.readyMs);
      const recorded = all.map((one) => one.recordedMs);
      const beyond = all.map((one) => (one.anonymousKb - median(bare.map((two) => two.anonymousKb))) / 1024);
      rows.push([directories.toLocaleString("en"), spread(recorded, 0), spread(ready, 0), spread(beyond)]);
      const size = `${directories.toLocaleString("en")} directories`;
      goals.push(atMost(`${size}: anonymous memory beyond idle`, memoryGoalMb, median(beyond), "MB"));
      if (directories === 100_000) {
        goals.push(atMost(`${size}: start to ready`, 1000, median(ready), "ms", 0));
        goals.push(atMost(`${size}: start until events are recorded`, 50, median(recorded), "ms", 0));
      }
    }
    const head = [
      "directories",
      "ms until events are recorded",
      "ms until every directory is known",
      "MB beyond an empty tree",
    ];
    const note = `With an empty tree the first event is recorded ${spread(
      bare.map((one) => one.recordedMs),
      0,
    )} ms after the start.`;
    return { text: `${table(head, rows)}\n\n${note}`, goals };
  },
};

interface Start {
  recordedMs: number;
  readyMs: number;
  anonymousKb: number;
}

async function starts(directories: number, times: number): Promise<Start[]> {
  const filesystem = TestFilesystem.mount("tmpfs");
  const forest = new Workload("forest");
  try {
    const root = join(filesystem.path, "root");
    mkdirSync(join(root, "probes"), { recursive: true });
    if (directories > 0) {
      mkdirSync(join(root, "tree"));
      await forest.start(join(root, "tree"), directories);
    }
    const all: Start[] = [];
    for (let i = 0; i < times; i++) all.push(await startOnce(root, i));
    return all;
  } finally {
    forest.remove();
    filesystem.unmount();
  }
}

/** The path is in the store already; files are made every millisecond from the start on, and the first that shows in the log counts. */
async function startOnce(root: string, round: number): Promise<Start> {
  const daemon = new TestDaemon();
  try {
    await daemon.add(root, "-r");
    const startMs = performance.now();
    const started = daemon.start();
    const madeMs: number[] = [];
    while (madeMs.length < PROBES) {
      madeMs.push(performance.now() - startMs);
      writeFileSync(join(root, "probes", `probe-${round}-${madeMs.length - 1}.`), "");
      await Bun.sleep(1);
    }
    await started;
    await until("every directory is known", () => isReady(daemon));
    const readyMs = performance.now() - startMs;
    await daemon.settle(join(root, "probes"));
    const text = logText(daemon.logDir);
    const first = madeMs.findIndex((_, i) => text.includes(`/probe-${round}-${i}."`));
    await Bun.sleep(REST_MS);
    return { recordedMs: madeMs[first] ?? Number.NaN, readyMs, anonymousKb: memory(daemon.pid).anonymousKb };
  } finally {
    await daemon.destroy();
  }
}

async function isReady(daemon: TestDaemon): Promise<boolean> {
  const { stdout } = await daemon.fsmon("managed", "--json");
  return stdout.includes('"watched"') && !stdout.includes('"scanning":true');
}

function logText(logDir: string): string {
  return readdirSync(logDir)
    .filter((name) => name.endsWith("_log.jsonl"))
    .map((name) => readFileSync(join(logDir, name), "latin1"))
    .join("");
}
