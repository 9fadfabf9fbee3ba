// The two edges of a query: the end of a file whose last line lacks its newline, and times finer than a log's.
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseTime } from "../../src/filter/units.ts";
import { liveName, logHash } from "../../src/log/names.ts";
import { event, Logs, T0 } from "./logs.ts";

const lines = [event(0, "/m/a"), event(1, "/m/b"), event(2, "/m/c")];

for (const [what, end, printed] of [
  ["a whole event", lines[2]!, lines],
  ["a whole event and white space", `${lines[2]} \r`, lines],
  ["a whole event and the zeros of a power cut", `${lines[2]}\0\0\0`, lines],
  ["a torn event", lines[2]!.slice(0, -1), lines.slice(0, 2)],
  ["a torn event that ends as a whole one", lines[2]!.slice(0, 60).concat("}"), lines.slice(0, 2)],
  ["no JSON at all", "some words", lines.slice(0, 2)],
] as const) {
  const text = `${lines[0]}\n${lines[1]}\n${end}`;
  const wanted = { text: printed.map((line) => `${line}\n`).join(""), exitCode: 0, notes: [] };
  const late = printed.length === 3 ? `${lines[2]}\n` : "";

  test(`runQuery() --file with ${what} without a newline at its end`, async () => {
    using logs = new Logs();
    const file = logs.file("any", text);
    expect(await logs.ask({ files: [file] })).toMatchObject(wanted);
    expect((await logs.ask({ files: [file], sinceMs: T0 + 2 })).text).toBe(late);
    const unsorted = logs.file("unsorted", `${lines[1]}\n${lines[0]}\n${end}`);
    expect(await logs.ask({ files: [unsorted] })).toMatchObject(wanted);
    expect((await logs.ask({ files: [file, unsorted] })).lines.length).toBe(2 * printed.length);
    writeFileSync(join(logs.path, "packed"), text);
    spawnSync("gzip", [join(logs.path, "packed")]);
    expect(await logs.ask({ files: [join(logs.path, "packed.gz")] })).toMatchObject(wanted);
  });

  test(`runQuery() of a log that ends with ${what} without a newline`, async () => {
    using logs = new Logs();
    logs.file(liveName(logHash("/m")), text);
    expect(await logs.ask()).toMatchObject(wanted);
    expect((await logs.ask({ sinceMs: T0 + 2 })).text).toBe(late);
    expect((await logs.ask({ untilMs: T0 + 2 })).lines).toEqual(lines.slice(0, 2));
    logs.file(liveName(logHash("/m")), end);
    expect((await logs.ask()).text).toBe(late);
  });
}

test("runQuery() prints a last line that zeros follow in place of its newline, however many", async () => {
  using logs = new Logs();
  const last = event(2, "/m/b");
  for (const zeros of [1, 5000, 3_000_000]) {
    logs.file(liveName(logHash("/m")), `${event(1, "/m/a")}\n${last}${"\0".repeat(zeros)}`);
    expect((await logs.ask({ sinceMs: T0 + 2 })).lines).toEqual([last]);
  }
});

test("runQuery() --file with a single line before a carriage return prints the line and a newline", async () => {
  using logs = new Logs();
  const file = logs.file("any", `${lines[0]}\r\n`);
  expect((await logs.ask({ files: [file] })).text).toBe(`${lines[0]}\n`);
});

test("runQuery() compares times that are finer than a millisecond", async () => {
  using logs = new Logs();
  logs.live("/m", ...lines);
  const at = (text: string) => parseTime(`2026-05-07T10:00:00.${text}Z`, 0);
  for (const finer of ["0001", "0005", "00099999999", "000000000001"]) {
    expect((await logs.ask({ sinceMs: at(finer) })).lines).toEqual(lines.slice(1));
    expect((await logs.ask({ untilMs: at(finer) })).lines).toEqual(lines.slice(0, 1));
  }
  const finer = ["0000", "0002", "0004", "0010005"].map((digits, i) =>
    event(0, `/m/${i}`).replace(/\.\d+\+00:00/, `.${digits}+00:00`),
  );
  const file = logs.file("finer", finer.toReversed().join("\n"));
  expect((await logs.ask({ files: [file] })).lines).toEqual(finer);
  expect((await logs.ask({ files: [file], sinceMs: at("0002"), untilMs: at("0010005") })).lines).toEqual(
    finer.slice(1, 3),
  );
});
