import { describe, expect, test } from "bun:test";
import { escapeForTerminal } from "../../src/show/escape.ts";

describe("escapeForTerminal() stops", () => {
  const attacks: [what: string, text: string, shown: string][] = [
    ["an escape sequence that clears the screen", "\x1b[2J", "\\e[2J"],
    ["a C1 control sequence introducer", "\x9b31m", "\\x9b31m"],
    ["a title set by a C1 operating system command", "\x9d0;x\x9c", "\\x9d0;x\\x9c"],
    ["a carriage return that hides the beginning", "evil\rgood", "evil\\rgood"],
    ["a second line", "a\nfsmon: all is well", "a\\nfsmon: all is well"],
    ["a backspace and a bell", "a\b\x07", "a\\x08\\x07"],
    ["DEL and NUL", "\x7f\0", "\\x7f\\x00"],
    ["a right-to-left override", "exe.\u202egnp", "exe.\\u202egnp"],
    ["an isolate", "\u2066a\u2069", "\\u2066a\\u2069"],
    ["an Arabic letter mark", "a\u061c", "a\\u061c"],
    ["a zero-width space", "a\u200bb", "a\\u200bb"],
    ["a line separator", "a\u2028b", "a\\u2028b"],
    ["half a surrogate pair", "a\ud800b\udc00", "a\\ud800b\\udc00"],
  ];
  for (const [what, text, shown] of attacks) test(what, () => expect(escapeForTerminal(text)).toBe(shown));
});

test("escapeForTerminal() leaves every readable name alone", () => {
  for (const name of ["/srv/a b", "größe", "文件", "שלום", "👩🏽", "𝄞", "\ufffd", "a\\b", "~'\"$"]) {
    expect(escapeForTerminal(name)).toBe(name);
  }
});
