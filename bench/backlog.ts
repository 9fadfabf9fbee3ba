// A daemon that was stopped while a million events queued up: how fast it reads, attributes and writes them once it goes on. And the
// fastest storm that this machine can make: whether anything is lost.
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../test/support/wait.ts";
import { Workload } from "../test/support/workload.ts";
import { liveLog, withOurs } from "./ours.ts";
import { type Answer, atLeast, type Section } from "./section.ts";
import { mb, median, spread, table } from "./table.ts";
import { cpuUs, watchPeak } from "./usage.ts";

/** Three events a file: one for its making and removal, which the kernel merges, one for its closing, one for its death. */
const FILES = 320_000;
const LINES_A_FILE = 5;

export const backlog: Section = {
  name: "backlog",
  title: "A backlog of a million events",
  run: async (rounds) => {
    const workload = new Workload("storm");
    const drains: Drain[] = [];
    try {
      for (let round = 0; round < rounds; round++) drains.push(await drainOnce(workload));
      return answer(drains, await fastestStorm(workload));
    } finally {
      workload.remove();
    }
  },
};

interface Drain {
  seconds: number;
  cpuSeconds: number;
  lines: number;
  peakKb: number;
}

async function drainOnce(workload: Workload): Promise<Drain> {
  return withOurs(async (ours, root) => {
    // Compiled code, as in a daemon that has run for a while.
    mkdirSync(join(root, "warm"));
    await workload.start("files", join(root, "warm"), 1, 30_000);
    await ours.drained();
    const before = countLines(ours.daemon.logDir);
    mkdirSync(join(root, "work"));
    ours.daemon.signal("SIGSTOP");
    await workload.start("files", join(root, "work"), 1, FILES);
    const cpuBefore = cpuUs(ours.pids);
    const peak = watchPeak(ours.pids, 50);
    const startMs = performance.now();
    ours.daemon.signal("SIGCONT");
    await until("the daemon sleeps again", () => caughtUp(liveLog(ours, root)));
    const seconds = (performance.now() - startMs) / 1000;
    const peakKb = peak();
    const cpuSeconds = (cpuUs(ours.pids) - cpuBefore) / 1e6;
    await ours.drained();
    return { seconds, cpuSeconds, lines: countLines(ours.daemon.logDir) - before, peakKb };
  });
}

async function fastestStorm(workload: Workload): Promise<{ lost: number; gaps: number; perSecond: number }> {
  return withOurs(async (ours, root) => {
    const processes = navigator.hardwareConcurrency;
    const each = 400_000 / processes;
    mkdirSync(join(root, "work"));
    const startMs = performance.now();
    await workload.start("files", join(root, "work"), processes, each);
    const seconds = (performance.now() - startMs) / 1000;
    await ours.drained();
    const lines = linesBelow(join(root, "work"), ours.daemon.logDir);
    const gaps = allText(ours.daemon.logDir).reduce(
      (sum, text) => sum + occurrences(text, '"event_type":"GAP"'),
      0,
    );
    return { lost: processes * each * LINES_A_FILE - lines, gaps, perSecond: (processes * each) / seconds };
  });
}

function answer(drains: readonly Drain[], storm: { lost: number; gaps: number; perSecond: number }): Answer {
  const rates = drains.map((one) => one.lines / one.seconds / 1000);
  const rows = [
    ["lines", String(median(drains.map((one) => one.lines)))],
    [
      "seconds",
      spread(
        drains.map((one) => one.seconds),
        2,
      ),
    ],
    ["thousand lines a second", spread(rates, 0)],
    [
      "µs CPU a line",
      spread(
        drains.map((one) => (one.cpuSeconds * 1e6) / one.lines),
        2,
      ),
    ],
    ["anonymous memory at the highest, MB", mb(Math.max(...drains.map((one) => one.peakKb)))],
    [
      `lost of the fastest storm (${Math.round(storm.perSecond / 1000)},000 files a second)`,
      `${storm.lost} lines, ${storm.gaps} GAPs`,
    ],
  ];
  return {
    text: table(["a backlog", "figure"], rows),
    goals: [
      atLeast(
        "a backlog of a million events, drained and written",
        700,
        median(rates),
        "thousand lines/s",
        0,
      ),
      {
        what: "loss under the fastest storm",
        goal: "none",
        figure: `${storm.lost} lines`,
        met: storm.lost === 0,
      },
    ],
  };
}

/** Whether the end of a log names the last file. Between a sealed segment and the next there is none for a moment. */
function caughtUp(log: string): boolean {
  if (!existsSync(log)) return false;
  const bytes = readFileSync(log);
  return bytes.subarray(Math.max(0, bytes.length - 4000)).includes(`-${FILES - 1}"`);
}

function allText(logDir: string): Buffer[] {
  return readdirSync(logDir)
    .filter((name) => name.endsWith("_log.jsonl"))
    .map((name) => readFileSync(join(logDir, name)));
}

function countLines(logDir: string): number {
  return allText(logDir).reduce((sum, bytes) => sum + occurrences(bytes, "\n"), 0);
}

/** By the key: a program's own `exe` may lie in any folder. */
function linesBelow(directory: string, logDir: string): number {
  return allText(logDir).reduce((sum, bytes) => sum + occurrences(bytes, `"path":"${directory}/`), 0);
}

function occurrences(bytes: Buffer, what: string): number {
  let count = 0;
  for (let at = bytes.indexOf(what); at >= 0; at = bytes.indexOf(what, at + 1)) count++;
  return count;
}
