import { expect, test } from "bun:test";
import { endOfValue, skipSpace } from "../../src/query/json-line.ts";
import { damaged, eventLine, Random, T0 } from "./random-logs.ts";

/** Whether the scanner takes the whole text for one JSON value. */
function accepts(bytes: Buffer): boolean {
  const line = Buffer.concat([bytes, Buffer.from("\n")]);
  const end = endOfValue(line, skipSpace(line, 0));
  return end > 0 && skipSpace(line, end) === bytes.length;
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test("endOfValue() accepts what JSON.parse accepts and nothing else", () => {
  for (const text of [
    ...[
      "{}",
      "[]",
      '""',
      "0",
      "-0",
      "1.5e-3",
      "1E+2",
      "true",
      "false",
      "null",
      '{"a":[1,{"b":"\\u00e9\\n"}]}',
      " { } ",
    ],
    ...[
      "",
      "{",
      "}",
      "[1,]",
      "{,}",
      '{"a"}',
      '{"a":}',
      '{"a":1,}',
      "01",
      "1.",
      ".5",
      "+1",
      "1e",
      "--1",
      "tru",
      "nul",
      "True",
    ],
    ...[
      '"\\x"',
      '"\\u12g4"',
      '"\\u123"',
      '"\\"',
      '"a',
      '"\t"',
      '{"a":1}}',
      '{"a":1} x',
      "{'a':1}",
      '{"a":1 "b":2}',
      "[1 2]",
      "NaN",
    ],
  ]) {
    expect([text, accepts(Buffer.from(text))]).toEqual([text, parses(text)]);
  }
});

test("endOfValue() agrees with JSON.parse on lines with a byte changed, cut out or doubled", () => {
  const random = new Random(5);
  for (let i = 0; i < 3000; i++) {
    const changed = damaged(random, Buffer.from(eventLine(random, T0 + i, "/managed").slice(0, 2000)));
    // A torn character inside a string is read as a replacement character by both.
    const text = changed.toString("utf8");
    if (accepts(changed) !== parses(text))
      throw new Error(`${parses(text) ? "refused" : "accepted"}: ${text}`);
  }
});

test("endOfValue() refuses nesting that would fill the stack", () => {
  expect(accepts(Buffer.from("[".repeat(100_000)))).toBe(false);
  expect(accepts(Buffer.from(`${"[".repeat(60)}${"]".repeat(60)}`))).toBe(true);
});
