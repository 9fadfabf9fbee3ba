import { describe, expect, test } from "bun:test";
import { UsageFailure } from "../../src/failure.ts";
import { parsePatternList } from "../../src/filter/pattern.ts";

function elements(text: string): string[] {
  return parsePatternList(text).map((pattern) =>
    pattern.kind === "regex" ? `/${pattern.regex.source}/${pattern.regex.flags}` : pattern.typed.trim(),
  );
}

describe("parsePatternList()", () => {
  const lists: [string, string[]][] = [
    ["nginx,vim", ["nginx", "vim"]],
    ["rsync|apt*", ["rsync", "apt*"]],
    ["a, b | c", ["a", "b", "c"]],
    ["{a,b}|c", ["{a,b}", "c"]],
    ["*.{js,{ts,tsx}},x", ["*.{js,{ts,tsx}}", "x"]],
    ["[,|],b", ["[,|]", "b"]],
    ["[]|],b", ["[]|]", "b"]],
    ["a\\,b,c", ["a\\,b", "c"]],
    ["a\\|b|c", ["a\\|b", "c"]],
    ["Web Content,tmux: server", ["Web Content", "tmux: server"]],
    ["re:a,b|c", ["/a,b|c/su"]],
    ["*.swp, re:^x{1,2}$", ["*.swp", "/^x{1,2}$/su"]],
    ["re:a\\-b", ["/a\\-b/s"]],
  ];
  for (const [text, expected] of lists) {
    test(`parts ${text} into ${expected.join(" and ")}`, () => {
      expect(elements(text).map((element) => element.replace(/\/us$/, "/su"))).toEqual(expected);
    });
  }

  test("keeps a space that a backslash stands before", () => {
    const [pattern] = parsePatternList("  a\\  ");
    expect(pattern?.kind === "glob" && pattern.tokens).toEqual([["a", " "]]);
  });

  for (const text of [
    "",
    "  ",
    ",",
    "||",
    "x,,y",
    "x, ,y",
    "x|",
    ",x",
    "x,",
    " x , ",
    "re:",
    "a,re:",
    "re:(",
    "re:[",
    "re:a{2,1}",
    "[a",
    "{a",
    "a}",
    "x\\",
  ]) {
    test(`refuses ${JSON.stringify(text)}, quotes it and says what to write`, () => {
      let failure: unknown;
      try {
        parsePatternList(text);
      } catch (error) {
        failure = error;
      }
      expect(failure).toBeInstanceOf(UsageFailure);
      if (!(failure instanceof UsageFailure)) return;
      expect(failure.message).toContain(`"${text.replace(/^a,/, "")}"`);
      expect(failure.hint).not.toBeNull();
    });
  }

  test("refuses a list beyond 4096 characters", () => {
    expect(parsePatternList("a".repeat(4096))).toHaveLength(1);
    expect(() => parsePatternList("a".repeat(4097))).toThrow("4097 characters");
  });
});
