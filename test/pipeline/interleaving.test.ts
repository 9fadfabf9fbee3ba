// Directories and files made, renamed, exchanged and removed, into the managed tree and out of it, at each moment of the pipeline's work: while a tree is scanned, or
// compared with the disk after a loss, while a directory is looked for on the disk, and with batches that end anywhere. FSMON_SEED=<number> begins at that seed,
// FSMON_ROUNDS=<number> does so many times as much.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { captureObstacle, type FilesystemKind, TestFilesystem } from "../support/filesystem.ts";
import { Dice, Ground } from "../support/ground.ts";
import { Hands } from "../support/hands.ts";
import { Mounts } from "../support/mounts.ts";
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
/** Far less than the daemon's: the room that a read wants (EVENT_MAX_BYTES), and a little. */
const BATCH_BYTES = 5000;

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

    test("after a loss where each directory is marked: what moved leaves its old place", async () => {
      const found = await differences("tmpfs", 10, async (_top, _hands, dice) => {
        const mounts = new Mounts();
        const top = mounts.overlay("ovl").merged;
        mkdirSync(join(top, "m"));
        const hands = new Hands(workload.program, top);
        try {
          const ground = new Ground(dice, true);
          hands.do(ground.draw(BEFORE));
          Bun.sleepSync(TICK_MS);
          watcher.add(join(top, "m"));
          watcher.finish();
          const before = TreeModel.of(top);
          hands.do(FLOOD.map((operation) => operation.replace("o/", "m/")));
          hands.do(ground.draw(LOST));
          Bun.sleepSync(TICK_MS);
          watcher.finish();
          const gaps = watcher.lines.filter((line) => line.event_type === "GAP").map((line) => line.reason);
          expect(gaps).toEqual(["queue_overflow"]);
          const replayed = before.replay(watcher.lines.filter((line) => line.dir === true));
          return [...replayed.oddities, ...replayed.differences()];
        } finally {
          watcher.remove();
          await hands.end();
          mounts.destroy();
        }
      });
      expect(found).toEqual({});
    });

    /** The last one: batches stay small. */
    test.each(["tmpfs", "ext4"] as const)(
      "deaths right behind renames, with batches that end between the events of one system call, on %s",
      async (kind) => {
        const filesystem = TestFilesystem.mount(kind);
        for (const one of ["a", "b"]) mkdirSync(join(filesystem.path, one));
        const hands = new Hands(workload.program, filesystem.path);
        try {
          // Names of all lengths, or each batch would end where the last one did.
          const times = Array.from({ length: 400 }, (_, i) => `${i}${"-".repeat(i % 37)}`);
          // Their CREATE is told, so that their DELETE is an event of its own.
          hands.do(times.map((i) => `f b/gone${i}`));
          watcher.fullAt(BATCH_BYTES);
          watcher.add(filesystem.path);
          for (let from = 0; from < times.length; from += 50) {
            const work = times.slice(from, from + 50).flatMap((i) => [
              ...[`f a/old${i}`, `m a/old${i} b/new${i}`, `u b/new${i}`],
              // One that is overwritten, and one that is removed right behind the renaming of another.
              ...[`f a/over${i}`, `f a/by${i}`, `m a/by${i} a/over${i}`, `m a/over${i} a/end${i}`],
              ...[`u b/gone${i}`, `u a/end${i}`],
            ]);
            hands.do(work);
            watcher.turn();
          }
          watcher.finish();
          const told = new Map<string, number>();
          for (const { event_type, path } of watcher.lines)
            if (event_type === "DELETE_SELF") told.set(path, (told.get(path) ?? 0) + 1);
          const ends = ["b/new", "a/over", "b/gone", "a/end"];
          const ended = times.flatMap((i) => ends.map((end) => join(filesystem.path, `${end}${i}`)));
          const wrong = ended.filter((path) => told.get(path) !== 1);
          expect({ deaths: told.size, wrong }).toEqual({ deaths: ended.length, wrong: [] });
        } finally {
          watcher.remove();
          await hands.end();
          filesystem.unmount();
        }
      },
    );
  },
);
