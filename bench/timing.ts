// Runs a command many times and says how long it took from start to end, and how much memory it held at most.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Timing {
  medianMs: number;
  minMs: number;
  maxRssKb: number;
}

export interface Command {
  argv: readonly string[];
  env: Record<string, string>;
  runs: number;
  /** A file, or nothing for /dev/null. */
  stdout?: string;
  before?: () => void;
}

/** The kernel counts a parent's memory into its child's maximum (exec keeps ru_maxrss), so a small program stands between. */
const GNU_TIME = "/usr/bin/time";

/** @throws when a run fails */
export function timeCommand({ argv, env, runs, stdout = "/dev/null", before }: Command): Timing {
  const times: number[] = [];
  const memory = join(tmpdir(), `fsmon-bench-${process.pid}`);
  const wrapper = existsSync(GNU_TIME) ? [GNU_TIME, "-f", "%M", "-o", memory] : [];
  let maxRssKb = 0;
  for (let i = 0; i < runs; i++) {
    before?.();
    const startMs = performance.now();
    const done = Bun.spawnSync([...wrapper, ...argv], {
      env,
      stdin: "ignore",
      stdout: Bun.file(stdout),
      stderr: "pipe",
    });
    times.push(performance.now() - startMs);
    if (done.exitCode !== 0) throw new Error(`${argv.join(" ")} failed (${done.exitCode}): ${done.stderr}`);
    if (wrapper.length > 0) maxRssKb = Math.max(maxRssKb, Number(readFileSync(memory, "latin1")));
  }
  rmSync(memory, { force: true });
  times.sort((a, b) => a - b);
  return { medianMs: times[Math.floor(runs / 2)]!, minMs: times[0]!, maxRssKb };
}

/** How busy the machine is: figures of a loaded one say little. */
export const load = () => readFileSync("/proc/loadavg", "latin1").split(" ")[0];
