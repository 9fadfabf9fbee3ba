import { expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Failure } from "../../src/failure.ts";
import { LogDir, numbered, numbersIn, parsed, range, until } from "./log-dir.ts";

const T0 = Date.UTC(2026, 4, 7, 10);

test("LogWriter.open() makes the directory 0700 and the file 0600", () => {
  using dir = new LogDir();
  rmSync(dir.path, { recursive: true });
  const writer = dir.openWriter();
  expect(statSync(dir.path).mode & 0o777).toBe(0o700);
  expect(statSync(writer.path).mode & 0o777).toBe(0o600);
  writer.close();
});

test("LogWriter.open() refuses a symbolic link and a directory in the log's place", () => {
  using dir = new LogDir();
  const { path } = dir.writer();
  writeFileSync(join(dir.path, "elsewhere"), "");
  symlinkSync(join(dir.path, "elsewhere"), path);
  expect(() => dir.openWriter()).toThrow(Failure);
  unlinkSync(path);
  mkdirSync(path);
  expect(() => dir.openWriter()).toThrow(Failure);
  expect(readFileSync(join(dir.path, "elsewhere"), "utf8")).toBe("");
});

test("LogWriter.open() tells how the previous life ended", () => {
  using dir = new LogDir();
  let writer = dir.writer();
  expect(writer.open()).toEqual({ lastTimeMs: null, lastState: null, lastStateTimeMs: null, segment: 1 });
  writer.watch("started", T0);
  dir.put(writer, 3, T0 + 5);
  writer.close();
  writer = dir.writer();
  expect(writer.open()).toEqual({
    lastTimeMs: T0 + 5,
    lastState: "started",
    lastStateTimeMs: T0,
    segment: 1,
  });
  writer.watch("stopped", T0 + 9);
  writer.close();
  writer = dir.writer();
  expect(writer.open()).toMatchObject({ lastTimeMs: T0 + 9, lastState: "stopped", lastStateTimeMs: T0 + 9 });
  writer.close();
});

test("LogWriter.open() finds the last state in the newest sealed segment when there is no live file", () => {
  using dir = new LogDir();
  let writer = dir.openWriter();
  writer.watch("started", T0);
  dir.put(writer, 20_000, T0 + 5);
  writer.close();
  renameSync(writer.path, writer.path.replace("_log", ".000007_log"));
  writer = dir.writer();
  // The WATCH line lies far back; the head of the file tells.
  expect(writer.open()).toEqual({
    lastTimeMs: T0 + 5,
    lastState: "started",
    lastStateTimeMs: T0,
    segment: 8,
  });
  writer.close();
});

test("LogWriter.open() repairs a torn last line and goes on behind it", () => {
  using dir = new LogDir();
  const { path } = dir.writer();
  writeFileSync(path, `${numbered(0, T0)}\n${numbered(1, T0).slice(0, 50)}`);
  const writer = dir.openWriter();
  dir.put(writer, 1, T0);
  writer.close();
  expect(numbersIn(dir.text())).toEqual([0, 0]);
});

test("LogWriter.append() seals at the segment size, and every further segment begins with WATCH continued", () => {
  using dir = new LogDir();
  const writer = dir.openWriter(4096);
  writer.watch("started", T0);
  for (let i = 0; i < 40; i++) dir.put(writer, 5, T0 + i);
  writer.close();
  const names = readdirSync(dir.path).toSorted();
  expect(names.length).toBeGreaterThan(5);
  expect(names[0]).toEndWith(".000001_log.jsonl");
  for (const name of names) {
    const text = readFileSync(join(dir.path, name), "utf8");
    expect(text.length).toBeLessThanOrEqual(4096);
    expect(parsed(text)[0]).toMatchObject({
      event_type: "WATCH",
      state: name === names[0] ? "started" : "continued",
      filters: "-r",
      host: "host",
      version: "1",
    });
  }
  expect(numbersIn(dir.text())).toEqual(range(0, 200));
});

test("LogWriter.append() numbers segments after the highest there is, packed ones included", () => {
  using dir = new LogDir();
  const writer = dir.openWriter(1000);
  writeFileSync(join(dir.path, `${writer.hash}.000041_log.jsonl.zst`), "");
  dir.put(writer, 5, T0);
  dir.put(writer, 5, T0);
  writer.close();
  expect(readdirSync(dir.path)).toContain(`${writer.hash}.000042_log.jsonl`);
});

