// How fast `fsmon query` is on a gigabyte of real lines: from the process's start to its end, medians, with what the runtime alone
// costs beside them. Needs root (the lines come from a storm) and 2 GB below TMPDIR. Not part of the tests.
//
//   bun bench/query.ts [MEGABYTES]      1000 unless said otherwise; FSMON_BINARY names another binary
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BINARY } from "../test/support/daemon.ts";
import { recordStorm, writeLog } from "./real-lines.ts";
import { type Command, load, peakRssKb, timeCommand } from "./timing.ts";

const sizeBytes = Number(process.argv[2] ?? 1000) * 1e6;
const DAY_MS = 86_400_000;
const SEGMENT_BYTES = 64 * 1024 * 1024;
const home = mkdtempSync(join(tmpdir(), "fsmon-bench-"));
const env = { HOME: home, PATH: process.env.PATH ?? "/usr/bin:/bin", TMPDIR: tmpdir() };
const logs = join(home, "logs");

function say(what: string, figure: string): void {
  console.log(`| ${what} | ${figure} |`);
}

const ms = (value: number) => `${value.toFixed(1)} ms`;
const rate = (bytes: number, millis: number) => `${(bytes / millis / 1e6).toFixed(2)} GB/s`;
const sizeOf = (dir: string) =>
  readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);

function query(...args: string[]) {
  return { argv: [BINARY, "query", ...args], env };
}

/** @param changed a file, one of those that the log's lines tell of */
function measureQueries(managedPath: string, changed: string): void {
  const idle = { argv: [BINARY, "--version"], env };
  const idleKb = peakRssKb(idle);
  const beyond = (command: Command) => `${(peakRssKb(command) - idleKb) >> 10} MB beyond the runtime`;
  say(
    "the runtime alone (`--version`)",
    `${ms(timeCommand({ ...idle, runs: 31 }).medianMs)}, ${idleKb >> 10} MB`,
  );
  const hour = timeCommand({ ...query("--log-dir", logs, "--since", "1h"), runs: 31 });
  say("last hour", `${ms(hour.medianMs)} (best ${ms(hour.minMs)})`);
  const bytes = sizeOf(logs);
  const nowhere = timeCommand({ ...query("--log-dir", logs), runs: 7 });
  say("dump to /dev/null", `${rate(bytes, nowhere.medianMs)}, ${beyond(query("--log-dir", logs))}`);
  const out = join(home, "out");
  const file = timeCommand({
    ...query("--log-dir", logs),
    runs: 5,
    stdout: out,
    before: () => rmSync(out, { force: true }),
  });
  say("dump to a file", rate(bytes, file.medianMs));
  rmSync(out);
  const script = (line: string) => ({ argv: ["sh", "-c", line, BINARY, logs], env });
  const pipe = timeCommand({ ...script('"$0" query --log-dir "$1" | cat >/dev/null'), runs: 5 });
  const cat = timeCommand({ ...script('cat "$1"/*_log.jsonl | cat >/dev/null'), runs: 5 });
  say("dump into a pipe", `${rate(bytes, pipe.medianMs)} (\`cat\`: ${rate(bytes, cat.medianMs)})`);
  const head = timeCommand({ ...script('"$0" query --log-dir "$1" | head -1 >/dev/null'), runs: 15 });
  say("`query \\| head -1`", ms(head.medianMs));
  const searches = [
    ["`who`, the five newest changes of a file", "who", "-n", "5", changed],
    ["`who` of a file that no line tells of", "who", join(managedPath, "never")],
    ["`query --path` of a file", "query", "--path", changed],
  ] as const;
  for (const [what, ...words] of searches)
    say(what, ms(timeCommand({ argv: [BINARY, ...words, "--log-dir", logs], env, runs: 7 }).medianMs));
  const names = readdirSync(logs).sort().slice(0, 5);
  const some = names.flatMap((name) => ["--file", join(logs, name)]);
  const someBytes = names.reduce((sum, name) => sum + statSync(join(logs, name)).size, 0);
  const files = timeCommand({ ...query(...some), runs: 5 });
  say("`--file`, five segments", `${rate(someBytes, files.medianMs)}, ${beyond(query(...some))}`);
}

function measureMerge(rests: readonly string[]): void {
  const nowMs = Date.now();
  for (const [count, bytes] of [
    [1, sizeBytes / 5],
    [10, sizeBytes / 5],
    [100, sizeBytes / 20],
    [100, sizeBytes / 10],
    [100, sizeBytes / 5],
    [100, sizeBytes / 2.5],
  ] as const) {
    const logDir = join(home, `merge-${count}`);
    for (let i = 0; i < count; i++)
      writeLog(rests, {
        logDir,
        managedPath: `/merge/${i}`,
        sizeBytes: bytes / count,
        segmentBytes: SEGMENT_BYTES,
        fromMs: nowMs - DAY_MS + i,
        toMs: nowMs,
      });
    const merge = query("--log-dir", logDir);
    const { medianMs } = timeCommand({ ...merge, runs: 5 });
    say(
      `merge of ${count} logs, ${Math.round(bytes / 1e6)} MB in all`,
      `${ms(medianMs)}, ${rate(sizeOf(logDir), medianMs)}, ${peakRssKb(merge) >> 10} MB in all`,
    );
    rmSync(logDir, { recursive: true });
  }
}

try {
  console.log(`Load ${load()} at the beginning\n\n| what | figure |\n|---|---|`);
  const rests = await recordStorm();
  const line = JSON.parse(`{"time":"${rests.at(-1)}`) as { path: string; monitored_path: string };
  const plan = {
    managedPath: line.monitored_path,
    sizeBytes,
    fromMs: Date.now() - 30 * DAY_MS,
    toMs: Date.now(),
  };
  writeLog(rests, { ...plan, logDir: logs, segmentBytes: SEGMENT_BYTES });
  measureQueries(plan.managedPath, line.path);
  measureMerge(rests);
  console.log(`\nLoad ${load()} at the end`);
} finally {
  rmSync(home, { recursive: true, force: true });
}
