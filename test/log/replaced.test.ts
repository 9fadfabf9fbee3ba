// The live file replaced, cut and moved in quick succession, before the writer has looked in between.
import { expect, test } from "bun:test";
import { readdirSync, renameSync, truncateSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { LogDir, numbersIn, range, until } from "./log-dir.ts";

const T0 = Date.UTC(2026, 4, 7, 10);
const sorted = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);

test("LogWriter, its log truncated and then replaced by a copy of that, loses and tears nothing written since", () => {
  using dir = new LogDir();
  const writer = dir.openWriter();
  dir.put(writer, 3);
  truncateSync(writer.path, 0);
  dir.sh(`cat ${writer.path} > t; mv t ${writer.path}`);
  for (let i = 0; i < 5; i++) dir.put(writer, 4);
  writer.close();
  expect(numbersIn(dir.text())).toEqual(range(3, 23));
});

test("LogWriter loses nothing when a segment is sealed between the copying and the replacing, within one millisecond", () => {
  using dir = new LogDir();
  const writer = dir.openWriter(4096);
  dir.put(writer, 20, T0);
  dir.sh(`tail -n 19 ${writer.path} > t`);
  dir.put(writer, 10, T0);
  expect(dir.names()).toHaveLength(2);
  dir.sh(`mv t ${writer.path}`);
  dir.put(writer, 1, T0 + 1);
  writer.close();
  expect(sorted([...new Set(numbersIn(dir.text()))])).toEqual(range(0, 31));
});

for (const [what, change] of [
  ["moved away", (path: string, away: string) => renameSync(path, away)],
  ["deleted", (path: string) => unlinkSync(path)],
] as const)
  test(`LogWriter carries over what a copy lacked though the copy was ${what} before it was taken as the log`, async () => {
    using dir = new LogDir();
    const writer = dir.openWriter();
    dir.put(writer, 10);
    dir.sh(`tail -n 5 ${writer.path} > t`);
    dir.put(writer, 5);
    dir.sh(`mv t ${writer.path}`);
    dir.put(writer, 1);
    expect(writer.complete).toBe(false);
    change(writer.path, join(dir.path, "away"));
    writer.tick(Date.now());
    await until(() => writer.complete);
    dir.put(writer, 1);
    writer.close();
    expect(numbersIn(dir.text())).toEqual(range(10, 17));
  });

test("LogWriter counts on though the line that stops it was the one that the last segment had no room for", () => {
  using dir = new LogDir();
  let writer = dir.openWriter(4096);
  writer.watch("started", T0);
  dir.put(writer, 23, T0);
  writer.watch("stopped", T0);
  writer.close();
  expect(dir.names()).toHaveLength(2);
  dir.sh("mkdir away; mv *.000001_log.jsonl away");
  writer = dir.openWriter(4096);
  for (let i = 0; i < 4; i++) dir.put(writer, 20, T0 + 1);
  writer.close();
  expect(readdirSync(dir.path).filter((name) => name.includes(".000001_"))).toEqual([]);
});
