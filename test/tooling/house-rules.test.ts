// Every house rule with a source that breaks it, the finding that must come, and a source that only looks like it.
import { describe, expect, test } from "bun:test";
import { findingText } from "../../scripts/house-rules/finding.ts";
import { RULES } from "../../scripts/house-rules/rules.ts";
import { source } from "../../scripts/house-rules/source.ts";

/** What the rules say about a file of this path with these lines below an opening comment. */
function findings(path: string, ...lines: string[]): string[] {
  const file = source(path, ["// Opens with a comment.", ...lines, ""].join("\n"));
  return RULES.flatMap((rule) => rule(file)).map(findingText);
}

const LATER = "TO" + "DO";

const BROKEN: { rule: string; path: string; lines: string[]; finding: string }[] = [
  {
    rule: "decode takes nothing of the kernel but its constants",
    path: "src/decode/fan.ts",
    lines: ['import { MASKS } from "../kernel/abi.ts";', 'import { read } from "../kernel/syscall.ts";'],
    finding:
      'src/decode/fan.ts:3: decode imports "src/kernel/syscall.ts"\n' +
      "  instead: it may import event, failure, containment, kernel/abi; hand in the rest as an argument",
  },
  {
    rule: "a type import is an import",
    path: "src/filter/pattern.ts",
    lines: ['import type { Line } from "../log/line.ts";'],
    finding:
      'src/filter/pattern.ts:2: filter imports "src/log/line.ts"\n' +
      "  instead: it may import event, failure, containment; hand in the rest as an argument",
  },
  {
    rule: "a dynamic import is an import",
    path: "src/log/append.ts",
    lines: ["export async function later() {", '  return import("../cli/output.ts");', "}"],
    finding:
      'src/log/append.ts:3: log imports "src/cli/output.ts"\n' +
      "  instead: it may import event, failure, containment, kernel, filter; hand in the rest as an argument",
  },
  {
    rule: "an import over several lines is found at its end",
    path: "src/event.ts",
    lines: ["import {", "  Failure,", '} from "./failure.ts";'],
    finding: 'src/event.ts:4: event imports "src/failure.ts"\n  instead: it imports nothing of ours',
  },
  {
    rule: "a new part needs a place in the table",
    path: "src/storage/file.ts",
    lines: [],
    finding:
      'src/storage/file.ts:1: "src/storage" is no known part of fsmon\n' +
      "  instead: put it into a part that exists, or give it a place in scripts/house-rules/folders.ts and ARCHITECTURE.md",
  },
  {
    rule: "a file of 351 lines is two files",
    path: "src/log/append.ts",
    lines: Array(350).fill("export {};"),
    finding: "src/log/append.ts:351: 351 lines, at most 350\n  instead: cut it where it holds two ideas",
  },
  {
    rule: "vague names",
    path: "src/log/utils.ts",
    lines: [],
    finding:
      'src/log/utils.ts:1: "utils" as a name says nothing\n  instead: a name that says what it does in the flow',
  },
  {
    rule: "imports name the file",
    path: "src/log/append.ts",
    lines: ['import { line } from "./line";'],
    finding: 'src/log/append.ts:2: "./line" has no extension\n  instead: "./line.ts"',
  },
  {
    rule: "bun:ffi stays in src/kernel",
    path: "src/resolve/tree.ts",
    lines: ['import { dlopen } from "bun:ffi";'],
    finding:
      "src/resolve/tree.ts:2: bun:ffi outside src/kernel\n" +
      "  instead: a function in src/kernel that takes and returns plain values",
  },
  {
    rule: "picocolors is loaded on demand",
    path: "src/cli/style.ts",
    lines: ['import pc from "picocolors";'],
    finding:
      "src/cli/style.ts:2: picocolors imported statically: that alone makes a pipe on stdout non-blocking\n" +
      '  instead: await import("picocolors"), once colour is wanted',
  },
  {
    rule: "slow modules are loaded on demand",
    path: "src/cli/style.ts",
    lines: ['import { isatty } from "node:tty";'],
    finding:
      "src/cli/style.ts:2: node:tty imported statically: every command that loads this file starts 1 to 3 ms later\n" +
      "  instead: src/show/is-terminal.ts, the global crypto, or process.getBuiltinModule() where it is needed",
  },
  {
    rule: "no any",
    path: "src/log/line.ts",
    lines: ["export const parse = (line: string) => JSON.parse(line) as any;"],
    finding:
      "src/log/line.ts:2: the type any\n" +
      "  instead: unknown and a check, or the type itself; what a library gives as any is converted where it enters",
  },
  {
    rule: "no silenced type errors",
    path: "src/log/line.ts",
    lines: [`// @ts-${"ignore"}`],
    finding: "src/log/line.ts:2: a type error silenced\n  instead: the type that fits, or a declaration file",
  },
  {
    rule: "process.exit belongs to the command line",
    path: "src/daemon.ts",
    lines: ["process.exit(1);"],
    finding:
      "src/daemon.ts:2: process.exit outside src/main.ts and src/cli\n" +
      "  instead: throw a Failure, or return; main.ts turns it into the exit code",
  },
  {
    rule: "process.stdout is not to be touched, not even by the command line",
    path: "src/cli/output.ts",
    lines: ["export const wide = process.stdout.columns > 80;"],
    finding:
      "src/cli/output.ts:2: process.stdout: touching it makes a pipe non-blocking, and output is lost\n" +
      "  instead: write with src/cli/output.ts; src/show/is-terminal.ts tells a terminal",
  },
  {
    rule: "console.log is not for data",
    path: "src/query/print.ts",
    lines: ["console.log(1);"],
    finding:
      "src/query/print.ts:2: console.log writes to stdout and swallows EPIPE\n" +
      "  instead: src/cli/output.ts for data, console.error for talk",
  },
  {
    rule: "a test is not switched off in silence",
    path: "test/log/append.test.ts",
    lines: ['test.skip("appends", () => {});'],
    finding:
      "test/log/append.test.ts:2: a test that doesn't always run, and nobody learns why\n" +
      '  instead: test.skipIf(!asRoot)("claim (needs root)", …), or no test at all',
  },
  {
    rule: "nothing is left for later",
    path: "scripts/test.mjs",
    lines: [`// ${LATER}: faster`],
    finding: "scripts/test.mjs:2: a note to do it later\n  instead: do it now, or file an issue",
  },
];

