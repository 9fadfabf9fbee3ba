// From an event to its readable line: a file is made, and the log is looked at five times a millisecond until it names the file. In silence, and in
// the middle of a storm.
import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestFilesystem } from "../test/support/filesystem.ts";
import { Workload } from "../test/support/workload.ts";
import { type OurRunning, startOurs } from "./ours.ts";
import { atMost, type Section } from "./section.ts";
import { percentile, table } from "./table.ts";

const IDLE_PROBES = 200;
const IDLE_PAUSE_MS = 30;
const STORM_PROBES = 300;
const GIVE_UP_MS = 5000;
/** How often the log is looked at. */
const LOOK_MS = 0.2;
const NOBODY_WAKES = new Int32Array(new SharedArrayBuffer(4));

export const latency: Section = {
  name: "latency",
  title: "From the event to a readable line",
  run: async () => {
    const filesystem = TestFilesystem.mount("tmpfs");
    const workload = new Workload("storm");
    try {
      const root = join(filesystem.path, "root");
      mkdirSync(join(root, "probes"), { recursive: true });
      const ours = await startOurs([root]);
      try {
        const idle = await probe(ours, root, IDLE_PROBES, IDLE_PAUSE_MS);
        mkdirSync(join(root, "storm"));
        let stormy = true;
        const storm = workload.start("files", join(root, "storm"), 1, 900_000).finally(() => {
          stormy = false;
        });
        const inStorm = await probe(ours, root, STORM_PROBES, 5, () => stormy);
        await storm;
        const row = (name: string, ms: readonly number[]) => [
          name,
          String(ms.length),
          ...[0.5, 0.9, 0.99, 1].map((share) => percentile(ms, share).toFixed(2)),
        ];
        return {
          text: table(
            ["from event to line", "probes", "p50 ms", "p90 ms", "p99 ms", "slowest ms"],
            [row("in silence", idle), row("in a storm of one writer", inStorm)],
          ),
          goals: [
            atMost("event to line, idle, p50", 1, percentile(idle, 0.5), "ms", 2),
            atMost("event to line, idle, p99", 3, percentile(idle, 0.99), "ms", 2),
            atMost("event to line, in the storm, p99", 15, percentile(inStorm, 0.99), "ms"),
          ],
        };
      } finally {
        await ours.stop();
      }
    } finally {
      filesystem.unmount();
      workload.remove();
    }
  },
};

async function probe(
  { daemon }: OurRunning,
  root: string,
  count: number,
  pauseMs: number,
  goesOn: () => boolean = () => true,
): Promise<number[]> {
  const times: number[] = [];
  const chunk = Buffer.allocUnsafe(1 << 20);
  const live = readdirSync(daemon.logDir).find((name) => /^[0-9a-f]+_log\.jsonl$/.test(name))!;
  for (let i = 0; i < count && goesOn(); i++) {
    await Bun.sleep(pauseMs);
    const fd = openSync(join(daemon.logDir, live), "r");
    // Only what is written from now on.
    let at = fstatSync(fd).size;
    const name = `probe-${pauseMs}-${i}.`;
    const startMs = performance.now();
    writeFileSync(join(root, "probes", name), "");
    let rest = "";
    let found = false;
    while (!found && performance.now() - startMs < GIVE_UP_MS) {
      const got = readSync(fd, chunk, 0, chunk.length, at);
      at += got;
      if (got === 0) {
        // Never spinning: the storm and the daemon have the processors to themselves.
        Atomics.wait(NOBODY_WAKES, 0, 0, LOOK_MS);
        continue;
      }
      const text = rest + chunk.toString("latin1", 0, got);
      found = text.includes(name);
      rest = text.slice(-name.length);
    }
    const ms = performance.now() - startMs;
    closeSync(fd);
    // The live file was sealed in between: that probe says nothing.
    if (found) times.push(ms);
  }
  return times;
}
