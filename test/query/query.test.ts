import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../../src/failure.ts";
import { liveName, logHash, segmentName } from "../../src/log/names.ts";
import { formatTime } from "../../src/log/time.ts";
import { runQuery } from "../../src/query/query.ts";
import { event, gap, Logs, T0, watch } from "./logs.ts";

test("runQuery() prints since ≤ time < until, to the millisecond", async () => {
  using logs = new Logs();
  const lines = [0, 1, 1, 2, 3].map((ms, i) => event(ms, `/m/${i}`));
  logs.live("/m", ...lines);
  expect((await logs.ask({ sinceMs: T0 + 1, untilMs: T0 + 3 })).lines).toEqual(lines.slice(1, 4));
  expect((await logs.ask({ sinceMs: T0 + 4 })).lines).toEqual([]);
  expect((await logs.ask({ untilMs: T0 })).lines).toEqual([]);
  expect(await logs.ask({ sinceMs: T0 + 2, untilMs: T0 + 2 })).toMatchObject({ text: "", exitCode: 0 });
});

test("runQuery() finds nothing in an absent or empty directory, and that is no fault", async () => {
  using logs = new Logs();
  expect(await logs.ask()).toMatchObject({ text: "", exitCode: 0 });
  expect(await logs.ask({ logDir: join(logs.path, "none") })).toMatchObject({ text: "", exitCode: 0 });
  logs.file(liveName(logHash("/m")), "");
  expect(await logs.ask()).toMatchObject({ text: "", exitCode: 0 });
});

test("runQuery() merges all logs in time order", async () => {
  using logs = new Logs();
  const wanted: string[] = [];
  for (let i = 0; i < 300; i++) wanted.push(event(i, `/m${i % 7}/${i}`));
  for (let root = 0; root < 7; root++) {
    const own = wanted.filter((_, i) => i % 7 === root);
    logs.segment(`/m${root}`, 1, ...own.slice(0, 20));
    logs.live(`/m${root}`, ...own.slice(20));
  }
  expect((await logs.ask()).lines).toEqual(wanted);
});

test("runQuery() merges segments whose times overlap because the clock was set back", async () => {
  using logs = new Logs();
  const early = [event(0, "/m/a"), event(100, "/m/b")];
  const late = [event(50, "/m/c"), event(60, "/m/d")];
  logs.segment("/m", 1, ...early);
  logs.live("/m", ...late);
  expect((await logs.ask()).lines).toEqual([early[0]!, ...late, early[1]!]);
});

test("runQuery() --path with a managed path prints all of its log and nothing else", async () => {
  using logs = new Logs();
  const mine = [event(0, "/m/a"), event(1, "/elsewhere", { monitored_path: "/m" })];
  logs.live("/m", ...mine);
  logs.live("/other", event(0, "/other/a"));
  expect((await logs.ask({ paths: ["/m"] })).lines).toEqual(mine);
  expect((await logs.ask({ paths: ["/m/"] })).lines).toEqual(mine);
});

test("runQuery() --path below a managed path prints what happened there, moves out of it included", async () => {
  using logs = new Logs();
  const wanted = [
    event(0, "/m/dir"),
    event(1, "/m/dir/file"),
    event(2, "/m/other", { event_type: "MOVED_TO", from: "/m/dir/file" }),
    event(3, "/m/other", { event_type: "MOVED_FROM", to: "/m/dir/file" }),
    watch(4, "changed"),
  ];
  const others = [
    event(0, "/m/dir2"),
    event(1, "/m/di"),
    event(2, "/m/x/m/dir/file"),
    event(3, "/m/dir".slice(0, 2), { cmd: "/m/dir" }),
  ];
  logs.live("/m", ...[...wanted, ...others].toSorted((a, b) => (a.slice(0, 38) < b.slice(0, 38) ? -1 : 1)));
  expect((await logs.ask({ paths: ["/m/dir"], managedPaths: ["/m"] })).lines).toEqual(wanted);
});

test("runQuery() --path knows a path by every way of writing it", async () => {
  using logs = new Logs();
  const name = 'ü "x"\u0085';
  const plain = event(0, `/m/${name}/f`);
  const escaped = plain
    .replaceAll("ü", "\\u00fc")
    .replaceAll("\u0085", "\\u0085")
    .replaceAll("/m/", "\\/m\\/");
  logs.live("/m", plain, escaped, event(0, "/m/u"));
  expect((await logs.ask({ paths: [`/m/${name}`], managedPaths: ["/m"] })).lines).toEqual([plain, escaped]);
});

test("runQuery() --path finds the log of a path that isn't managed any more by its first line", async () => {
  using logs = new Logs();
  logs.live("/m", event(0, "/m/a/b"));
  expect((await logs.ask({ paths: ["/m/a"] })).lines.length).toBe(1);
});

