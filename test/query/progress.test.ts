// A query that takes its time says so on a terminal, and nowhere else.
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { MAIN } from "../cli/fsmon.ts";
import { numbered } from "../log/log-dir.ts";

const line = numbered(1, 1_700_000_000_000);
/** A line, and another one a moment after the second in which a query owes nobody an explanation. */
const input = `{ echo '${line}'; sleep 1.4; echo '${line}'; }`;
/** Quoted: the tree may lie below a folder with a space in its name. */
const query = `'${process.execPath}' '${MAIN}' query --file -`;

/** Everything that a terminal was sent on stdout and stderr. */
function onTerminal(command: string): string {
  const done = spawnSync("script", ["-qec", command, "/dev/null"], { encoding: "utf8", stdio: "pipe" });
  return done.stdout;
}

test("a query that takes longer than a second shows on a terminal how far it is, in one line that is gone at the end", () => {
  const shown = /^(\r\x1b\[Kfsmon: 318B read(, \d+ %)?)+\r\x1b\[K/;
  const apart = onTerminal(`${input} | ${query} >/dev/null`);
  expect(apart).toMatch(shown);
  expect(apart.replace(shown, "")).toBe("");
  // The lines on the same terminal stand alone.
  const together = onTerminal(`${input} | ${query}`);
  expect(together).toMatch(shown);
  expect(together.replace(shown, "")).toBe(`${line}\r\n`.repeat(2));
});

test("a query shows no progress where stderr is no terminal, and none within a second", () => {
  const redirected = spawnSync("sh", ["-c", `${input} | ${query}`], { encoding: "utf8" });
  expect(redirected.stderr).toBe("");
  expect(onTerminal(`echo '${line}' | ${query}`)).toBe(`${line}\r\n`);
});
