import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { LogWriter } from "../../src/log/writer.ts";
import { LogFollower } from "../../src/watch/follower.ts";
import { LogDir, numbered, numbersIn, OWNER, range } from "../log/log-dir.ts";
import { Random } from "../query/random-logs.ts";
import { until } from "../support/wait.ts";

let dir: LogDir;
let writer: LogWriter;
beforeEach(() => {
  dir = new LogDir();
  writer = dir.openWriter(8 * 1024);
});
afterEach(() => {
  writer.close();
  dir[Symbol.dispose]();
});

const live = () => join(dir.path, `${writer.hash}_log.jsonl`);

/** From the beginning on. */
function follow(): LogFollower {
  return new LogFollower(dir.path, writer.hash, OWNER, { highestNumber: 0, live: null });
}

function readAll(follower: LogFollower): string {
  let text = "";
  for (let block = follower.read(); block !== null; block = follower.read()) text += block.toString();
  return text;
}

let timeMs = Date.UTC(2026, 4, 7);
const put = (count: number) => dir.put(writer, count, timeMs++);

describe("a log is followed", () => {
  test("as it grows, over as many segments as it takes", () => {
    const follower = follow();
    put(1);
    expect(numbersIn(readAll(follower))).toEqual([0]);
    for (let i = 0; i < 20; i++) put(30);
    expect(dir.names().length).toBeGreaterThan(5);
    expect(numbersIn(readAll(follower))).toEqual(range(1, 601));
    expect(follower.read()).toBeNull();
    follower.close();
  });

  test("from where it was found, not a line earlier or later", () => {
    put(200);
    const fd = openSync(live(), "r");
    const highestNumber = dir.names().length - 1;
    const follower = new LogFollower(dir.path, writer.hash, OWNER, {
      highestNumber,
      live: { fd, offset: statSync(live()).size },
    });
    put(200);
    expect(numbersIn(readAll(follower))).toEqual(range(200, 400));
    follower.close();
  });

  test("from where it was found, also when a trimmed copy takes its place before anything new comes", async () => {
    for (let i = 0; i < 10; i++) put(1);
    const fd = openSync(live(), "r");
    const follower = new LogFollower(dir.path, writer.hash, OWNER, {
      highestNumber: 0,
      live: { fd, offset: statSync(live()).size },
    });
    expect(follower.read()).toBeNull();
    const copy = join(dir.path, "copy");
    writeFileSync(
      copy,
      readFileSync(live(), "utf8")
        .split(/(?<=\n)/)
        .slice(-5)
        .join(""),
    );
    renameSync(copy, live());
    expect(follower.read()).toBeNull();
    put(2);
    let text = "";
    await until("the new lines have come", () => {
      writer.tick(Date.now());
      text += readAll(follower);
      return text !== "";
    });
    expect(numbersIn(text)).toEqual([10, 11]);
    follower.close();
  });

  test("never half a line", () => {
    const follower = follow();
    put(1);
    readAll(follower);
    const line = `${numbered(1, timeMs)}\n`;
    appendFileSync(live(), line.slice(0, 50));
    expect(follower.read()).toBeNull();
    appendFileSync(live(), line.slice(50));
    expect(readAll(follower)).toBe(line);
    follower.close();
  });

  test("a line longer than a block", () => {
    const follower = follow();
    const line = `{"time":"2026-05-07T00:00:00.000+00:00","event_type":"CREATE","path":"/${"x".repeat(700_000)}"}\n`;
    appendFileSync(live(), line);
    expect(readAll(follower)).toBe(line);
    follower.close();
  });

  const upheavals: [what: string, command: string][] = [
    ["replaced by a trimmed copy", 'tail -n 5 "$LIVE" > new && mv new "$LIVE"'],
    ["replaced by a whole copy", 'cp "$LIVE" new && mv new "$LIVE"'],
    ["deleted", 'rm "$LIVE"'],
    ["moved out of the directory", 'mkdir -p away && mv "$LIVE" away/x'],
    ["renamed like a segment", 'mv "$LIVE" "$HASH.000500_log.jsonl"'],
    ["sealed, packed and removed", 'mv "$LIVE" "$HASH.000501_log.jsonl" && gzip "$HASH.000501_log.jsonl"'],
  ];
  for (const [what, command] of upheavals) {
    test(`while it is ${what}: each line once`, async () => {
      const follower = follow();
      put(10);
      let text = readAll(follower);
      put(10);
      text += readAll(follower);
      dir.sh(command.replaceAll("$LIVE", live()).replaceAll("$HASH", writer.hash));
      text += readAll(follower);
      put(10);
      text += readAll(follower);
      put(10);
      // The daemon leaves a file that took the log's name to its writer for a moment.
      await until("the daemon has gone over to the new file", () => {
        writer.tick(Date.now());
        text += readAll(follower);
        return numbersIn(text).length >= 40;
      });
      expect(numbersIn(text)).toEqual(range(0, 40));
      follower.close();
    });
  }

  test("while lines that it has read are carried over into several segments behind a copy: each line once", async () => {
    const follower = follow();
    writer.resize(2 ** 30);
    // The daemon carries over a megabyte at a time.
    for (let i = 0; i < 40; i++) put(1000);
    writer.resize(8 * 1024);
    let text = readAll(follower);
    dir.sh(`head -n 1 ${live()} > new && mv new ${live()}`);
    text += readAll(follower);
    await until("the lines are carried over", () => {
      writer.tick(Date.now());
      text += readAll(follower);
      return numbersIn(dir.text()).length === 40_000;
    });
    expect(dir.names().length).toBeGreaterThan(3);
    put(10);
    text += readAll(follower);
    expect(numbersIn(text)).toEqual(range(0, 40_010));
    follower.close();
  });

  test("while it is cut to nothing by a tool that copies and truncates", () => {
    const follower = follow();
    put(20);
    readAll(follower);
    truncateSync(live(), 0);
    expect(follower.read()).toBeNull();
    put(5);
    expect(numbersIn(readAll(follower))).toEqual(range(20, 25));
    follower.close();
  });

  test("after all its files are gone, when a new one begins", () => {
    const follower = follow();
    put(20);
    readAll(follower);
    writer.close();
    dir.sh("rm *_log.jsonl");
    expect(follower.read()).toBeNull();
    writer = dir.openWriter();
    put(3);
    expect(numbersIn(readAll(follower))).toEqual(range(20, 23));
    follower.close();
  });

  test("and segments that were deleted before they could be read are counted", () => {
    const follower = follow();
    put(1);
    readAll(follower);
    for (let i = 0; i < 20; i++) put(30);
    const names = dir.names().filter((name) => name.includes("."));
    dir.sh(`rm ${names.slice(1, 6).join(" ")}`);
    const numbers = numbersIn(readAll(follower));
    expect(numbers.at(-1)).toBe(600);
    expect(numbers.length).toBeLessThan(600);
    expect(follower.missedSegments).toBe(5);
    follower.close();
  });

  test("passing over what nobody could read, with its number", () => {
    const follower = follow();
    put(10);
    readAll(follower);
    const lines = range(10, 60).map((number) => `${numbered(number, timeMs++)}\n`);
    appendFileSync(live(), lines.join(""));
    const skipped = follower.skip(1000);
    const numbers = numbersIn(readAll(follower));
    expect(skipped + numbers.length).toBe(50);
    expect(numbers.at(-1)).toBe(59);
    expect(skipped).toBeGreaterThan(40);
    follower.close();
  });
});