test("runQuery() --path may be given several times, and a line is printed once a log", async () => {
  using logs = new Logs();
  logs.live("/m", event(0, "/m/a/1"), event(1, "/m/b/2"), event(2, "/m/c/3"));
  const ask = async (...paths: string[]) => (await logs.ask({ paths, managedPaths: ["/m"] })).lines.length;
  expect(await ask("/m/a", "/m/b")).toBe(2);
  expect(await ask("/m/a", "/m/a/1")).toBe(1);
  expect(await ask("/m/a", "/m")).toBe(3);
  expect(await ask("/m", "/m/a")).toBe(3);
});

test("runQuery() --path asks every managed path above it, and the managed path itself alone", async () => {
  using logs = new Logs();
  logs.live("/m", event(0, "/m/a/1"));
  logs.live("/m/a", event(0, "/m/a/1", { monitored_path: "/m/a" }));
  const managedPaths = ["/m", "/m/a"];
  expect((await logs.ask({ paths: ["/m/a/1"], managedPaths })).lines.length).toBe(2);
  expect((await logs.ask({ paths: ["/m/a"], managedPaths })).lines.length).toBe(1);
});

test("runQuery() --path follows a link to where it leads", async () => {
  using logs = new Logs();
  const tree = join(logs.path, "tree");
  mkdirSync(tree);
  symlinkSync(tree, join(logs.path, "link"));
  logs.live(tree, event(0, `${tree}/a`, { monitored_path: tree }));
  expect((await logs.ask({ paths: [join(logs.path, "link")] })).lines.length).toBe(1);
});

test("runQuery() fails for a path without a log, and quotes it", async () => {
  using logs = new Logs();
  logs.live("/m", event(0, "/m/a"));
  for (const path of ["/mm", "/", "/n/m"]) {
    await expect(logs.ask({ paths: [path] })).rejects.toThrow(new Failure(`There is no log for "${path}"`));
  }
});

test("runQuery() prints a GAP that touches the range, wherever it was written, and no other", async () => {
  using logs = new Logs();
  const crash = gap(9000, 1500, 9000);
  logs.segment("/m", 1, event(1000, "/m/a"), event(1400, "/m/b"));
  logs.live("/m", gap(5000, 4000, 5000), crash, event(9500, "/m/c"));
  expect((await logs.ask({ sinceMs: T0 + 1000, untilMs: T0 + 2000 })).lines).toEqual([
    event(1000, "/m/a"),
    event(1400, "/m/b"),
    crash,
  ]);
  expect((await logs.ask({ sinceMs: T0 + 6000, untilMs: T0 + 7000 })).lines).toEqual([crash]);
  expect((await logs.ask({ sinceMs: T0, untilMs: T0 + 1500 })).lines.length).toBe(2);
});

test("runQuery() prints the GAP of a clock that was set back for all the time it covers", async () => {
  using logs = new Logs();
  const back = gap(0, 0, 60_000, { reason: "clock" });
  logs.segment("/m", 1, event(60_000, "/m/a"));
  logs.live(
    "/m",
    watch(0, "continued"),
    back,
    ...Array.from({ length: 200 }, (_, i) => event(1000 + i, `/m/${i}`)),
    event(50_000, "/m/b"),
  );
  expect((await logs.ask({ sinceMs: T0 + 30_000, untilMs: T0 + 70_000 })).lines).toEqual([
    back,
    event(50_000, "/m/b"),
    event(60_000, "/m/a"),
  ]);
});

test("runQuery() counts complete lines that are no events, and passes over what is nobody's fault", async () => {
  using logs = new Logs();
  const good = [event(0, "/m/a"), event(1, "/m/b"), event(2, "/m/c")];
  const text = `${good[0]}\n\n   \n\0\0\0\0\n${"\0".repeat(100)}${good[1]}\nnot json\n{"torn":"li\n[1]\n{}\n${good[2]}\n{"unfinished":`;
  logs.file(liveName(logHash("/m")), text);
  const { lines, linesSkipped, exitCode, notes } = await logs.ask();
  expect(lines).toEqual(good);
  expect(linesSkipped).toBe(4);
  expect(exitCode).toBe(1);
  expect(notes).toEqual(["Skipped 4 lines that are no events"]);
});

test("runQuery() doesn't print a line as an event that only looks like one at both ends", async () => {
  using logs = new Logs();
  const line = event(0, "/m/a");
  logs.live("/m", line.slice(0, 70) + line, `${line.slice(0, 60)}}`, `${line.slice(0, 47)},oops}`, line);
  expect(await logs.ask()).toMatchObject({ lines: [line], linesSkipped: 3 });
});

