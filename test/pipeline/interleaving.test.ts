// Directories and files made, renamed, exchanged and removed, into the managed tree and out of it, at each moment of the pipeline's work: while a tree is scanned, while a
// directory is looked for on the disk, and with batches that end anywhere. Each line must be there once, under the path that it had. FSMON_SEED=<number> begins at that seed,
// FSMON_ROUNDS=<number> does so many times as much.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { captureObstacle, type FilesystemKind, TestFilesystem } from "../support/filesystem.ts";
import { Dice, Ground } from "../support/ground.ts";
import { Hands } from "../support/hands.ts";
import { Watcher } from "../support/watcher.ts";
import { Workload } from "../support/workload.ts";

const SEED = Number(process.env.FSMON_SEED ?? 1);
const SEEDS = 25 * Number(process.env.FSMON_ROUNDS ?? 1);
/** Operations before the path is added, and after. */
const BEFORE = 150;
const AFTER = 100;

describe.skipIf(captureObstacle !== null)(
  `work at each moment (needs root and mounts; FSMON_SEED=${SEED})`,
  () => {
    let workload: Workload;
    let watcher: Watcher;
    beforeAll(() => {
      workload = new Workload("hands");
      watcher = new Watcher(100_000);
    });
    afterAll(() => {
      watcher?.close();
      workload?.remove();
    });

    /** What the log of one seed's work has too much or too little. */
    async function differences(kind: FilesystemKind, seed: number): Promise<string[]> {
      const filesystem = TestFilesystem.mount(kind);
      const top = filesystem.path;
      for (const one of ["m", "o"]) mkdirSync(join(top, one));
      const hands = new Hands(workload.program, top);
      const dice = new Dice(seed);
      const ground = new Ground(dice);
      let left = AFTER;
      const act = (count: number) => {
        const now = Math.min(left, count);
        left -= now;
        hands.do(ground.draw(now));
      };
      try {
        hands.do(ground.draw(BEFORE));
        watcher.add(join(top, "m"));
        ground.watch();
        const [oneIn, atOnce] = [2 + dice.below(20), 1 + dice.below(12)];
        const batches = dice.of(["large", "small", "tiny"]);
        watcher.at = () => {
          if (left > 0 && dice.below(oneIn) === 0) act(1 + dice.below(atOnce));
        };
        watcher.readBytes = () =>
          batches === "large" ? Number.POSITIVE_INFINITY : batches === "small" ? 1000 + dice.below(3000) : 0;
        while (left > 0) {
          if (dice.below(3) === 0) act(1 + dice.below(30));
          watcher.turn();
        }
        watcher.finish();
        return ground.differences(watcher.lines, top);
      } finally {
        watcher.at = () => {};
        watcher.remove();
        await hands.end();
        filesystem.unmount();
      }
    }

    for (const kind of ["tmpfs", "ext4"] as const) {
      test(`${SEEDS} times on ${kind}`, async () => {
        const found: Record<string, string[]> = {};
        for (let seed = SEED; seed < SEED + SEEDS; seed++) {
          const list = await differences(kind, seed);
          if (list.length > 0) found[`FSMON_SEED=${seed}`] = list.slice(0, 8);
        }
        expect(found).toEqual({});
      });
    }
  },
);
