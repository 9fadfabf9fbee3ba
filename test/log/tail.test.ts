import { expect, test } from "bun:test";
import { closeSync, constants, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { linesBackward, repairTail, wholeLinesEnd } from "../../src/log/tail.ts";
import { LogDir } from "./log-dir.ts";

function withFile<T>(content: string, work: (fd: number, path: string) => T): T {
  using dir = new LogDir();
  const path = join(dir.path, "file");
  writeFileSync(path, content);
  const fd = openSync(path, constants.O_RDWR | constants.O_APPEND);
  try {
    return work(fd, path);
  } finally {
    closeSync(fd);
  }
}

const repaired = (content: string) =>
  withFile(content, (fd, path) => {
    const size = repairTail(fd);
    const text = readFileSync(path, "utf8");
    expect(size).toBe(Buffer.byteLength(text));
    return text;
  });

test("repairTail() leaves whole lines alone", () => {
  for (const content of ["", '{"a":1}\n', "not json\n", "\n\n"]) expect(repaired(content)).toBe(content);
});

test("repairTail() cuts a torn line off, in the middle of a character too", () => {
  expect(repaired('{"a":1}\n{"b":"tor')).toBe('{"a":1}\n');
  expect(repaired('{"b":"tor')).toBe("");
  const torn = Buffer.concat([Buffer.from('{"a":1}\n{"b":"'), Buffer.from("ü").subarray(0, 1)]).toString(
    "latin1",
  );
  expect(
    withFile("", (fd, path) => {
      writeFileSync(path, Buffer.from(torn, "latin1"));
      repairTail(fd);
      return readFileSync(path, "utf8");
    }),
  ).toBe('{"a":1}\n');
});

test("repairTail() ends a line that lacks nothing but its newline", () => {
  expect(repaired('{"a":1}\n{"b":"ü"}')).toBe('{"a":1}\n{"b":"ü"}\n');
});

test("repairTail() cuts off the zeros that a power cut leaves", () => {
  expect(repaired(`{"a":1}\n${"\0".repeat(200_000)}`)).toBe('{"a":1}\n');
  expect(repaired(`{"a":1}\n{"b":${"\0".repeat(5000)}`)).toBe('{"a":1}\n');
  expect(repaired(`{"a":1}\n{"b":2}${"\0".repeat(5000)}`)).toBe('{"a":1}\n{"b":2}\n');
});

test("repairTail() throws nothing away that is longer than a line of ours can be", () => {
  const long = "x".repeat(2_000_000);
  expect(repaired(`{"a":1}\n${long}`)).toBe(`{"a":1}\n${long}\n`);
});

test("wholeLinesEnd() finds the last newline across blocks", () => {
  withFile(`a\n${"b".repeat(200_000)}`, (fd) => expect(wholeLinesEnd(fd, 200_002)).toBe(2));
  withFile("b".repeat(200_000), (fd) => expect(wholeLinesEnd(fd, 200_000)).toBe(0));
});

test("linesBackward() yields every line with its offset, last first, whatever the block boundaries cut", () => {
  for (const lengths of [
    [1, 2, 3],
    [65_535, 65_536, 65_537],
    [1, 200_000, 1],
    Array.from({ length: 5000 }, (_, i) => i % 97),
  ]) {
    const lines = lengths.map((length, i) => String.fromCharCode(97 + (i % 26)).repeat(length));
    const content = lines.map((line) => `${line}\n`).join("");
    const back = withFile(content, (fd) =>
      [...linesBackward(fd, content.length, content.length)].map(({ at, bytes }) => {
        expect(content.slice(at, at + bytes.length)).toBe(bytes.toString());
        return bytes.toString();
      }),
    );
    expect(back).toEqual(lines.filter((line) => line !== "").reverse());
  }
});

test("linesBackward() looks no further back than it may", () => {
  const content = "aaaa\nbbbb\ncccc\n";
  withFile(content, (fd) => {
    expect([...linesBackward(fd, 15, 7)].map((line) => line.bytes.toString())).toEqual(["cccc"]);
  });
});