test("500 random steps of writing, sealing, cleaning, replacing and reading: each line once and in order", async () => {
  const seed = Number(process.env.FSMON_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`follower random test: FSMON_TEST_SEED=${seed}`);
  const random = new Random(seed);
  const follower = follow();
  let text = "";
  for (let step = 0; step < 500; step++) {
    switch (random.below(7)) {
      case 0:
        writer.seal();
        break;
      case 1: {
        // The oldest segments, once they were read.
        text += readAll(follower);
        const names = dir.names();
        for (const name of names.slice(0, random.below(names.length))) dir.sh(`rm ${name}`);
        break;
      }
      case 2: {
        // Whoever replaces a log by a copy has read it to its end; the daemon carries over what came after.
        text += readAll(follower);
        const kept = readFileSync(live(), "utf8")
          .split("\n")
          .slice(-1 - random.below(4));
        if (kept.length > 1) dir.sh(`cat > new <<'EOF'\n${kept.join("\n")}EOF\nmv new ${live()}`);
        writer.tick(Date.now());
        break;
      }
      case 3:
        text += readAll(follower);
        break;
      default:
        put(1 + random.below(40));
    }
    if (random.chance(0.2)) text += readAll(follower);
  }
  put(1);
  await until("the last line has come", () => {
    writer.tick(Date.now());
    text += readAll(follower);
    return numbersIn(text).at(-1) === dir.written - 1;
  });
  expect(numbersIn(text)).toEqual(range(0, dir.written));
  follower.close();
});
