import { describe, expect, test } from "bun:test";
import { NO_COLOURS } from "../../src/show/colour.ts";
import { columnsOf } from "../../src/show/width.ts";
import { Histogram } from "../../src/stats/histogram.ts";
import { statsJson } from "../../src/stats/json.ts";
import { StatsSink } from "../../src/stats/stats.ts";
import { statsText } from "../../src/stats/text.ts";
import { TopNames } from "../../src/stats/top.ts";
import { Random } from "../query/random-logs.ts";
import { gapLine, line, T0, watchLine } from "../support/made-log.ts";

describe("the most frequent names", () => {
  test("exactly, while they have room", () => {
    const top = new TopNames(10);
    for (const [name, count] of [
      ["a", 3],
      ["b", 7],
      ["c", 1],
    ] as const)
      for (let i = 0; i < count; i++) top.add(name, 100);
    expect(top.top(2)).toEqual([
      { name: "b", count: 7, bytes: 700, errorMax: 0 },
      { name: "a", count: 3, bytes: 300, errorMax: 0 },
    ]);
    expect(top.distinct).toBe(3);
  });

  test("within the bound that is told, among a million that come once", () => {
    const random = new Random(7);
    const top = new TopNames(100);
    const real = new Map<string, number>();
    for (let i = 0; i < 300_000; i++) {
      const name = random.chance(0.3) ? `often-${random.below(5)}` : `once-${i}`;
      real.set(name, (real.get(name) ?? 0) + 1);
      top.add(name, 0);
    }
    const found = top.top(5);
    expect(found.map(({ name }) => name).sort()).toEqual([0, 1, 2, 3, 4].map((i) => `often-${i}`));
    for (const { name, count, errorMax } of found) {
      expect(count).toBeGreaterThanOrEqual(real.get(name) ?? 0);
      expect(count - errorMax).toBeLessThanOrEqual(real.get(name) ?? 0);
    }
    expect(top.distinct).toBeNull();
  });
});

describe("the histogram", () => {
  test("loses no event, whatever the range and the order", () => {
    const random = new Random(3);
    for (const spanMs of [100, 60_000, 86_400_000, 400 * 86_400_000, 4000 * 86_400_000]) {
      const histogram = new Histogram();
      for (let i = 0; i < 20_000; i++) histogram.add(T0 + random.below(spanMs));
      const buckets = histogram.buckets(32);
      expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(20_000);
      expect(buckets.length).toBeLessThanOrEqual(32);
      for (let i = 1; i < buckets.length; i++) expect(buckets[i]!.fromMs).toBe(buckets[i - 1]!.toMs);
      expect(buckets[0]!.fromMs).toBeLessThanOrEqual(T0 + spanMs);
    }
  });

  test("of one event, and of none", () => {
    const histogram = new Histogram();
    expect(histogram.buckets(10)).toEqual([]);
    histogram.add(T0);
    expect(histogram.buckets(10)).toEqual([{ fromMs: T0, toMs: T0 + 1000, count: 1 }]);
  });
});

function summaryOf(text: string, blockBytes = 100) {
  const sink = new StatsSink();
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += blockBytes) sink.write(bytes.subarray(at, at + blockBytes));
  return sink.summary();
}

const LOG =
  watchLine(0, "started") +
  line(1, "CREATE", "/srv/a", { cmd: "vim", user: "alice" }) +
  line(2, "CLOSE_WRITE", "/srv/a", { cmd: "vim", user: "alice", file_size: 1000 }) +
  line(3, "CLOSE_WRITE", "/srv/sub/b\n\x1b[31m", { cmd: "cp", user: "bob", file_size: 24 }) +
  line(4, "DELETE", '/srv/sub/"c"', { cmd: null, user: null, who_reason: "kernel" }) +
  gapLine(5, 65, "daemon_stopped") +
  gapLine(5, 65, "daemon_stopped", "/srv/sub");

describe("a summary", () => {
  test("counts who, what, with what and where; state lines are no events, a GAP of two logs is one", () => {
    const json = JSON.parse(statsJson(summaryOf(LOG)));
    expect(json).toMatchObject({
      events: 4,
      first: "2026-05-07T10:00:01.000+00:00",
      last: "2026-05-07T10:00:04.000+00:00",
      types: [
        { name: "CLOSE_WRITE", count: 2, written_file_bytes: 1024 },
        { name: "CREATE", count: 1 },
        { name: "DELETE", count: 1 },
      ],
      users: [{ name: "alice", count: 2 }, { name: null }, { name: "bob" }],
      programs: [{ name: "vim", count: 2, written_file_bytes: 1000 }, { name: null }, { name: "cp" }],
      distinct_directories: 2,
      distinct_files: 3,
      gaps: [{ reason: "daemon_stopped", count: 1, duration_ms: 60_000 }],
    });
    expect(json.files.map((one: { name: string }) => one.name)).toContain("/srv/sub/b\n\x1b[31m");
    expect(json.histogram.reduce((sum: number, one: { count: number }) => sum + one.count, 0)).toBe(4);
  });

  test("is the same however the bytes are cut", () => {
    const whole = statsJson(summaryOf(LOG, 1e9));
    for (const blockBytes of [1, 7, 64, 200, 1000]) expect(statsJson(summaryOf(LOG, blockBytes))).toBe(whole);
  });

  test("reads a line that others have written differently", () => {
    const odd = `{"event_type": "DELETE", "path": "/srv/x", "time": "2026-05-07T10:00:01Z", "user": "eve", "cmd": "rm"}\n`;
    expect(summaryOf(odd)).toMatchObject({ events: 1, users: [{ name: "eve" }], programs: [{ name: "rm" }] });
  });

  test("fits every terminal, and names are escaped", () => {
    const summary = summaryOf(LOG + line(9, "CREATE", `/srv/${"日本".repeat(60)}/x`));
    for (const columns of [30, 40, 60, 80, 92, 100, 160, 200]) {
      const text = statsText(summary, NO_COLOURS, columns);
      for (const row of text.split("\n")) expect(columnsOf(row)).toBeLessThanOrEqual(columns);
      expect(text).not.toContain("\x1b");
    }
    const text = statsText(summary, NO_COLOURS, 100);
    expect(text).toContain("! 1 gap of 1m in all: the daemon was stopped");
    expect(text).toContain("b\\n\\e[31m");
  });

  test("of nothing says so", () => {
    expect(statsText(summaryOf(""), NO_COLOURS, 80)).toBe("0 events\n");
    expect(JSON.parse(statsJson(summaryOf("")))).toMatchObject({ events: 0, first: null, histogram: [] });
  });
});
