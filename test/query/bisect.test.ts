import { expect, test } from "bun:test";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { firstLineAt } from "../../src/query/bisect.ts";
import { LogDir, numbered } from "../log/log-dir.ts";
import { Random, T0 } from "./random-logs.ts";

interface Placed {
  start: number;
  end: number;
  timeMs: number;
}

/** A sorted file of lines of very different lengths with things between them that have no time; where its lines are. */
function randomFile(random: Random): { text: string; lines: Placed[] } {
  let text = "";
  let timeMs = T0;
  const lines: Placed[] = [];
  const lengthMax = random.pick([0, 300, 40_000, 200_000]);
  for (let i = random.below(60); i > 0; i--) {
    if (random.chance(0.2))
      text += random.pick([
        "\n",
        "no json\n",
        "\0".repeat(random.below(50_000)),
        `${"x".repeat(random.below(60_000))}\n`,
      ]);
    timeMs += random.below(4);
    const start = text.length;
    const line = numbered(i, timeMs).slice(0, -1);
    text += `${line},"args":"${"y".repeat(random.below(lengthMax + 1))}"}\n`;
    lines.push({ start, end: text.length, timeMs });
  }
  return { text, lines };
}

test("firstLineAt() finds what reading every line finds, whatever the lengths of the lines", () => {
  using dir = new LogDir();
  const path = join(dir.path, "file");
  for (let seed = 0; seed < 150; seed++) {
    const random = new Random(seed);
    const { text, lines } = randomFile(random);
    writeFileSync(path, text);
    const fd = openSync(path, "r");
    for (let timeMs = T0 - 1; timeMs <= T0 + 130; timeMs += 3) {
      const wanted = lines.find((line) => line.timeMs >= timeMs) ?? null;
      const got = firstLineAt(fd, text.length, timeMs);
      // Zeros before a line belong to it, and a line may be found with them or without.
      if (got?.end !== wanted?.end || got?.timeMs !== wanted?.timeMs) {
        throw new Error(`seed ${seed}: ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`);
      }
    }
    closeSync(fd);
  }
});

test("firstLineAt() reads some dozens of blocks of a large file, not all of it", () => {
  using dir = new LogDir();
  const path = join(dir.path, "file");
  const lines = Array.from({ length: 100_000 }, (_, i) => `${numbered(i, T0 + i)}\n`);
  writeFileSync(path, lines.join(""));
  const fd = openSync(path, "r");
  const size = lines.reduce((sum, line) => sum + line.length, 0);
  const begin = performance.now();
  for (let i = 0; i < 100; i++) expect(firstLineAt(fd, size, T0 + i * 997)?.timeMs).toBe(T0 + i * 997);
  // Reading all of it takes some ten milliseconds each time.
  expect(performance.now() - begin).toBeLessThan(300);
  closeSync(fd);
});