test("LogWriter goes on counting segments though somebody has moved all of them away", async () => {
  using dir = new LogDir();
  using away = new LogDir();
  let writer = dir.openWriter(4096);
  writer.watch("started", T0);
  for (let i = 0; i < 20; i++) dir.put(writer, 5, T0 + i);
  writer.close();
  const moved = dir.names().slice(0, -1);
  const moveAll = (from: LogDir, to: LogDir) => {
    for (const name of moved) renameSync(join(from.path, name), join(to.path, name));
  };
  moveAll(dir, away);
  writer = dir.openWriter(4096);
  writer.watch("started", T0 + 20);
  for (let i = 20; i < 40; i++) dir.put(writer, 5, T0 + i);
  writer.close();
  expect(dir.names().filter((name) => moved.includes(name))).toEqual([]);
  moveAll(away, dir);
  expect(numbersIn(dir.text())).toEqual(range(0, 200));
  // Neither does a copy that lacks the file's first line change that.
  writer = dir.openWriter();
  dir.put(writer, 5, T0 + 40);
  dir.sh(`mkdir away; mv *.0*_log.jsonl away; tail -n 5 ${writer.path} > t; mv t ${writer.path}`);
  writer.close();
  writer = dir.openWriter(4096);
  for (let i = 50; i < 60; i++) dir.put(writer, 5, T0 + i);
  writer.close();
  expect(dir.names().length).toBeGreaterThan(1);
  dir.sh("mv -n away/*_log.jsonl .; rmdir away");
  const numbers = numbersIn(dir.text());
  expect(numbers.slice(numbers.indexOf(200))).toEqual(range(200, 255));
});

test("LogWriter.append() starts a segment with a GAP when times go back, and times never do within a file", () => {
  using dir = new LogDir();
  const writer = dir.openWriter();
  dir.put(writer, 2, T0 + 60_000);
  dir.put(writer, 2, T0);
  dir.put(writer, 2, T0 + 1);
  writer.close();
  const [sealed, live] = readdirSync(dir.path)
    .toSorted()
    .map((name) => readFileSync(join(dir.path, name), "utf8"));
  expect(numbersIn(sealed!)).toEqual([0, 1]);
  const lines = parsed(live!);
  expect(lines.map((line) => line.event_type)).toEqual([
    "WATCH",
    "GAP",
    "CREATE",
    "CREATE",
    "CREATE",
    "CREATE",
  ]);
  expect(lines[1]).toMatchObject({
    reason: "clock",
    gap_from: "2026-05-07T10:00:00.000+00:00",
    gap_to: "2026-05-07T10:01:00.000+00:00",
    lost: 0,
  });
  expect(lines.map((line) => line.time)).toEqual(lines.map((line) => line.time).toSorted());
});

test("LogWriter.gap() of reason clock starts a segment when the clock was set ahead, too", () => {
  using dir = new LogDir();
  const writer = dir.openWriter();
  dir.put(writer, 1, T0);
  writer.gap({ reason: "clock", fromMs: T0 + 10, toMs: T0 + 3_600_000, lost: 0 }, T0 + 3_600_000);
  dir.put(writer, 1, T0 + 3_600_000);
  writer.close();
  expect(readdirSync(dir.path).length).toBe(2);
  expect(parsed(readFileSync(writer.path, "utf8")).map((line) => line.event_type)).toEqual([
    "WATCH",
    "GAP",
    "CREATE",
  ]);
});

test("LogWriter.gap() writes one GAP when the clock was set back", () => {
  using dir = new LogDir();
  const writer = dir.openWriter();
  dir.put(writer, 1, T0 + 60_000);
  writer.gap({ reason: "clock", fromMs: T0 + 60_000, toMs: T0, lost: 0 }, T0);
  dir.put(writer, 1, T0);
  writer.close();
  expect(parsed(dir.text()).filter((line) => line.event_type === "GAP").length).toBe(1);
  expect(readdirSync(dir.path).length).toBe(2);
});

test("LogWriter.watch() doesn't go back behind the last event by a moment", () => {
  using dir = new LogDir();
  const writer = dir.openWriter();
  dir.put(writer, 1, T0 + 30);
  writer.watch("changed", T0);
  writer.close();
  expect(readdirSync(dir.path).length).toBe(1);
  expect(parsed(dir.text()).at(-1)).toMatchObject({
    state: "changed",
    time: "2026-05-07T10:00:00.030+00:00",
  });
});

test("LogWriter.append() loses nothing when the log is renamed away between two batches", () => {
  using dir = new LogDir();
  const writer = dir.openWriter();
  dir.put(writer, 3);
  renameSync(writer.path, join(dir.path, "rotated"));
  dir.put(writer, 3);
  writer.close();
  expect(numbersIn(readFileSync(join(dir.path, "rotated"), "utf8"))).toEqual([0, 1, 2]);
  expect(numbersIn(dir.text())).toEqual([3, 4, 5]);
  expect(parsed(dir.text())[0]).toMatchObject({ event_type: "WATCH", state: "continued" });
});

