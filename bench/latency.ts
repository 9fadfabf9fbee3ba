// From an event to its readable line: a file is made, and the log is looked at five times a millisecond until it names the file. In silence, and in
// the middle of a storm.
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Workload } from "../test/support/workload.ts";
import { liveLog, type OurRunning, withOurs } from "./ours.ts";
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
    const workload = new Workload("storm");
    try {
      const { idle, inStorm } = await withOurs(async (ours, root) => {
        mkdirSync(join(root, "probes"));
        mkdirSync(join(root, "storm"));
        const idle = await probe(ours, root, IDLE_PROBES, IDLE_PAUSE_MS);
        let stormy = true;
        const storm = workload.start("files", join(root, "storm"), 1, 900_000).finally(() => {
          stormy = false;
        });
        const inStorm = await probe(ours, root, STORM_PROBES, 5, () => stormy);
        await storm;
        return { idle, inStorm };
      });
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
      workload.remove();
    }
  },
};

async function probe(
  ours: OurRunning,
  root: string,
  count: number,
  pauseMs: number,
  goesOn: () => boolean = () => true,
): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count && goesOn(); i++) {
    await Bun.sleep(pauseMs);
    const log = new Follower(liveLog(ours, root));
    const name = `probe-${pauseMs}-${i}.`;
    const startMs = performance.now();
    writeFileSync(join(root, "probes", name), "");
    while (!log.hasNow(name)) {
      if (performance.now() - startMs > GIVE_UP_MS) throw new Error(`${name} is in no log`);
      // Never spinning: the storm and the daemon have the processors to themselves.
      Atomics.wait(NOBODY_WAKES, 0, 0, LOOK_MS);
    }
    times.push(performance.now() - startMs);
    log.close();
  }
  return times;
}

/** What is written to a log from now on, also where it is sealed in between. */
class Follower {
  private readonly chunk = Buffer.allocUnsafe(1 << 20);
  private fd: number;
  private at: number;
  private rest = "";

  constructor(private readonly path: string) {
    this.fd = this.open();
    this.at = fstatSync(this.fd).size;
  }

  /** Whether what came since the last look holds this text. */
  hasNow(text: string): boolean {
    for (;;) {
      const named = statSync(this.path, { throwIfNoEntry: false });
      const got = readSync(this.fd, this.chunk, 0, this.chunk.length, this.at);
      if (got === 0) {
        if (named === undefined || named.ino === fstatSync(this.fd).ino) return false;
        this.close();
        this.fd = this.open();
        this.at = 0;
        continue;
      }
      this.at += got;
      const seen = this.rest + this.chunk.toString("latin1", 0, got);
      if (seen.includes(text)) return true;
      this.rest = seen.slice(-text.length);
    }
  }

  /** Between a sealed segment and the next there is none for a moment. */
  private open(): number {
    while (!existsSync(this.path)) Atomics.wait(NOBODY_WAKES, 0, 0, LOOK_MS);
    return openSync(this.path, "r");
  }

  close(): void {
    closeSync(this.fd);
  }
}
