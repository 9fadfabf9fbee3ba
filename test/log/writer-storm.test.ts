// A writer under load in a process of its own, while other people's tools work on its file.
import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, renameSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { numbersIn, span, until } from "./log-dir.ts";
import { Storm } from "./storm.ts";

const KILLS = Number(process.env.FSMON_KILLS ?? 12);

test("LogWriter: kill -9 under load loses no written line and leaves at most the last one torn, which the next start repairs", async () => {
  await using storm = new Storm();
  let first = 0;
  for (let i = 0; i < KILLS; i++) {
    await storm.start(200_000, 300, 0, first);
    await storm.pass(1 + ((i * 977) % 4000));
    await storm.end("SIGKILL");
    const acknowledged = storm.acknowledged;
    const text = storm.dir.text();
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    const numbers = numbersIn(whole);
    expect(span(numbers)).toBe(`0..${numbers.length - 1}`);
    expect(numbers.length).toBeGreaterThanOrEqual(acknowledged);
    storm.dir.openWriter().close();
    expect(storm.dir.text().startsWith(whole)).toBe(true);
    first = numbersIn(storm.dir.text()).length;
  }
});

test("LogWriter: every event is in exactly one file while the log is renamed, sealed and read under load", async () => {
  await using storm = new Storm();
  await storm.start(300_000, 50, 1);
  const { path } = storm.dir.writer();
  for (let i = 0; i < 20; i++) {
    await storm.pass(300);
    renameSync(path, join(storm.dir.path, `rotated-${String(i).padStart(2, "0")}`));
    // Whoever reads beside it sees only whole lines.
    await until(() => existsSync(path));
    const text = readFileSync(path, "utf8");
    numbersIn(text.slice(0, text.lastIndexOf("\n") + 1));
  }
  await storm.end("SIGTERM");
  const { dir } = storm;
  const names = readdirSync(dir.path).filter((name) => /log\.jsonl$|^rotated/.test(name));
  const all = names.flatMap((name) => numbersIn(readFileSync(join(dir.path, name), "utf8")));
  expect(span(all.toSorted((a, b) => a - b))).toBe(`0..${storm.acknowledged - 1}`);
});

test("LogWriter: nothing written after a copy was taken is lost when the copy replaces the log under load", async () => {
  await using storm = new Storm();
  await storm.start(64 * 1024 * 1024, 40, 1);
  const { path } = storm.dir.writer();
  let keptFrom = 0;
  // More than the first copy has room for: where the machine is slow, the next one may be made before the first is the log.
  await storm.pass(1000);
  for (let i = 0; i < 6; i++) {
    await storm.pass(400);
    storm.dir.sh(
      i % 2 === 0 ? `tail -n 500 ${path} > t && mv t ${path}` : `grep -v nothing ${path} > t && mv t ${path}`,
    );
    // The copy may be the one before the last: lines are carried over within two seconds.
    await storm.pass(2000);
    const text = readFileSync(path, "utf8");
    keptFrom = numbersIn(text.slice(0, text.lastIndexOf("\n") + 1))[0] ?? 0;
  }
  await storm.end("SIGTERM");
  expect(span(numbersIn(storm.dir.text()))).toBe(`${keptFrom}..${storm.acknowledged - 1}`);
  expect(keptFrom).toBeGreaterThan(0);
});

test("LogWriter: after the log is deleted under load, everything from then on is in the new file", async () => {
  await using storm = new Storm();
  await storm.start(64 * 1024 * 1024, 40, 1);
  const { path } = storm.dir.writer();
  for (let i = 0; i < 10; i++) {
    await storm.pass(500);
    const before = storm.acknowledged;
    unlinkSync(path);
    await storm.pass(200);
    const text = readFileSync(path, "utf8");
    const numbers = numbersIn(text.slice(0, text.lastIndexOf("\n") + 1));
    expect(span(numbers)).toBe(`${numbers[0]}..${numbers.at(-1)}`);
    // A batch may have been on its way while we looked.
    expect(numbers[0]!).toBeLessThanOrEqual(before + 40 * 20);
  }
  await storm.end("SIGTERM");
  expect(numbersIn(storm.dir.text()).at(-1)).toBe(storm.acknowledged - 1);
});