test("LogWriter.append() notices another file of the same size in the log's place", () => {
  using dir = new LogDir();
  const writer = dir.openWriter();
  dir.put(writer, 3);
  dir.sh(`mv ${writer.path} rotated; cp rotated ${writer.path}`);
  dir.put(writer, 3);
  writer.close();
  expect(numbersIn(readFileSync(join(dir.path, "rotated"), "utf8"))).toEqual([0, 1, 2]);
  expect(numbersIn(dir.text())).toEqual(range(0, 6));
});

test("LogWriter.append() goes on in a fresh file after the log was deleted, directory and all", () => {
  using dir = new LogDir();
  const writer = dir.openWriter();
  dir.put(writer, 3);
  unlinkSync(writer.path);
  dir.put(writer, 3);
  expect(numbersIn(dir.text())).toEqual([3, 4, 5]);
  rmSync(dir.path, { recursive: true });
  dir.put(writer, 1);
  writer.close();
  expect(numbersIn(dir.text())).toEqual([6]);
});

test("LogWriter.append() goes on at the new end after the log was truncated, and glues nothing to half a line", () => {
  using dir = new LogDir();
  const writer = dir.openWriter();
  dir.put(writer, 5);
  truncateSync(writer.path, 0);
  dir.put(writer, 2);
  expect(numbersIn(dir.text())).toEqual([5, 6]);
  truncateSync(writer.path, statSync(writer.path).size - 20);
  dir.put(writer, 1);
  writer.close();
  expect(numbersIn(dir.text())).toEqual([5, 7]);
});

test("LogWriter.append() ends a foreign line that lacks its newline, and cuts a foreign half line", () => {
  using dir = new LogDir();
  const writer = dir.openWriter();
  dir.put(writer, 1, T0);
  writeFileSync(writer.path, `${numbered(100, T0)}`, { flag: "a" });
  dir.put(writer, 1, T0);
  writeFileSync(writer.path, `{"half`, { flag: "a" });
  dir.put(writer, 1, T0);
  writer.close();
  expect(numbersIn(dir.text())).toEqual([0, 100, 1, 2]);
});

test("LogWriter carries the lines written meanwhile over into a trimmed copy, and keeps the file's mode", async () => {
  using dir = new LogDir();
  const writer = dir.openWriter();
  dir.put(writer, 50);
  dir.sh(`umask 022; tail -n 10 ${writer.path} > t`);
  dir.put(writer, 20);
  dir.sh(`mv t ${writer.path}`);
  dir.put(writer, 5);
  await until(() => numbersIn(dir.text()).includes(74));
  dir.put(writer, 5);
  writer.close();
  expect(numbersIn(dir.text())).toEqual(range(40, 80));
  expect(statSync(writer.path).mode & 0o777).toBe(0o600);
});

test("LogWriter carries over without a further event, and before it is closed", async () => {
  using dir = new LogDir();
  let writer = dir.openWriter();
  dir.put(writer, 5);
  dir.sh(`cp ${writer.path} t`);
  dir.put(writer, 5);
  dir.sh(`mv t ${writer.path}`);
  writer.tick(Date.now());
  await until(() => numbersIn(dir.text()).length === 10);
  dir.sh(`cp ${writer.path} t`);
  dir.put(writer, 5);
  dir.sh(`mv t ${writer.path}`);
  writer.close();
  expect(numbersIn(dir.text())).toEqual(range(0, 15));
  writer = dir.openWriter();
  writer.close();
});

test("LogWriter finds the end of a copy among lines that are all the same", () => {
  for (const kept of [1, 2, 3, 7]) {
    using dir = new LogDir();
    const writer = dir.openWriter();
    const same = Buffer.from(`${numbered(7, T0)}\n`.repeat(10));
    dir.put(writer, 3, T0);
    writer.append(same, same.length, 10, T0);
    // The copying tool saw only the first of them.
    const lines = readFileSync(writer.path, "utf8")
      .split("\n")
      .slice(0, 3 + kept);
    writeFileSync(join(dir.path, "t"), `${lines.join("\n")}\n`);
    renameSync(join(dir.path, "t"), writer.path);
    writer.close();
    expect(numbersIn(dir.text())).toEqual([0, 1, 2, ...Array(10).fill(7)]);
  }
});

