// A copy is moved over the live file in the moment between the writer's last look and the rename(2) that seals it.
import { expect, spyOn, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import type { LogWriter } from "../../src/log/writer.ts";
import { LogDir, numbersIn, parsed, range, until } from "./log-dir.ts";

const SEGMENT_BYTES = 4096;
const T0 = Date.UTC(2026, 4, 7, 10);

const triggers: [string, (dir: LogDir, writer: LogWriter) => void, string[]][] = [
  ["is full", (dir, writer) => dir.put(writer, 15, T0 + 1), []],
  ["is sealed for a cleaner", (_, writer) => expect(writer.seal()).toBe(true), []],
  ["was to end as the clock was set back", (dir, writer) => dir.put(writer, 15, T0 - 60_000), ["clock"]],
];
for (const [end, trigger, gaps] of triggers) {
  for (const [what, rest] of [
    ["a copy", ""],
    ["a copy with half a line at its end", '{"time":"2026-05-'],
  ] as const)
    test(`LogWriter keeps every event once and in order when ${what} is moved over a segment that ${end}`, async () => {
      using dir = new LogDir();
      const writer = dir.openWriter(SEGMENT_BYTES);
      dir.put(writer, 3, T0);
      const copy = join(dir.path, "t");
      fs.copyFileSync(writer.path, copy);
      fs.appendFileSync(copy, rest);
      dir.put(writer, 12, T0 + 1);
      beforeNextRename(
        () => fs.renameSync(copy, writer.path),
        () => trigger(dir, writer),
      );
      await until(() => writer.complete);
      dir.put(writer, 30, T0 + 2);
      writer.close();
      expect(numbersIn(dir.text())).toEqual(range(0, dir.written));
      expect(dir.gaps).toEqual(gaps as typeof dir.gaps);
      expect(dir.trouble).toEqual([]);
      for (const times of dir.names().map((name) => timesIn(fs.readFileSync(join(dir.path, name), "utf8"))))
        expect(times).toEqual(times.toSorted());
    });
}

test("LogWriter leaves events where they are when the segment is moved away and a copy put there as it is sealed", async () => {
  using dir = new LogDir();
  const writer = dir.openWriter(SEGMENT_BYTES);
  dir.put(writer, 15, T0);
  const away = join(dir.path, "away");
  beforeNextRename(
    () => dir.sh(`mv ${writer.path} away; head -n 3 away > ${writer.path}`),
    () => dir.put(writer, 15, T0),
  );
  dir.put(writer, 5, T0);
  writer.close();
  expect(numbersIn(fs.readFileSync(away, "utf8"))).toEqual(range(0, 30));
  expect(numbersIn(dir.text())).toEqual([0, 1, 2, ...range(30, 35)]);
});

function timesIn(text: string): string[] {
  return parsed(text).map((line) => line.time);
}

/** Runs `event` inside `work`, when that is about to rename a file for the first time. */
function beforeNextRename(event: () => void, work: () => void): void {
  let happened = false;
  const spy = spyOn(fs, "renameSync").mockImplementation((from, to) => {
    spy.mockRestore();
    if (!happened) event();
    happened = true;
    fs.renameSync(from, to);
  });
  try {
    work();
  } finally {
    spy.mockRestore();
  }
  expect(happened).toBe(true);
}
