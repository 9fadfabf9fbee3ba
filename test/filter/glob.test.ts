import { describe, expect, test } from "bun:test";
import { UsageFailure } from "../../src/failure.ts";
import { Glob } from "../../src/filter/glob.ts";
import { GlobParser } from "../../src/filter/glob-parser.ts";
import { type Node, randomGlob, randomText, referenceMatches, rendered } from "./glob-reference.ts";

function matches(pattern: string, text: string): boolean {
  const parser = new GlobParser(pattern);
  const alternatives = parser.element();
  expect(parser.at).toBe(pattern.length);
  return alternatives.some((tokens) => new Glob(tokens).matches(text));
}

describe("a glob", () => {
  const table: [string, string[], string[]][] = [
    ["*.swp", [".a.swp", ".swp", "x\n.swp"], ["a.swpx", "a.SWP", "swp"]],
    ["a", ["a"], ["", "aa", "A"]],
    ["a*", ["a", "ab"], ["ba", ""]],
    ["*", ["", "x", "a/b"], []],
    ["**", ["", "a/b"], []],
    ["a?c", ["abc", "a/c", "a😀c"], ["ac", "abbc"]],
    ["??", ["ab", "😀é"], ["😀", "a"]],
    ["*?😀", ["x😀", "😀😀"], ["😀"]],
    ["[a-c]x", ["ax", "cx"], ["dx", "x", "-x"]],
    ["[!a-c]x", ["dx", "😀x"], ["ax", "x"]],
    ["[^a]", ["b"], ["a"]],
    ["[]]", ["]"], ["["]],
    ["[!]]", ["a"], ["]"]],
    ["[a-]", ["a", "-"], ["b"]],
    ["[\\]x]", ["]", "x"], ["\\"]],
    ["[a,b|]", ["a", ",", "|"], ["c"]],
    ["*[!😀]*", ["a😀"], ["😀"]],
    ["{a,b}", ["a", "b"], ["", "a,b"]],
    ["{a,b{c,d}e}f", ["af", "bcef", "bdef"], ["bf", "acf"]],
    ["{,x}y", ["y", "xy"], ["xxy"]],
    ["a{|,;}b", ["a|b", "a;b"], ["ab"]],
    ["*.{js,ts}", ["x.js", "x.ts"], ["x.tjs2"]],
    ["\\*", ["*"], ["x", ""]],
    ["\\{a\\,b\\}", ["{a,b}"], ["a"]],
    ["/a/*/c", ["/a/b/c", "/a/b/b/c"], ["/a/c", "/a/b/c/d"]],
    ["a*b*c", ["abc", "axbxc", "abcbc"], ["acb", "ab"]],
    ["*ab*ab", ["abab", "xabab"], ["ab", "xab"]],
    ["*a?[0-9]", ["ab1", "aab1"], ["a1", "ab"]],
    ["{a}", ["a"], ["{a}"]],
  ];
  for (const [pattern, yes, no] of table) {
    test(`${pattern} matches ${JSON.stringify(yes)} and not ${JSON.stringify(no)}`, () => {
      for (const text of yes) expect([text, matches(pattern, text)]).toEqual([text, true]);
      for (const text of no) expect([text, matches(pattern, text)]).toEqual([text, false]);
    });
  }

  const malformed = [
    "[",
    "[a",
    "[!",
    "[]",
    "{",
    "{a",
    "{a,b",
    "{a\\}",
    "a}",
    "a\\",
    "[a\\",
    "[z-a]",
    "[[:alpha:]]",
  ];
  for (const pattern of [...malformed, "{a,b}".repeat(12), "{".repeat(200)]) {
    test(`${pattern.slice(0, 30)} is refused and quoted`, () => {
      expect(() => new GlobParser(pattern).element()).toThrow(UsageFailure);
      expect(() => new GlobParser(pattern).element()).toThrow(`"${pattern}"`);
    });
  }

  test("stays quick on what makes a backtracking matcher run away", () => {
    const text = "a".repeat(4096);
    const startMs = performance.now();
    for (const pattern of [`${"a*".repeat(1000)}b`, `${"*a".repeat(1000)}*b*`, `*${"?".repeat(2000)}b*`]) {
      expect(matches(pattern, text)).toBe(false);
    }
    expect(matches(`*${"[!b]".repeat(1000)}*`, text)).toBe(true);
    expect(performance.now() - startMs).toBeLessThan(2000);
  });
});

test("globs agree with a plain reference on 30,000 random pairs", () => {
  const seed = Number(process.env.FSMON_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32));
  console.info(`glob property test: FSMON_TEST_SEED=${seed}`);
  let state = seed >>> 0;
  const below = (bound: number): number => {
    // Numerical Recipes' linear congruential generator; its low bits are poor, hence the division.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  let hits = 0;
  for (let round = 0; round < 3000; round++) {
    const glob: Node[] = randomGlob(below, 2);
    const pattern = rendered(glob);
    for (let pair = 0; pair < 10; pair++) {
      const text = randomText(glob, below);
      const expected = referenceMatches(glob, text);
      if (expected) hits++;
      expect([seed, pattern, text, matches(pattern, text)]).toEqual([seed, pattern, text, expected]);
    }
  }
  // Pairs that never match would prove nothing.
  expect(hits).toBeGreaterThan(3000);
});