test("LogWriter carries over after a copy that jq has rewritten, filtered or spread over several lines", () => {
  const rewrites: [string, (text: string) => string, number[]][] = [
    [
      "other key order",
      (text) => relines(text, (line) => ({ zzz: 1, ...Object.fromEntries(Object.entries(line).reverse()) })),
      range(0, 20),
    ],
    [
      "fewer keys",
      (text) => relines(text, ({ time, event_type, path }) => ({ time, event_type, path })),
      range(0, 20),
    ],
    [
      "only some lines",
      (text) => relines(text, (line) => (line.path.endsWith("3") ? line : null)),
      [3, ...range(4, 20)],
    ],
    [
      "spread",
      (text) =>
        parsed(text)
          .map((line) => `${JSON.stringify(line, null, 2)}\n`)
          .join(""),
      [],
    ],
  ];
  for (const [name, rewrite, wanted] of rewrites) {
    using dir = new LogDir();
    const writer = dir.openWriter();
    for (let i = 0; i < 10; i++) dir.put(writer, 1, T0 + i);
    const copy = rewrite(readFileSync(writer.path, "utf8"));
    for (let i = 10; i < 20; i++) dir.put(writer, 1, T0 + i);
    writeFileSync(join(dir.path, "t"), copy);
    renameSync(join(dir.path, "t"), writer.path);
    writer.close();
    const text = dir.text();
    // Its last line can't be told from others of that moment: rather twice than lost.
    if (name === "spread") expect(numbersIn(text.slice(copy.length))).toEqual(range(9, 20));
    else expect(numbersIn(text, JSON.parse)).toEqual(wanted);
  }
});

test("LogWriter carries over what came after the copying began when the copy kept no line at all", async () => {
  using dir = new LogDir();
  const writer = dir.openWriter();
  const longAgo = Date.now() - 60_000;
  dir.put(writer, 5, longAgo);
  dir.sh("sleep 0.02; : > t; sleep 0.02");
  dir.put(writer, 5);
  dir.sh(`mv t ${writer.path}`);
  writer.close();
  expect(numbersIn(dir.text())).toEqual(range(5, 10));
});

test("LogWriter leaves a copy alone while it is still being written", async () => {
  using dir = new LogDir();
  const writer = dir.openWriter();
  dir.put(writer, 20, T0);
  const [first, second] = halves(readFileSync(writer.path, "utf8"));
  // As mv does from another filesystem: the name is there, the content follows.
  unlinkSync(writer.path);
  writeFileSync(writer.path, first);
  dir.put(writer, 5, T0);
  writeFileSync(writer.path, second, { flag: "a" });
  dir.put(writer, 5, T0);
  await until(() => existsSync(writer.path) && numbersIn(readFileSync(writer.path, "utf8")).length === 30);
  writer.close();
  expect(numbersIn(dir.text())).toEqual(range(0, 30));
});

test("LogWriter.seal() makes a segment of what there is, and does nothing for a log without events", () => {
  using dir = new LogDir();
  const writer = dir.openWriter();
  dir.put(writer, 2, T0);
  expect(writer.seal()).toBe(true);
  expect(writer.seal()).toBe(false);
  dir.put(writer, 2, T0);
  writer.close();
  expect(readdirSync(dir.path).length).toBe(2);
  expect(numbersIn(dir.text())).toEqual(range(0, 4));
});

test("LogWriter keeps events while another thing has the log's name, and writes them with a GAP afterwards", async () => {
  using dir = new LogDir();
  const writer = dir.openWriter();
  dir.put(writer, 1);
  unlinkSync(writer.path);
  mkdirSync(writer.path);
  dir.put(writer, 5);
  expect(writer.incompleteSinceMs).not.toBeNull();
  rmSync(writer.path, { recursive: true });
  await until(() => writer.incompleteSinceMs === null);
  dir.put(writer, 1);
  writer.close();
  expect(numbersIn(dir.text())).toEqual(range(1, 7));
  expect(parsed(dir.text()).filter((line) => line.event_type === "GAP")).toMatchObject([
    { reason: "write_error", lost: 0 },
  ]);
  expect(dir.trouble.length).toBe(2);
});

test("LogWriter.hold() stops writing, release() writes what was kept and a GAP", () => {
  using dir = new LogDir();
  const writer = dir.openWriter();
  writer.hold(T0);
  dir.put(writer, 3, T0);
  expect(numbersIn(dir.text())).toEqual([]);
  writer.release(T0 + 1000);
  writer.close();
  expect(numbersIn(dir.text())).toEqual([0, 1, 2]);
  expect(parsed(dir.text()).at(-1)).toMatchObject({ event_type: "GAP", reason: "disk_full", lost: 0 });
  expect(dir.gaps).toEqual(["disk_full"]);
});

function relines(text: string, change: (line: ReturnType<typeof parsed>[number]) => object | null): string {
  return parsed(text)
    .map(change)
    .filter((line) => line !== null)
    .map((line) => `${JSON.stringify(line)}\n`)
    .join("");
}

function halves(text: string): [string, string] {
  const middle = Math.floor(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)];
}
