// What processes cost the daemon that touch no watched file: CPU time and wake-ups of all its threads while thousands of
// short programs run elsewhere, and what it costs them. Needs root. Not part of the tests.
//
//   bun bench/processes.ts [PROCESSES] [--identify WAY]…      20000 by default; each way after the other
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { TestDaemon } from "../test/support/daemon.ts";
import { TestFilesystem } from "../test/support/filesystem.ts";
import { Workload } from "../test/support/workload.ts";
import { load } from "./timing.ts";

const processes = Number(process.argv[2] ?? 20000);
const LAUNCHERS = 2;
const ROUNDS = 3;

/** Nanoseconds on a CPU, and how often it went to sleep and was woken again, of all threads of a process. */
function spent(pid: number): { cpuNs: number; wakeUps: number } {
  let cpuNs = 0;
  let wakeUps = 0;
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    const task = `/proc/${pid}/task/${tid}`;
    cpuNs += Number(readFileSync(`${task}/schedstat`, "latin1").split(" ")[0]);
    wakeUps += Number(
      /^voluntary_ctxt_switches:\t(\d+)/m.exec(readFileSync(`${task}/status`, "latin1"))?.[1],
    );
  }
  return { cpuNs, wakeUps };
}

const filesystem = TestFilesystem.mount("tmpfs");
const herd = new Workload("herd");
console.log(`${processes} processes a round, load ${load()}`);
console.log("| way | daemon, µs a process | wake-ups | workload, µs a process | without a daemon |");
try {
  const daemon = new TestDaemon();
  const watched = join(filesystem.path, "watched");
  mkdirSync(watched);
  const bare: number[] = [];
  const timed = () => {
    const startMs = performance.now();
    herd.run("exec", LAUNCHERS, processes / LAUNCHERS);
    return ((performance.now() - startMs) * 1000) / processes;
  };
  for (let round = 0; round < ROUNDS; round++) bare.push(timed());
  await daemon.start(process.argv.slice(3));
  await daemon.add(watched, "-r");
  await daemon.settle(watched);
  // The first round warms the JIT up.
  timed();
  const rounds: { cpu: number; wakeUps: number; workload: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = spent(daemon.pid);
    const workload = timed();
    // What still waits in the rings is part of the cost.
    await daemon.settle(watched);
    const after = spent(daemon.pid);
    rounds.push({
      cpu: (after.cpuNs - before.cpuNs) / 1000 / processes,
      wakeUps: after.wakeUps - before.wakeUps,
      workload,
    });
  }
  const middle = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
  const way = /processes by (.*?);/.exec(daemon.stderr)?.[1] ?? "?";
  console.log(
    `| ${way} | ${middle(rounds.map((one) => one.cpu)).toFixed(2)} | ${middle(rounds.map((one) => one.wakeUps))} | ` +
      `${middle(rounds.map((one) => one.workload)).toFixed(0)} | ${middle(bare).toFixed(0)} |`,
  );
  await daemon.destroy();
} finally {
  herd.remove();
  filesystem.unmount();
}
