// Directories and files made, renamed, exchanged and removed, into the managed tree and out of it, at each moment of the pipeline's work: while a tree is scanned, or
// compared with the disk after a loss, while a directory is looked for on the disk, and with batches that end anywhere. FSMON_SEED=<number> begins at that seed,
// FSMON_ROUNDS=<number> does so many times as much.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { captureObstacle, type FilesystemKind, TestFilesystem } from "../support/filesystem.ts";
import { Dice, Ground } from "../support/ground.ts";
import { Hands } from "../support/hands.ts";
import { TreeModel } from "../support/replay.ts";
import { Watcher } from "../support/watcher.ts";
import { Workload } from "../support/workload.ts";

const SEED = Number(process.env.FSMON_SEED ?? 1);
const ROUNDS = Number(process.env.FSMON_ROUNDS ?? 1);
/** Operations before the path is added, those of which no event is left, and those that come between. */
const BEFORE = 150;
const LOST = 30;
const BETWEEN = 100;

/** What the kernel holds: far more than one seed's work of a turn, and soon filled on purpose. */
const QUEUE_EVENTS = 1500;
/** More than that. A file that is made and removed counts twice. */
const FLOOD = Array.from({ length: QUEUE_EVENTS }, () => ["f o/flood", "u o/flood"]).flat();
/** Times of files tick in steps of up to 10 ms. */
const TICK_MS = 15;

describe.skipIf(captureObstacle !== null)(
  `work at each moment (needs root and mounts; FSMON_SEED=${SEED})`,
  () => {
    let workload: Workload;
    let watcher: Watcher;
    beforeAll(() => {
      workload = new Workload("hands");
      watcher = new Watcher(QUEUE_EVENTS);
    });
    afterAll(() => {
      watcher?.close();
      workload?.remove();
    });

    /** What the logs of some seeds' work have too much or too little. */
    async function differences(
      kind: FilesystemKind,
      seeds: number,
      work: (top: string, hands: Hands, dice: Dice) => Promise<string[]>,
    ): Promise<Record<string, string[]>> {
      const found: Record<string, string[]> = {};
      for (let seed = SEED; seed < SEED + seeds * ROUNDS; seed++) {
        const filesystem = TestFilesystem.mount(kind);
        for (const one of ["m", "o"]) mkdirSync(join(filesystem.path, one));
        const hands = new Hands(workload.program, filesystem.path);
        try {
          const list = await work(filesystem.path, hands, new Dice(seed));
          if (list.length > 0) found[`FSMON_SEED=${seed}`] = list.slice(0, 8);
        } finally {
          watcher.at = () => {};
          watcher.readBytes = () => Number.POSITIVE_INFINITY;
          watcher.scanMs = () => 0;
          watcher.remove();
          await hands.end();
          filesystem.unmount();
        }
      }
      return found;
    }

    /** Works at random moments of as many turns as it takes. */
    function interleave(ground: Ground, hands: Hands, dice: Dice): void {
      const [oneIn, atOnce] = [2 + dice.below(20), 1 + dice.below(12)];
      const batches = dice.of(["large", "small", "tiny"]);
      const scans = dice.of(["quick", "slow", "very slow"]);
      let left = BETWEEN;
      const act = (count: number) => {
        const now = Math.min(left, count);
        left -= now;
        hands.do(ground.draw(now));
      };
      watcher.at = () => {
        if (left > 0 && dice.below(oneIn) === 0) act(1 + dice.below(atOnce));
      };
      watcher.readBytes = () =>
        batches === "large" ? Number.POSITIVE_INFINITY : batches === "small" ? 1000 + dice.below(3000) : 0;
      watcher.scanMs = () => (scans === "quick" ? 0 : scans === "slow" ? dice.below(3) : 10);
      for (watcher.turn(); left > 0; watcher.turn()) if (dice.below(3) === 0) act(1 + dice.below(30));
      watcher.finish();
    }

    for (const kind of ["tmpfs", "ext4"] as const) {
      test(`each line once, under its path, on ${kind}`, async () => {
        const found = await differences(kind, 25, async (top, hands, dice) => {
          const ground = new Ground(dice);
          hands.do(ground.draw(BEFORE));
          watcher.add(join(top, "m"));
          ground.watch();
          interleave(ground, hands, dice);
          return ground.differences(watcher.lines, top);
        });
        expect(found).toEqual({});
      });
    }

    test("after a loss: what was lost is told as found, what is queued by its event, and the log gives the tree", async () => {
      const found = await differences("tmpfs", 25, async (top, hands, dice) => {
        const ground = new Ground(dice, true);
        hands.do(ground.draw(BEFORE));
        Bun.sleepSync(TICK_MS);
        watcher.add(join(top, "m"));
        watcher.finish();
        const before = TreeModel.of(top);
        hands.do(FLOOD);
        hands.do(ground.draw(LOST));
        Bun.sleepSync(TICK_MS);
        // The loss is noticed, and the first directory compared.
        watcher.scanMs = () => 10;
        watcher.turn();
        Bun.sleepSync(TICK_MS);
        interleave(ground, hands, dice);
        const gaps = watcher.lines.filter((line) => line.event_type === "GAP").map((line) => line.reason);
        expect(gaps).toEqual(["queue_overflow"]);
        const replayed = before.replay(watcher.lines.filter((line) => line.dir === true));
        return [...replayed.oddities, ...replayed.differences()];
      });
      expect(found).toEqual({});
    });
  },
);
