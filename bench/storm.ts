// The storm: files made, written, closed and removed as fast as can be. What it costs the workload and the watcher, and what
// each watcher missed. Rounds are interleaved: noise meets everyone alike.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type FilesystemKind, TestFilesystem } from "../test/support/filesystem.ts";
import { Workload } from "../test/support/workload.ts";
import { type Contender, Fallen, type Found } from "./contender.ts";
import { floor } from "./floor.ts";
import { ours } from "./ours.ts";
import { RIVALS } from "./rivals.ts";
import { type Answer, atLeast, atMost, type Goal, type Section } from "./section.ts";
import { mb, median, spread, table } from "./table.ts";
import { cpuUs, memory, watchPeak } from "./usage.ts";

const FILES = 30_000;
const LINES_A_FILE = 5;
const SPACED = floor(2);

const NOBODY: Contender = {
  name: "nobody",
  version: "",
  obstacle: "",
  start: async () => ({ pids: [], drained: async () => {}, found: () => null, stop: async () => {} }),
};

interface Round {
  seconds: number;
  slowdown: number;
  cpuUsPerFile: number;
  idleKb: number;
  peakKb: number;
  found: Found | null;
  /** It ended by itself in the storm: its other figures mean nothing. */
  fell: boolean;
}

export const storm: Section = {
  name: "storm",
  title: "The storm, side by side",
  run: runStorms,
};

async function runStorms(rounds: number): Promise<Answer> {
  const contenders = [NOBODY, SPACED, floor(0), ours, ...RIVALS].filter((one) => one.version !== null);
  const absent = RIVALS.filter((one) => one.version === null);
  const parts = absent.map((one) => `${one.name} is left out: ${one.obstacle}.`);
  const goals: Goal[] = [];
  const workload = new Workload("storm");
  try {
    for (const [kind, writers] of [
      ["ext4", 1],
      ["ext4", 4],
    ] as const) {
      const results = await race(contenders, { kind, writers, rounds, workload });
      const where = `${kind}, ${writers === 1 ? "1 writer" : `${writers} writers`}`;
      parts.push(`${FILES} files on ${where}:`, show(results));
      goals.push(...goalsOf(where, results));
    }
  } finally {
    workload.remove();
  }
  return { text: parts.join("\n\n"), goals };
}

type Results = ReadonlyMap<string, readonly Round[]>;

function goalsOf(where: string, results: Results): Goal[] {
  const standing = (name: string) => (results.get(name) ?? []).filter((round) => !round.fell);
  const middle = (name: string, of: (round: Round) => number) => median(standing(name).map(of));
  const cpu = (round: Round) => round.cpuUsPerFile;
  const mine = middle(ours.name, cpu);
  const slowdown = middle(ours.name, (round) => round.slowdown);
  const present = RIVALS.filter(({ name }) => standing(name).length > 0);
  const least = Math.min(...present.map(({ name }) => middle(name, (round) => round.slowdown)));
  const goals = [
    atMost(`slowdown, ${where}`, 1.1, slowdown, "times", 2),
    atMost(
      `slowdown, ${where}, against the least of any rival`,
      Number(least.toFixed(2)),
      slowdown,
      "times",
      2,
    ),
    atMost(`CPU a file, ${where}`, 4, mine, "µs"),
    atMost(`CPU a line, ${where}`, 1, mine / LINES_A_FILE, "µs", 2),
    atMost(
      `CPU, ${where}, against the C reader at the same spacing`,
      1.5,
      mine / middle(SPACED.name, cpu),
      "times",
    ),
  ];
  for (const [name, share] of [
    ["fatrace", 6],
    ["fsmon (Rust)", 20],
  ] as const)
    if (standing(name).length > 0)
      goals.push(atLeast(`CPU, ${where}: ${name} takes`, share, middle(name, cpu) / mine, "times as much"));
  return goals;
}

interface Race {
  kind: FilesystemKind;
  writers: number;
  rounds: number;
  workload: Workload;
}

