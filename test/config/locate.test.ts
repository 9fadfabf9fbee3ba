import { expect, test } from "bun:test";
import { locateKey } from "../../src/config/locate.ts";

const TEXT = `# [logging] in a comment
title = "a"
[managed]
file = """
[logging]
dir = 1
"""
[logging] # here
  dir   =   "x"
"keep_days" = [
  1,
  2,
]
max_size="# = ["
[ socket . deep ]
path = 1
[[list]]
a.b = 2
[inline]
table = { x = 1, yy = 2 }
`;

function at(...path: string[]): [number, number, number] | null {
  const location = locateKey(TEXT, path);
  return location === null ? null : [location.line, location.column, location.valueColumn];
}

test("locateKey() finds keys and tables where they stand, past strings and comments", () => {
  expect(at("title")).toEqual([2, 1, 9]);
  expect(at("managed")).toEqual([3, 2, 2]);
  expect(at("managed", "file")).toEqual([4, 1, 8]);
  expect(at("logging")).toEqual([8, 2, 2]);
  expect(at("logging", "dir")).toEqual([9, 3, 13]);
  expect(at("logging", "keep_days")).toEqual([10, 2, 15]);
  expect(at("logging", "max_size")).toEqual([14, 1, 10]);
  expect(at("socket", "deep", "path")).toEqual([16, 1, 8]);
  expect(at("list")?.[0]).toBe(17);
  expect(at("list", "a", "b")).toEqual([18, 3, 7]);
  expect(at("inline", "table", "yy")).toEqual([20, 18, 23]);
  expect(locateKey("logging.dir = 5", ["logging", "dir"])).toEqual({ line: 1, column: 9, valueColumn: 15 });
});

test("locateKey() answers null for what isn't there", () => {
  expect(at("logging", "file")).toBeNull();
  expect(at("nothing")).toBeNull();
  expect(locateKey("", ["a"])).toBeNull();
});
