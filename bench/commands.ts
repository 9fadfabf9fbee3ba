// The command line: how long a short command takes from start to end, and how `query` and `clean` do on a gigabyte of log, beside the
// Rust fsmon on as many bytes of the same events in its own format.
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { BINARY, TestDaemon } from "../test/support/daemon.ts";
import { recordStorm, writeLog } from "./real-lines.ts";
import { RUST, rustEnvironment } from "./rivals.ts";
import { type Answer, atLeast, atMost, type Goal, type Section } from "./section.ts";
import { table } from "./table.ts";
import { peakRssKb, timeCommand } from "./timing.ts";

const BYTES = 1e9;
const DAY_MS = 86_400_000;
const SEGMENT_BYTES = 64 * 1024 * 1024;

interface Figures {
  hourMs: number;
  dumpMs: number;
  cleanMs: number;
  dumpRssKb: number;
  /** A command that does nothing: what its runtime takes by itself. */
  idleRssKb: number;
}

/** Of commands that take some milliseconds: one alone says nothing. */
const SHORT_RUNS = 10;

export const commands: Section = {
  name: "commands",
  title: "Commands, and a gigabyte of log",
  run: async (rounds) => {
    const home = mkdtempSync(join(tmpdir(), "fsmon-bench-"));
    try {
      const managedMs = await managed(rounds);
      const rests = await recordStorm();
      const mine = measureOurs(home, rests, rounds);
      const rust = RUST === null ? null : measureRust(RUST, home, rests);
      return answer(managedMs, mine, rust);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  },
};

async function managed(rounds: number): Promise<number> {
  const daemon = new TestDaemon();
  try {
    await daemon.start();
    await daemon.add("/usr", "-r");
    // A scan of the disk is another question.
    await daemon.scanned("/usr");
    return timeCommand({ argv: [BINARY, "managed"], env: daemon.environment, runs: rounds * SHORT_RUNS })
      .medianMs;
  } finally {
    await daemon.destroy();
  }
}

function measureOurs(home: string, rests: readonly string[], rounds: number): Figures {
  const logDir = join(home, "logs");
  const nowMs = Date.now();
  writeLog(rests, {
    logDir,
    managedPath: "/srv/www/myapp",
    sizeBytes: BYTES,
    segmentBytes: SEGMENT_BYTES,
    fromMs: nowMs - 30 * DAY_MS,
    toMs: nowMs,
  });
  const env = { HOME: home, PATH: process.env.PATH ?? "/usr/bin:/bin" };
  const query = [BINARY, "query", "--log-dir", logDir];
  const hour = timeCommand({ argv: [...query, "--since", "1h"], env, runs: rounds * SHORT_RUNS });
  const dump = timeCommand({ argv: query, env, runs: Math.max(3, rounds) });
  const memory = { dumpRssKb: peakRssKb({ argv: query, env }), idleRssKb: idleRssKb(BINARY, env) };
  const whole = join(home, "whole");
  mkdirSync(whole);
  const names = readdirSync(logDir);
  for (const name of names) copyFileSync(join(logDir, name), join(whole, name));
  const clean = timeCommand({
    argv: [BINARY, "clean", "--log-dir", logDir, "--max-size", String(BYTES / 2), "--keep-days", "10000"],
    env,
    runs: Math.min(rounds, 3),
    before: () => {
      for (const name of names) copyFileSync(join(whole, name), join(logDir, name));
    },
  });
  rmSync(whole, { recursive: true });
  rmSync(logDir, { recursive: true });
  return { hourMs: hour.medianMs, dumpMs: dump.medianMs, cleanMs: clean.medianMs, ...memory };
}

const idleRssKb = (program: string, env: Record<string, string>) =>
  peakRssKb({ argv: [program, "--version"], env });

/** Its lines have a Z, nanoseconds and other keys; the events are the same. */
function measureRust(program: string, home: string, rests: readonly string[]): Figures {
  const env = rustEnvironment(join(home, "rust"));
  const log = join(home, "rust/.local/state/fsmon/_global_log.jsonl");
  mkdirSync(dirname(log), { recursive: true });
  const kept = rests.map((rest) => JSON.parse(`{"time":"${rest}`) as Record<string, unknown>);
  const lines = kept.map(({ event_type, path, pid, cmd, user, file_size }) =>
    JSON.stringify({
      event_type,
      path,
      pid,
      comm: cmd,
      cmd: "",
      user,
      file_size,
      ppid: 1,
      tgid: pid,
      chain: [],
    }).slice(1),
  );
  const nowMs = Date.now();
  const meanBytes = lines.reduce((sum, line) => sum + line.length + 43, 0) / lines.length;
  const count = Math.ceil(BYTES / meanBytes);
  const fill = () => {
    const file = Bun.file(log).writer({ highWaterMark: 1 << 20 });
    for (let i = 0; i < count; i++) {
      const time = new Date(nowMs - 30 * DAY_MS + (30 * DAY_MS * i) / count).toISOString().slice(0, -1);
      file.write(`{"time":"${time}000000Z",${lines[i % lines.length]}\n`);
    }
    file.end();
  };
  const run = (...args: string[]) => ({ argv: [program, ...args], env });
  writeFileSync(log, "");
  timeCommand({ ...run("init"), runs: 1 });
  fill();
  const hour = timeCommand({ ...run("query", "_global", "-t", ">1h"), runs: SHORT_RUNS });
  const dump = timeCommand({ ...run("query", "_global"), runs: 1 });
  const memory = { dumpRssKb: peakRssKb(run("query", "_global")), idleRssKb: idleRssKb(program, env) };
  const clean = timeCommand({
    ...run("clean", "_global", "-s", `>=${Math.floor(statSync(log).size / 2e6)}MB`),
    runs: 1,
  });
  return { hourMs: hour.medianMs, dumpMs: dump.medianMs, cleanMs: clean.medianMs, ...memory };
}

function answer(managedMs: number, mine: Figures, rust: Figures | null): Answer {
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  const row = (what: string, of: (one: Figures) => number, show: (value: number) => string) => [
    what,
    show(of(mine)),
    rust === null ? "–" : show(of(rust)),
    rust === null ? "–" : `${(of(rust) / of(mine)).toFixed(1)}×`,
  ];
  const gbPerSecond = BYTES / mine.dumpMs / 1e6;
  const rows = [
    ["`fsmon managed`", ms(managedMs), "–", "–"],
    row("the last hour", (one) => one.hourMs, ms),
    row("a dump to /dev/null", (one) => one.dumpMs, ms),
    row(
      "its memory beyond the runtime's own",
      (one) => one.dumpRssKb - one.idleRssKb,
      (kb) => `${kb >> 10} MB`,
    ),
    row("clean of half", (one) => one.cleanMs, ms),
  ];
  const goals: Goal[] = [
    atMost("`fsmon managed`, start to end", 15, managedMs, "ms"),
    atMost("query of the last hour, 1 GB", 20, mine.hourMs, "ms"),
    atLeast("dump of 1 GB", 1, gbPerSecond, "GB/s", 2),
    atMost("its memory beyond the runtime's own", 40, (mine.dumpRssKb - mine.idleRssKb) / 1024, "MB"),
    atMost("clean of half of 1 GB", 100, mine.cleanMs, "ms"),
  ];
  if (rust !== null) {
    const times = (what: string, least: number, of: (one: Figures) => number) =>
      goals.push(atLeast(`${what}, against the Rust fsmon`, least, of(rust) / of(mine), "times as fast"));
    times("query of the last hour", 2.5, (one) => one.hourMs);
    times("dump", 15, (one) => one.dumpMs);
    times("clean of half", 80, (one) => one.cleanMs);
  }
  return { text: table(["1 GB of log", "fsmon", "fsmon (Rust)", "ratio"], rows), goals };
}