async function race(contenders: readonly Contender[], { kind, writers, rounds, workload }: Race) {
  const results = new Map<string, Round[]>();
  const filesystem = TestFilesystem.mount(kind);
  try {
    for (let round = 0; round < rounds; round++) {
      let aloneSeconds = 0;
      for (const contender of contenders) {
        const root = join(filesystem.path, `round${round}`);
        mkdirSync(root);
        const one = await ride(contender, root, writers, workload);
        if (contender === NOBODY) aloneSeconds = one.seconds;
        const list = results.get(contender.name) ?? [];
        list.push({ ...one, slowdown: one.seconds / aloneSeconds });
        results.set(contender.name, list);
        rmSync(root, { recursive: true });
      }
    }
  } finally {
    filesystem.unmount();
  }
  return results;
}

async function ride(contender: Contender, root: string, writers: number, workload: Workload): Promise<Round> {
  const each = FILES / writers;
  // Warm: nobody is measured while it compiles or takes its memory.
  const warm = join(root, "warm");
  const work = join(root, "work");
  mkdirSync(warm);
  mkdirSync(work);
  const running = await contender.start(root);
  try {
    await workload.start("files", warm, writers, each);
    try {
      await running.drained();
    } catch (error) {
      return fallen(error);
    }
    const idleKb = running.pids.reduce((sum, pid) => sum + memory(pid).anonymousKb, 0);
    const before = cpuUs(running.pids);
    const peak = watchPeak(running.pids);
    const startMs = performance.now();
    await workload.start("files", work, writers, each);
    const seconds = (performance.now() - startMs) / 1000;
    try {
      await running.drained();
    } catch (error) {
      peak();
      return fallen(error);
    }
    const peakKb = peak();
    const cpuUsPerFile = (cpuUs(running.pids) - before) / FILES;
    return {
      seconds,
      slowdown: 1,
      cpuUsPerFile,
      idleKb,
      peakKb,
      found: running.found(names(writers, each)),
      fell: false,
    };
  } finally {
    await running.stop();
  }
}

/** A rival that ended by itself has no figures. @throws any other error */
function fallen(error: unknown): Round {
  if (!(error instanceof Fallen)) throw error;
  return { seconds: 0, slowdown: 1, cpuUsPerFile: 0, idleKb: 0, peakKb: 0, found: null, fell: true };
}

/** As storm.c names them. */
function names(writers: number, each: number): Set<string> {
  const all = new Set<string>();
  for (let writer = 0; writer < writers; writer++)
    for (let i = 0; i < each; i++) all.add(`work/${writer}-${i}`);
  return all;
}

function show(results: Results): string {
  const us = results.get(ours.name)!.map((round) => round.cpuUsPerFile);
  const rows = [...results].map(([name, all]) => {
    const fell = all.filter((round) => round.fell).length;
    const rounds = all.filter((round) => !round.fell);
    if (rounds.length === 0) return [name, `ended by itself in each of ${fell} storms`];
    const cpu = rounds.map((round) => round.cpuUsPerFile);
    const found = rounds.map((round) => round.found).filter((one) => one !== null);
    return [
      fell === 0 ? name : `${name} (ended by itself in ${fell} of ${all.length} storms)`,
      spread(
        rounds.map((round) => round.seconds),
        2,
      ),
      name === NOBODY.name
        ? "1"
        : spread(
            rounds.map((round) => round.slowdown),
            2,
          ),
      name === NOBODY.name ? "–" : spread(cpu),
      name === NOBODY.name ? "–" : (median(us) / median(cpu)).toFixed(2),
      found.length === 0 ? "–" : `${sum(found, "missed")} of ${sum(found, "expected")}`,
      found.length === 0 || Number.isNaN(found[0]!.nameless) ? "–" : String(sum(found, "nameless")),
      rounds[0]!.peakKb === 0
        ? "–"
        : `${mb(median(rounds.map((r) => r.idleKb)))} → ${mb(Math.max(...rounds.map((r) => r.peakKb)))}`,
    ];
  });
  const head = [
    "watched by",
    "seconds",
    "slowdown",
    "µs CPU a file",
    "fsmon : it",
    "events missed",
    "nameless",
    "anonymous MB, before → peak",
  ];
  const perLine = `fsmon writes ${LINES_A_FILE} lines a file: ${(median(us) / LINES_A_FILE).toFixed(2)} µs CPU a line.`;
  return `${table(head, rows)}\n\n${perLine}`;
}

function sum(found: readonly Found[], key: keyof Found): number {
  return found.reduce((total, one) => total + one[key], 0);
}