describe("a broken rule is found, with what to write instead", () => {
  for (const { rule, path, lines, finding } of BROKEN) {
    test(rule, () => expect(findings(path, ...lines)).toEqual([finding]));
  }

  test("a file opens with a comment", () => {
    const file = source("src/log/append.ts", "export {};\n");
    expect(RULES.flatMap((rule) => rule(file)).map(findingText)).toEqual([
      "src/log/append.ts:1: the file doesn't open with a comment\n" +
        "  instead: two to five lines: what enters, what leaves, what it must never do",
    ]);
  });
});

describe("what only looks like a broken rule is left alone", () => {
  const FINE: { looks: string; path: string; lines: string[] }[] = [
    {
      looks: "the word any in prose",
      path: "src/log/line.ts",
      lines: ["// any size", 'export const a = "any";'],
    },
    {
      looks: "Promise.any and a key",
      path: "src/log/line.ts",
      lines: ["export const a = { any: Promise.any([]) };"],
    },
    {
      looks: "a comment on process.stdout",
      path: "src/log/line.ts",
      lines: ["/* process.stdout\n * too */"],
    },
    { looks: "process.exitCode", path: "src/log/line.ts", lines: ["process.exitCode = 1;"] },
    { looks: "console.error", path: "src/daemon.ts", lines: ['console.error("ready");'] },
    { looks: "process.exit in main", path: "src/main.ts", lines: ["process.exit(1);"] },
    {
      looks: "picocolors on demand",
      path: "src/cli/style.ts",
      lines: ['const pc = await import("picocolors");'],
    },
    {
      looks: "an import in a text",
      path: "src/cli/help.ts",
      lines: ['export const a = `import x from "../pipeline"`;'],
    },
    {
      looks: "ffi in src/kernel",
      path: "src/kernel/helper.ts",
      lines: ['import { dlopen } from "bun:ffi";'],
    },
    {
      looks: "a skip whose name says what it needs",
      path: "test/log/append.test.ts",
      lines: ["test.skipIf(!asRoot)(", '  "appends (needs root)",', "  () => {},", ");"],
    },
    { looks: "a file of 350 lines", path: "src/log/append.ts", lines: Array(349).fill("export {};") },
  ];
  for (const { looks, path, lines } of FINE) {
    test(looks, () => expect(findings(path, ...lines)).toEqual([]));
  }
});
