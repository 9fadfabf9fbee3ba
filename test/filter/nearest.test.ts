import { expect, test } from "bun:test";
import { EVENT_TYPES } from "../../src/event.ts";
import { nearest } from "../../src/filter/nearest.ts";

const COMMANDS = [
  "daemon",
  "add",
  "remove",
  "managed",
  "query",
  "clean",
  "generate",
  "who",
  "watch",
  "health",
];

test("nearest() finds the word meant", () => {
  const meant: [string, string][] = [
    ["deamon", "daemon"],
    ["ad", "add"],
    ["quer", "query"],
    ["qeury", "query"],
    ["gen", "generate"],
    ["Remove", "remove"],
    ["cleen", "clean"],
    ["wath", "watch"],
  ];
  for (const [word, expected] of meant) expect(nearest(word, COMMANDS)).toBe(expected);
  expect(nearest("MOVE_FROM", EVENT_TYPES)).toBe("MOVED_FROM");
  expect(nearest("close-write", EVENT_TYPES)).toBe("CLOSE_WRITE");
});

test("nearest() suggests nothing for a word that resembles none", () => {
  for (const word of ["", "x", "bogus", "frobnicate", "zzzzzz"]) expect(nearest(word, COMMANDS)).toBeNull();
  expect(nearest("add", [])).toBeNull();
});
