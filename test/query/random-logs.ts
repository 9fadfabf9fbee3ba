// Random logs and a plain reading of them, to compare the query with: every line is parsed, nothing is clever.
import { formatTime, parseTime } from "../../src/log/time.ts";

/** Small and seeded, so that a failure can be repeated (mulberry32). */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  /** From 0 to below `below`. */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }
  chance(share: number): boolean {
    return this.next() < share;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }
}

export const T0 = Date.UTC(2026, 4, 7, 10, 0, 0);
const NAMES = [
  "a",
  "b.txt",
  "ü",
  "日本語",
  "em😀ji",
  'quo"te',
  "back\\slash",
  "new\nline",
  "\u009b31m",
  "sp ace",
  "x".repeat(200),
];

export function eventLine(random: Random, timeMs: number, root: string): string {
  const path = [root, ...Array.from({ length: random.below(3) }, () => random.pick(NAMES))].join("/");
  const keys: Record<string, unknown> = {
    time: formatTime(timeMs),
    event_type: random.pick(["CREATE", "DELETE", "CLOSE_WRITE", "MOVED_TO"]),
    path,
    pid: random.pick([null, random.below(99999)]),
    cmd: random.pick(["nginx", "sh", null, "日"]),
    user: random.pick(["root", null]),
    file_size: random.below(5000),
    monitored_path: root,
  };
  if (keys.event_type === "MOVED_TO") keys.from = `${root}/${random.pick(NAMES)}`;
  if (random.chance(0.1)) keys.ancestry = [{ pid: 1, cmd: "init" }, ["x", -1.5e3, true, {}]];
  if (random.chance(0.01)) keys.args = "y".repeat(random.below(random.chance(0.02) ? 1_500_000 : 300_000));
  return JSON.stringify(keys);
}

/** With a byte changed, cut out or doubled, or the end cut off; now and then as it was. */
export function damaged(random: Random, line: Buffer): Buffer {
  const at = random.below(line.length);
  const other = Buffer.from(
    random.pick(['"', "\\", "{", "}", "[", "]", ",", ":", "0", "\0", "\t", " ", "u"]),
  );
  return random.pick([
    () => line.subarray(0, at),
    () => Buffer.concat([line.subarray(0, at), line.subarray(at + 1)]),
    () => Buffer.concat([line.subarray(0, at + 1), line.subarray(at)]),
    () => Buffer.concat([line.subarray(0, at), other, line.subarray(at + 1)]),
    () => line,
  ])();
}

function gapLine(random: Random, timeMs: number, root: string): string {
  return JSON.stringify({
    time: formatTime(timeMs),
    event_type: "GAP",
    path: root,
    pid: null,
    cmd: null,
    user: null,
    file_size: 0,
    monitored_path: root,
    reason: "queue_overflow",
    gap_from: formatTime(timeMs - random.below(20_000)),
    gap_to: formatTime(timeMs),
    lost: null,
  });
}