test("runQuery() reads lines that are longer than every buffer", async () => {
  using logs = new Logs();
  const long = event(1, "/m/long", { args: "ü".repeat(3_000_000) });
  const zeros = "\0".repeat(2_000_000);
  const lines = [event(0, "/m/a"), long, event(2, "/m/b")];
  logs.file(liveName(logHash("/m")), `${lines[0]}\n${zeros}${long}\n${lines[2]}\n`);
  expect((await logs.ask()).lines).toEqual(lines);
  expect((await logs.ask({ sinceMs: T0 + 1, untilMs: T0 + 2 })).lines).toEqual([long]);
  expect((await logs.ask({ sinceMs: T0 + 2 })).lines).toEqual([lines[2]!]);
});

test("runQuery() reads segments that somebody packed, and takes the plain one while both are there", async () => {
  using logs = new Logs();
  const lines = Array.from({ length: 4000 }, (_, i) => event(i, `/m/${i}`));
  const first = logs.segment("/m", 1, ...lines.slice(0, 1000));
  const second = logs.segment("/m", 2, ...lines.slice(1000, 2000));
  const third = logs.segment("/m", 3, ...lines.slice(2000, 3000));
  logs.live("/m", ...lines.slice(3000));
  if (spawnSync("zstd", ["-q", "--rm", first]).status !== 0) throw new Error("zstd is needed for this test");
  spawnSync("gzip", [second]);
  spawnSync("zstd", ["-q", third]);
  expect((await logs.ask()).lines).toEqual(lines);
  expect((await logs.ask({ sinceMs: T0 + 500, untilMs: T0 + 1500 })).lines).toEqual(lines.slice(500, 1500));
  expect((await logs.ask({ sinceMs: T0 + 3500 })).lines).toEqual(lines.slice(3500));
  expect((await logs.ask({ files: [`${first}.zst`, `${second}.gz`] })).lines).toEqual(lines.slice(0, 2000));
});

test("runQuery() passes a packed segment over only where the next one's head shows that it ends before the range", async () => {
  using logs = new Logs();
  // Times went back with no GAP `clock` to say so: somebody else has put the lines there.
  const late = event(16_000, "/m/late");
  const first = logs.segment("/m", 1, event(10_000, "/m/a"), late);
  logs.live("/m", event(12_000, "/m/b"));
  const ask = async () => (await logs.ask({ sinceMs: T0 + 15_000 })).lines;
  expect(await ask()).toEqual([late]);
  spawnSync("gzip", [first]);
  expect(await ask()).toEqual([late]);
  // A head that the daemon wrote after another segment proves nothing of this one.
  logs.live("/m", watch(12_000, "continued", { segment: 3 }), event(12_000, "/m/b"));
  expect(await ask()).toEqual([late]);
  // Damaged so that reading it would be a fault: not read, where the daemon went over from it to the next.
  logs.live("/m", watch(12_000, "continued", { segment: 2 }), event(12_000, "/m/b"));
  truncateSync(`${first}.gz`, 30);
  expect(await logs.ask({ sinceMs: T0 + 15_000 })).toMatchObject({ lines: [], exitCode: 0 });
});

test("runQuery() --file reads zstd that begins with a skippable frame, as pzstd's does", async () => {
  using logs = new Logs();
  const path = logs.file("f", `${event(1, "/m/a")}\n`);
  const packed = spawnSync("zstd", ["-qc", path]).stdout;
  writeFileSync(path, Buffer.concat([Buffer.from("502a4d180400000078797a00", "hex"), packed]));
  expect((await logs.ask({ files: [path] })).lines).toEqual([event(1, "/m/a")]);
});

test("runQuery() finds a GAP behind its range however the line is spelled", async () => {
  using logs = new Logs();
  const written = gap(200, 50, 150, { cmd: "GAP" });
  const spelled = written.replaceAll('":', '": ').replaceAll(',"', ', "');
  logs.live("/m", event(100, "/m/a"), written, spelled, event(300, "/m/b"));
  const during = { sinceMs: T0 + 60, untilMs: T0 + 70 };
  expect((await logs.ask(during)).lines).toEqual([written, spelled]);
});

test("runQuery() finds a GAP behind its range however many zeros a punched hole has left before it", async () => {
  for (const zeros of [70_000, 1024 * 1024 - 100, 1024 * 1024, 3_000_000]) {
    using logs = new Logs();
    const late = gap(90_000, 1000, 80_000);
    logs.live(
      "/m",
      event(0, "/m/a"),
      event(60_000, "/m/b"),
      "\0".repeat(zeros) + late,
      event(95_000, "/m/c"),
    );
    expect((await logs.ask({ sinceMs: T0 + 500, untilMs: T0 + 50_000 })).lines).toEqual([late]);
  }
});

