// Runs a command many times and says how long it took from start to end; or once, and says how much memory it held at most.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Timing {
  medianMs: number;
  minMs: number;
}

export interface Command {
  argv: readonly string[];
  env: Record<string, string>;
  /** A file, or nothing for /dev/null. */
  stdout?: string;
  before?: () => void;
}

/** @throws when a run fails */
export function timeCommand(command: Command & { runs: number }): Timing {
  const times = Array.from({ length: command.runs }, () => runOnce(command)).sort((a, b) => a - b);
  return { medianMs: times[Math.floor(times.length / 2)]!, minMs: times[0]! };
}

/**
 * The most memory that the command held, in a run of its own. The kernel counts a parent's memory into its child's maximum (exec keeps
 * ru_maxrss), so a small program stands between, which takes a millisecond itself.
 *
 * @returns 0 where GNU time is missing
 */
export function peakRssKb(command: Command): number {
  const program = "/usr/bin/time";
  if (!existsSync(program)) return 0;
  const out = join(tmpdir(), `fsmon-bench-${process.pid}`);
  try {
    runOnce({ ...command, argv: [program, "-f", "%M", "-o", out, ...command.argv] });
    return Number(readFileSync(out, "latin1"));
  } finally {
    rmSync(out, { force: true });
  }
}

function runOnce({ argv, env, stdout = "/dev/null", before }: Command): number {
  before?.();
  const startMs = performance.now();
  const done = Bun.spawnSync([...argv], { env, stdin: "ignore", stdout: Bun.file(stdout), stderr: "pipe" });
  const tookMs = performance.now() - startMs;
  if (done.exitCode !== 0) throw new Error(`${argv.join(" ")} failed (${done.exitCode}): ${done.stderr}`);
  return tookMs;
}

/** How busy the machine is: figures of a loaded one say little. */
export const load = () => readFileSync("/proc/loadavg", "latin1").split(" ")[0];