/** What tools, crashes and people leave in a file. */
function oddLine(random: Random, timeMs: number, root: string): string {
  const plain = eventLine(random, timeMs, root);
  // Longer than every buffer, however it is spelled or spoilt.
  const long = random.chance(0.005) ? `,"more":{"a":["${"é".repeat(random.below(800_000))}"]}}` : null;
  const line = long === null ? plain : plain.slice(0, -1) + long;
  const value = JSON.parse(line) as Record<string, unknown>;
  switch (random.below(15)) {
    case 0:
      return "";
    case 1:
      return line.slice(0, 1 + random.below(line.length - 1));
    case 2:
      return (
        "\0".repeat(1 + random.below(random.chance(0.05) ? 200_000 : 9000)) +
        (random.chance(0.3) ? gapLine(random, timeMs, root) : line)
      );
    case 3:
      return "\0".repeat(random.below(300_000));
    case 4: {
      const { time, ...rest } = value;
      return JSON.stringify({ ...rest, time });
    }
    case 5:
      return line.replaceAll('","', '", "').replace('"time":', '"time" : ');
    case 6:
      return line.slice(0, 80) + line;
    case 7:
      return `{"time":"${formatTime(timeMs)}",oops}`;
    case 8:
      return `${line}\r`;
    case 9:
      return JSON.stringify({ ...value, time: formatTime(timeMs).replace("+00:00", "Z") });
    case 10:
      return random.pick([
        "not json",
        "{}",
        "123",
        '{"a":1}',
        "[]",
        "{",
        `{"time":"yesterday"}`,
        '{"time":7}',
      ]);
    case 11:
      return "\0".repeat(100) + line.slice(random.below(line.length));
    case 12:
      return `  ${line}\t`;
    case 13: {
      const finer = `${random.below(10)}${random.pick(["", "5", "00001"])}`;
      return line.replace(/\+00:00"/, `${finer}+00:00"`);
    }
    default:
      return `${line.slice(0, 60)}\0\0\0\0${line.slice(70)}`;
  }
}

/** A sorted file. Some end in a torn line. */
export function randomRun(
  random: Random,
  root: string,
  fromMs: number,
  lineCount: number,
  oddShare: number,
): { text: string; lastMs: number } {
  let timeMs = fromMs;
  let text = "";
  for (let i = 0; i < lineCount; i++) {
    if (random.chance(0.7)) timeMs += random.below(random.chance(0.05) ? 30_000 : 50);
    // An odd line may be a fraction of a millisecond late, and the next must not be earlier.
    if (random.chance(oddShare)) text += `${oddLine(random, timeMs++, root)}\n`;
    else if (random.chance(0.02)) text += `${gapLine(random, timeMs, root)}\n`;
    else text += `${eventLine(random, timeMs, root)}\n`;
  }
  // Torn, or lacking nothing but the newline.
  if (random.chance(0.2)) text += eventLine(random, timeMs, root).slice(0, 1 + random.below(60));
  else if (random.chance(0.1)) text += eventLine(random, timeMs, root);
  else if (random.chance(0.05)) text += oddLine(random, timeMs, root);
  return { text, lastMs: timeMs };
}

export interface PlainLine {
  timeMs: number;
  text: string;
}

const isGapTouching = (value: Record<string, unknown>, sinceMs: number, untilMs: number) =>
  value.event_type === "GAP" &&
  parseTime(String(value.gap_from)) < untilMs &&
  parseTime(String(value.gap_to)) >= sinceMs;

/** Every line of a text, parsed. `bad` counts those that are no events. */
export function plainLines(
  text: string,
  sinceMs: number,
  untilMs: number,
): { lines: PlainLine[]; bad: number } {
  const lines: PlainLine[] = [];
  let bad = 0;
  const raws = text.split("\n");
  for (const [i, raw] of raws.entries()) {
    const unfinished = i === raws.length - 1;
    const line = raw.replace(/^[\0 \t\r]+|[\0 \t\r]+$/g, "");
    if (line === "") continue;
    let value: unknown = null;
    try {
      value = JSON.parse(line);
    } catch {
      // Counted below.
    }
    const keys = (
      typeof value === "object" && value !== null && !Array.isArray(value) ? value : {}
    ) as Record<string, unknown>;
    const timeMs = typeof keys.time === "string" ? parseTime(keys.time) : Number.NaN;
    if (Number.isNaN(timeMs)) {
      // What a punched hole left of a line is nobody's fault.
      if (!raw.includes("\0") && !unfinished) bad++;
      continue;
    }
    if ((timeMs >= sinceMs && timeMs < untilMs) || isGapTouching(keys, sinceMs, untilMs))
      lines.push({ timeMs, text: line });
  }
  return { lines, bad };
}

/** The lines of several texts in time order; of the same time, earlier texts first. */
export function plainMerge(
  texts: readonly string[],
  sinceMs: number,
  untilMs: number,
): { text: string; bad: number } {
  const all = texts.map((text) => plainLines(text, sinceMs, untilMs));
  const lines = all.flatMap((one) => one.lines).sort((a, b) => a.timeMs - b.timeMs);
  return {
    text: lines.map((line) => `${line.text}\n`).join(""),
    bad: all.reduce((sum, one) => sum + one.bad, 0),
  };
}
