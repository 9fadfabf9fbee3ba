import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EVENT_TYPES, type EventType, type ManagedPath, TYPE_BITS } from "../../src/event.ts";
import type { LogWriter } from "../../src/log/writer.ts";
import { Attribution } from "../../src/pipeline/attribution.ts";
import { LineMaker } from "../../src/pipeline/lines.ts";
import { WatchedPath } from "../../src/pipeline/watched-path.ts";
import { Executables } from "../../src/process/executables.ts";
import { ProcessTable } from "../../src/process/table.ts";
import { type Occurrence, Occurrences } from "../../src/resolve/occurrence.ts";
import type { Place } from "../../src/resolve/watch.ts";
import { managedPath } from "../support/managed-path.ts";

const home = mkdtempSync(join(tmpdir(), "fsmon-lines-"));
writeFileSync(join(home, "five"), "12345");
mkdirSync(join(home, "directory"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const CHILD = 10_000_001;
const table = new ProcessTable();
table.find(process.pid);
table.apply([
  { kind: "fork", timeNs: 1, pid: CHILD, tid: CHILD, parentPid: process.pid, parentTid: process.pid },
  { kind: "comm", timeNs: 2, pid: CHILD, tid: CHILD, comm: "cc", exec: true },
]);

/** Keeps what is appended. */
class Kept {
  readonly path = "/nowhere";
  text = "";
  append(bytes: Buffer, length: number): void {
    this.text += bytes.toString("utf8", 0, length);
  }
}

let ids = 0;
/** A managed path with every type, and what its log got. */
function managed(options: Partial<ManagedPath> = {}): { watched: WatchedPath; log: Kept } {
  const log = new Kept();
  const spec = managedPath(home, { recursive: true, types: EVENT_TYPES, allEvents: true, ...options });
  return { watched: new WatchedPath(ids++, spec, log as unknown as LogWriter), log };
}

function place(watched: WatchedPath, path = watched.path, onlyName: string | null = null): Place {
  return {
    watch: watched,
    path: Buffer.from(path),
    depth: 0,
    onlyName: onlyName === null ? null : Buffer.from(onlyName),
    cached: null,
  };
}

/** An occurrence of these types, of an entry of that name (none: of the directory itself). */
function add(
  all: Occurrences,
  types: readonly EventType[],
  places: readonly Place[],
  name = "five",
): Occurrence {
  const mask = types.reduce((bits, type) => bits | TYPE_BITS[type], 0);
  const one = all.add(mask, CHILD, places, name === "");
  one.bytes = Buffer.from(`..${name}..`);
  one.nameAt = 2;
  one.nameBytes = Buffer.byteLength(name);
  return one;
}

function make(watches: readonly WatchedPath[], all: Occurrences, logDir = "/var/log/fsmon"): number {
  const byWatch = (watch: { id: number }) => watches.find((one) => one.id === watch.id);
  const maker = new LineMaker(
    byWatch,
    new Attribution(table, new Executables(false)),
    logDir,
    (_directory, name) => name.endsWith("_log.jsonl"),
    (_fs, _work, otherwise) => otherwise,
  );
  const lines = maker.make(all, 0);
  maker.flush(0);
  return lines;
}

interface Line {
  event_type: string;
  path: string;
  cmd: string | null;
  file_size: number;
  monitored_path: string;
  from?: string;
  to?: string;
  error?: number;
  pid: number | null;
}

const linesOf = (log: Kept): Line[] =>
  log.text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
const wordsOf = (log: Kept) =>
  linesOf(log).map((line) => [line.event_type, line.path.slice(home.length), line.file_size]);

describe("one occurrence", () => {
  test("becomes a line for each of its types, in the order of a life, with the file's size", () => {
    const { watched, log } = managed();
    const all = new Occurrences();
    add(all, ["CLOSE_WRITE", "MODIFY", "OPEN", "CREATE"], [place(watched)]);
    expect(make([watched], all)).toBe(4);
    expect(wordsOf(log)).toEqual([
      ["CREATE", "/five", 5],
      ["OPEN", "/five", 5],
      ["MODIFY", "/five", 5],
      ["CLOSE_WRITE", "/five", 5],
    ]);
    expect(watched.eventsLogged).toBe(4);
  });

  test("becomes lines of the wanted types only", () => {
    const { watched, log } = managed({ types: ["CREATE"] });
    const all = new Occurrences();
    add(all, ["CREATE", "OPEN"], [place(watched)]);
    add(all, ["OPEN"], [place(watched)]);
    make([watched], all);
    expect(wordsOf(log)).toEqual([["CREATE", "/five", 5]]);
  });

  test("goes to the log of each managed path that sees it, each with its own filters", () => {
    const one = managed();
    const two = managed({ types: ["DELETE"], path: "/elsewhere" });
    const three = managed({ types: ["CREATE"] });
    const all = new Occurrences();
    add(all, ["CREATE", "DELETE"], [place(one.watched), place(two.watched, home), place(three.watched)]);
    make([one.watched, two.watched, three.watched], all);
    expect([one, two, three].map(({ log }) => linesOf(log).map((line) => line.event_type))).toEqual([
      ["CREATE", "DELETE"],
      ["DELETE"],
      ["CREATE"],
    ]);
    expect(linesOf(two.log)[0]?.monitored_path).toBe("/elsewhere");
  });

  test("is forgotten for a managed path that was removed meanwhile", () => {
    const { watched, log } = managed();
    const all = new Occurrences();
    add(all, ["CREATE"], [place(watched)]);
    expect(make([], all)).toBe(0);
    expect(log.text).toBe("");
  });
});

describe("file_size", () => {
  test("is 0 for what is gone, for directories, and for types that tell of an end", () => {
    const { watched, log } = managed();
    const all = new Occurrences();
    add(all, ["CREATE"], [place(watched)], "nothing");
    add(all, ["CREATE"], [place(watched)], "directory").directory = true;
    add(all, ["ATTRIB"], [place(watched)], "");
    add(all, ["MODIFY", "DELETE", "DELETE_SELF"], [place(watched)]);
    make([watched], all);
    expect(linesOf(log).map((line) => line.file_size)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("is the size under the new name for a file that was renamed later in the batch", () => {
    const { watched, log } = managed();
    const all = new Occurrences();
    const written = add(all, ["CLOSE_WRITE"], [place(watched)], "old");
    written.renamedTo = add(all, ["MOVED_TO"], [place(watched)]);
    make([watched], all);
    expect(wordsOf(log)).toEqual([
      ["CLOSE_WRITE", "/old", 5],
      ["MOVED_TO", "/five", 5],
    ]);
  });

  test("decides by min_size, which keeps what can't be judged and leaves out directories", () => {
    const { watched, log } = managed({ minSizeBytes: 6 });
    const all = new Occurrences();
    add(all, ["MODIFY"], [place(watched)]);
    add(all, ["MODIFY"], [place(watched)], "nothing");
    add(all, ["DELETE"], [place(watched)]);
    add(all, ["CREATE"], [place(watched)], "directory").directory = true;
    make([watched], all);
    expect(wordsOf(log)).toEqual([
      ["MODIFY", "/nothing", 0],
      ["DELETE", "/five", 0],
    ]);
    expect([watched.eventsFiltered, watched.eventsLogged]).toEqual([2, 2]);
    const large = managed({ minSizeBytes: 5 });
    const again = new Occurrences();
    add(again, ["MODIFY"], [place(large.watched)]);
    expect(make([large.watched], again)).toBe(1);
  });

  test("is right for thousands of files in one batch", () => {
    const { watched, log } = managed();
    const all = new Occurrences();
    for (let i = 0; i < 3000; i++) add(all, ["MODIFY"], [place(watched)], i % 2 === 0 ? "five" : "nothing");
    expect(make([watched], all)).toBe(3000);
    expect(linesOf(log).every((line, i) => line.file_size === (i % 2 === 0 ? 5 : 0))).toBe(true);
  });
});

describe("filters", () => {
  test("leave out excluded names, never the managed path itself", () => {
    const { watched, log } = managed({ exclude: ["*.swp", "five"] });
    const all = new Occurrences();
    add(all, ["CREATE"], [place(watched)], "a.swp");
    add(all, ["CREATE"], [place(watched)], "kept");
    add(all, ["ATTRIB"], [place(watched)], "");
    add(all, ["DELETE"], [place(watched, home, "five")]);
    make([watched], all);
    expect(linesOf(log).map((line) => line.path.slice(home.length))).toEqual(["/kept", "", "/five"]);
    expect(watched.eventsFiltered).toBe(1);
  });

  test("choose by program", () => {
    const [only, but] = [managed({ onlyCmd: ["make"] }), managed({ excludeCmd: ["make"] })];
    const all = new Occurrences();
    add(all, ["CREATE"], [place(only.watched), place(but.watched)]);
    make([only.watched, but.watched], all);
    expect([only, but].map(({ log }) => linesOf(log).length)).toEqual([0, 1]);
  });

  test("keep what no program is known for", () => {
    const { watched, log } = managed({ onlyCmd: ["make"] });
    const all = new Occurrences();
    add(all, ["CREATE"], [place(watched)]).pid = 10_000_099;
    make([watched], all);
    expect(linesOf(log)[0]?.cmd).toBeNull();
  });
});

describe("in fsmon's own log directory", () => {
  test("reading is not reported: it would feed whoever follows the log", () => {
    const { watched, log } = managed();
    const all = new Occurrences();
    add(all, ["OPEN", "ACCESS", "CLOSE_NOWRITE"], [place(watched)], "1_log.jsonl");
    add(all, ["OPEN", "MODIFY"], [place(watched)], "1_log.jsonl");
    add(all, ["OPEN", "ACCESS"], [place(watched)], "");
    make([watched], all, home);
    expect(linesOf(log).map((line) => line.event_type)).toEqual(["MODIFY"]);
  });

  test("of whatever else lies there, it is", () => {
    const { watched, log } = managed();
    const all = new Occurrences();
    add(all, ["OPEN", "CLOSE_NOWRITE"], [place(watched)]);
    make([watched], all, home);
    expect(linesOf(log).map((line) => line.event_type)).toEqual(["OPEN", "CLOSE_NOWRITE"]);
  });

  test("is not what merely begins with its name", () => {
    const { watched, log } = managed();
    const all = new Occurrences();
    add(all, ["OPEN"], [place(watched)]);
    make([watched], all, home.slice(0, -1));
    expect(log.text).not.toBe("");
  });
});

describe("further keys", () => {
  test("tell the other end of a rename by the type: to for MOVED_FROM, from for MOVED_TO, none for MOVE_SELF", () => {
    const { watched, log } = managed();
    const all = new Occurrences();
    add(all, ["MOVED_FROM"], [place(watched)], "old").otherEnd = Buffer.from("/new");
    add(all, ["MOVED_TO", "MOVE_SELF"], [place(watched)]).otherEnd = Buffer.from("/old");
    make([watched], all);
    expect(linesOf(log).map(({ event_type, from, to }) => [event_type, from, to])).toEqual([
      ["MOVED_FROM", undefined, "/new"],
      ["MOVED_TO", "/old", undefined],
      ["MOVE_SELF", undefined, undefined],
    ]);
  });

  test("tell a filesystem's error, behind which no process stands", () => {
    const { watched, log } = managed({ onlyCmd: ["make"] });
    const all = new Occurrences();
    const one = add(all, ["FS_ERROR"], [place(watched)], "");
    Object.assign(one, { error: 117, errorCount: 2 });
    make([watched], all);
    expect(linesOf(log)[0]).toMatchObject({
      path: home,
      error: 117,
      error_count: 2,
      pid: null,
      cmd: null,
      file_size: 0,
      who_reason: "kernel",
    });
  });

  test("put DELETE first for a link that was removed and made again and is there now", () => {
    const { watched, log } = managed();
    const all = new Occurrences();
    add(all, ["CREATE", "DELETE"], [place(watched)]).merged = true;
    add(all, ["CREATE", "DELETE"], [place(watched)], "nothing").merged = true;
    make([watched], all);
    expect(wordsOf(log).map((words) => words.slice(0, 2))).toEqual([
      ["DELETE", "/five"],
      ["CREATE", "/five"],
      ["CREATE", "/nothing"],
      ["DELETE", "/nothing"],
    ]);
  });
});
