// What the daemon holds: at rest, after a million events, at the highest in their storm, and how often it wakes up at rest.
import { Workload } from "../test/support/workload.ts";
import { withOurs } from "./ours.ts";
import { atMost, type Section } from "./section.ts";
import { mb, median, spread, table } from "./table.ts";
import { memory, wakeups, watchPeak } from "./usage.ts";

/** By then the daemon has given back what only its start needed (src/daemon/memory.ts). */
const REST_MS = 15_000;
const LOOK_MS = 10_000;
const FILES = 200_000;

export const resident: Section = {
  name: "memory",
  title: "Memory and wake-ups",
  run: async (rounds) => {
    const looks: Look[] = [];
    const workload = new Workload("storm");
    try {
      for (let round = 0; round < Math.min(rounds, 3); round++) looks.push(await look(workload));
    } finally {
      workload.remove();
    }
    const row = (name: string, of: (one: Look) => number) => [
      name,
      spread(looks.map((one) => of(one) / 1024)),
    ];
    const middle = (of: (one: Look) => number) => median(looks.map(of));
    return {
      text: table(
        ["", "MB"],
        [
          row("anonymous, at rest", (one) => one.restAnonymousKb),
          row("resident, at rest", (one) => one.restKb),
          row("anonymous, at the highest in a storm of a million lines", (one) => one.peakKb),
          row("anonymous, at rest after it", (one) => one.afterKb),
        ],
      ).concat(`\n\nAt rest it wakes up ${spread(looks.map((one) => one.wakeups))} times a second.`),
      goals: [
        atMost("anonymous memory, idle", 5, Number(mb(middle((one) => one.restAnonymousKb))), "MB"),
        atMost("anonymous memory after a million events", 6, Number(mb(middle((one) => one.afterKb))), "MB"),
        atMost("anonymous memory, peak in the storm", 16, Number(mb(middle((one) => one.peakKb))), "MB"),
        atMost("resident memory, idle", 18, Number(mb(middle((one) => one.restKb))), "MB"),
        atMost(
          "idle wake-ups",
          2,
          middle((one) => one.wakeups),
          "a second",
        ),
      ],
    };
  },
};

interface Look {
  restKb: number;
  restAnonymousKb: number;
  wakeups: number;
  peakKb: number;
  afterKb: number;
}

async function look(workload: Workload): Promise<Look> {
  return withOurs(async (ours, root) => {
    const [pid] = ours.pids;
    await Bun.sleep(REST_MS);
    const before = wakeups(pid!);
    await Bun.sleep(LOOK_MS);
    const rest = memory(pid!);
    const perSecond = (wakeups(pid!) - before) / (LOOK_MS / 1000);
    const peak = watchPeak(ours.pids);
    await workload.start("files", root, 1, FILES);
    await ours.drained();
    const peakKb = peak();
    await Bun.sleep(REST_MS);
    return {
      restKb: rest.rssKb,
      restAnonymousKb: rest.anonymousKb,
      wakeups: perSecond,
      peakKb,
      afterKb: memory(pid!).anonymousKb,
    };
  });
}
