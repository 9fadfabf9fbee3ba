// The same work in C and in TypeScript: both must say the same of every line.
import { expect, test } from "bun:test";
import { scanLineBlock } from "../../src/kernel/lines.ts";
import { LineTable, scanLinesHere } from "../../src/query/line-table.ts";
import { Random, randomRun, T0 } from "./random-logs.ts";

/** Start, end and time of every line, in blocks of at most `capacity` lines. */
function scanned(bytes: Buffer, capacity: number, native: boolean): string[] {
  const lines: string[] = [];
  for (let from = 0; from < bytes.length; ) {
    const table = new LineTable(capacity);
    if (native) {
      const { at, count } = scanLineBlock(bytes, from, bytes.length, table);
      table.count = count;
      from = at;
    } else {
      from = scanLinesHere(bytes, from, bytes.length, table);
    }
    for (let i = 0; i < table.count; i++) {
      lines.push(`${table.starts[i]} ${table.ends[i]} ${table.timesMs[i]}`);
    }
  }
  return lines;
}

test("scanLineBlock() agrees with scanLinesHere() on random logs with every byte at risk", () => {
  for (let seed = 0; seed < 60; seed++) {
    const random = new Random(seed);
    const { text } = randomRun(random, "/managed", T0, 150, random.pick([0, 0.3]));
    const bytes = Buffer.from(text.slice(0, text.lastIndexOf("\n") + 1));
    for (let i = random.below(60); i > 0 && bytes.length > 1; i--) {
      bytes[random.below(bytes.length - 1)] = random.pick([...'"\\{}[]:,0 \n\t\0ut', "\xff"]).charCodeAt(0);
    }
    const capacity = random.pick([1, 7, 1000]);
    expect(scanned(bytes, capacity, true)).toEqual(scanned(bytes, capacity, false));
  }
});

test("scanLineBlock() agrees with scanLinesHere() where a line ends as the one before it, or nearly", () => {
  const known = ',"event_type":"CREATE","path":"/m/a","pid":1,"cmd":"sh","user":"root","file_size":';
  const heads = [`${known}0`, `${known}12`, known, `${known}"0`, ',"a":[1', ',"a":1', ',"path":"/m', ""];
  const rests = [
    ',"monitored_path":"/m"}',
    ',"monitored_path":"/m","uid":0}',
    ',"monitored_path":"/m"',
    ',"monitored_path":"/m"}}',
    ',"monitored_path":"/m"} ',
    "]}",
    '"}',
    "}",
    "",
  ];
  const random = new Random(1);
  let text = "";
  for (let i = 0; i < 3000; i++)
    text += `{"time":"2026-05-07T10:00:01.482+00:00"${random.pick(heads)}${random.pick(rests)}\n`;
  const bytes = Buffer.from(text);
  for (const capacity of [1, 10, 10_000])
    expect(scanned(bytes, capacity, true)).toEqual(scanned(bytes, capacity, false));
});

test("scanLineBlock() agrees with scanLinesHere() on every date", () => {
  const at = (year: number, month: number, day: number) =>
    `${String(year).padStart(4, "0")}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
  let text = "";
  for (const year of [0, 1, 4, 99, 100, 400, 1582, 1900, 1969, 1970, 2000, 2024, 2026, 2100, 9999]) {
    for (let month = 0; month <= 13; month++) {
      for (const day of [0, 1, 28, 29, 30, 31, 32])
        text += `{"time":"${at(year, month, day)}T23:59:59.999+00:00","a":1}\n`;
    }
  }
  const bytes = Buffer.from(text);
  expect(scanned(bytes, 10_000, true)).toEqual(scanned(bytes, 10_000, false));
});
