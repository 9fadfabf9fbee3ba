// The masking that the house rules look through: what is prose, what is text, what is code.
import { expect, test } from "bun:test";
import { mask } from "../../scripts/house-rules/mask.ts";

const CASES: { claim: string; source: string; code: string }[] = [
  { claim: "a line comment ends with its line", source: "a // b\nc", code: "a     \nc" },
  { claim: "a block comment keeps its line ends", source: "a /* b\n c */ d", code: "a     \n      d" },
  { claim: "an unfinished comment reaches to the end", source: "a /* b", code: "a     " },
  { claim: "a text keeps its quotes", source: 'a("b")', code: 'a(" ")' },
  { claim: "an escaped quote doesn't end a text", source: '"a\\"b" c', code: '"    " c' },
  { claim: "a comment in a text is text", source: 'a("//b"); c', code: 'a("   "); c' },
  { claim: "a template's code stays code", source: "`a ${b + `c${d}`} e` f", code: "`  ${b + ` ${d}`}  ` f" },
  {
    claim: "braces inside a template's code don't end it",
    source: "`${{ a: 1 }.a} b`",
    code: "`${{ a: 1 }.a}  `",
  },
  { claim: "a regular expression is text", source: "a = /['\"/*]/g.test(b)", code: "a = /      /g.test(b)" },
  { claim: "a division is code", source: "a = b / c; // d / e", code: "a = b / c;         " },
  { claim: "a division after a bracket is code", source: "(a) / b / 'c'", code: "(a) / b / ' '" },
  { claim: "a regular expression after return", source: "return /'/", code: "return / /" },
];

for (const { claim, source, code } of CASES) {
  test(`mask(): ${claim}`, () => expect(mask(source).codeOnly).toBe(code));
}

test("mask(): withoutComments keeps what is between quotes", () => {
  expect(mask('import a from "./a"; // b').withoutComments).toBe('import a from "./a";     ');
});
