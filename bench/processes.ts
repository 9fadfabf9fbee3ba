// What processes cost the daemon that touch no watched file: processor time and wake-ups of all its threads while thousands of short
// programs run elsewhere, and what it costs them. Each way to identify processes, in turns.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { TestDaemon } from "../test/support/daemon.ts";
import { TestFilesystem } from "../test/support/filesystem.ts";
import { Workload } from "../test/support/workload.ts";
import { atMost, type Section } from "./section.ts";
import { median, spread, table } from "./table.ts";
import { cpuUs, wakeups } from "./usage.ts";

const PROCESSES = 20_000;
const LAUNCHERS = 2;
const WAYS = ["auto", "perf", "connector", "proc"] as const;

interface Ride {
  usPerProcess: number;
  wakeups: number;
  /** Of the programs themselves, from start to end. */
  workloadUs: number;
}

export const processes: Section = {
  name: "processes",
  title: "Processes that touch nothing watched",
  run: async (rounds) => {
    const filesystem = TestFilesystem.mount("tmpfs");
    const herd = new Workload("herd");
    const bare: number[] = [];
    const rides = new Map<string, Ride[]>();
    try {
      const watched = join(filesystem.path, "watched");
      mkdirSync(watched);
      for (let round = 0; round < Math.min(rounds, 3); round++) {
        bare.push(await herdUs(herd));
        for (const way of WAYS) {
          const { ride, words } = await rideWith(way, watched, herd);
          rides.set(words, [...(rides.get(words) ?? []), ride]);
        }
      }
    } finally {
      herd.remove();
      filesystem.unmount();
    }
    const rows = [...rides].map(([words, all]) => [
      words,
      spread(all.map((one) => one.usPerProcess)),
      spread(
        all.map((one) => one.wakeups),
        0,
      ),
      spread(
        all.map((one) => one.workloadUs),
        0,
      ),
    ]);
    rows.push(["no daemon", "–", "–", spread(bare, 0)]);
    const [best] = [...rides.values()];
    const head = [
      "processes by",
      "µs CPU a process",
      `wake-ups for ${PROCESSES}`,
      "a program, start to end, µs",
    ];
    return {
      text: table(head, rows),
      goals: [
        atMost(
          "processes that touch nothing watched",
          5,
          median(best!.map((one) => one.usPerProcess)),
          "µs each",
        ),
      ],
    };
  },
};

async function rideWith(
  way: string,
  watched: string,
  herd: Workload,
): Promise<{ ride: Ride; words: string }> {
  const daemon = new TestDaemon();
  try {
    await daemon.start(way === "auto" ? [] : ["--identify", way]);
    await daemon.add(watched, "-r");
    // The engine compiles meanwhile.
    await herdUs(herd);
    await daemon.settle(watched);
    const before = { cpu: cpuUs([daemon.pid]), wakeups: wakeups(daemon.pid) };
    const workloadUs = await herdUs(herd);
    // What still waits in the rings is part of the cost.
    await daemon.settle(watched);
    const ride = {
      usPerProcess: (cpuUs([daemon.pid]) - before.cpu) / PROCESSES,
      wakeups: wakeups(daemon.pid) - before.wakeups,
      workloadUs,
    };
    const words = /processes by (.*?);/.exec(daemon.stderr)?.[1] ?? way;
    return { ride, words };
  } finally {
    await daemon.destroy();
  }
}

async function herdUs(herd: Workload): Promise<number> {
  const startMs = performance.now();
  await herd.start("exec", LAUNCHERS, PROCESSES / LAUNCHERS);
  return ((performance.now() - startMs) * 1000) / PROCESSES;
}