test("runQuery() says which packed file is damaged, prints what it can, and exits with 1", async () => {
  using logs = new Logs();
  const lines = Array.from({ length: 20_000 }, (_, i) => event(i, `/m/${i * 7919}`));
  const path = logs.segment("/m", 1, ...lines);
  spawnSync("gzip", [path]);
  truncateSync(`${path}.gz`, 50_000);
  const { lines: printed, notes, exitCode } = await logs.ask();
  expect(printed.length).toBeGreaterThan(100);
  expect(printed).toEqual(lines.slice(0, printed.length));
  expect(notes[0]).toStartWith(`Cannot read all of "${path}.gz"`);
  expect(exitCode).toBe(1);
});

test("runQuery() --file reads any file in any order, and sorts equal times by their place", async () => {
  using logs = new Logs();
  const lines = Array.from({ length: 5000 }, (_, i) => event(Math.floor(i / 3), `/m/${i}`));
  const shuffled = lines.toSorted((a, b) => (Bun.hash(a) < Bun.hash(b) ? -1 : 1));
  const path = logs.file("any", shuffled.map((line) => `${line}\n`).join(""));
  const timeOf = (line: string) => line.slice(9, 38);
  const wanted = shuffled.toSorted((a, b) => (timeOf(a) < timeOf(b) ? -1 : timeOf(a) > timeOf(b) ? 1 : 0));
  expect((await logs.ask({ files: [path] })).lines).toEqual(wanted);
  const part = wanted.filter(
    (line) => timeOf(line) >= formatTime(T0 + 100) && timeOf(line) < formatTime(T0 + 200),
  );
  expect((await logs.ask({ files: [path], sinceMs: T0 + 100, untilMs: T0 + 200 })).lines).toEqual(part);
});

test("runQuery() --file with more than fits into memory sorts all the same", async () => {
  using logs = new Logs();
  const lines = Array.from({ length: 60_000 }, (_, i) =>
    event((i * 7919) % 60_000, `/m/${i}`, { args: "x".repeat(60) }),
  );
  const path = logs.file("large", lines.map((line) => `${line}\n`).join(""));
  const { lines: printed } = await logs.ask({ files: [path] });
  expect(printed).toEqual(lines.toSorted());
});

test("runQuery() --file fails for a file that isn't there and for a directory", async () => {
  using logs = new Logs();
  await expect(logs.ask({ files: [join(logs.path, "none")] })).rejects.toThrow(
    /^Cannot read ".*none": no such file or directory \(ENOENT\)$/,
  );
  await expect(logs.ask({ files: [logs.path] })).rejects.toThrow("it is a directory");
});

test("runQuery() stops as soon as nobody reads any more", async () => {
  using logs = new Logs();
  logs.live("/m", ...Array.from({ length: 5000 }, (_, i) => event(i, `/m/${i}`)));
  let writes = 0;
  const sink = { write: () => ++writes < 1 };
  const request = {
    logDir: logs.path,
    paths: [],
    sinceMs: null,
    untilMs: null,
    files: null,
    managedPaths: [],
  };
  expect(await runQuery(request, sink, () => {})).toMatchObject({ exitCode: 0 });
  expect(writes).toBe(1);
});

test("runQuery() survives a file that is cut, renamed or deleted while it is read", async () => {
  for (const change of [
    (path: string) => truncateSync(path, 1000),
    (path: string) => renameSync(path, path.replace("_log", ".000001_log")),
    (path: string) => rmSync(path),
  ]) {
    using logs = new Logs();
    const lines = Array.from({ length: 20_000 }, (_, i) => event(i, `/m/${i}`));
    const path = logs.live("/m", ...lines);
    const parts: Buffer[] = [];
    const sink = {
      write: (bytes: Uint8Array) => {
        if (parts.length === 0) change(path);
        parts.push(Buffer.from(bytes));
        return true;
      },
    };
    const request = {
      logDir: logs.path,
      paths: [],
      sinceMs: null,
      untilMs: null,
      files: null,
      managedPaths: [],
    };
    await runQuery(request, sink, () => {});
    const printed = Buffer.concat(parts).toString().split("\n").slice(0, -1);
    expect(printed).toEqual(lines.slice(0, printed.length));
  }
});

test("runQuery() prints a file once that has two names in the directory", async () => {
  using logs = new Logs();
  const path = logs.live("/m", event(0, "/m/a"));
  spawnSync("ln", [path, join(logs.path, segmentName(logHash("/m"), 1))]);
  expect((await logs.ask()).lines.length).toBe(1);
});
