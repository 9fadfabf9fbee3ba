import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandsPage } from "../../scripts/package/man/commands.ts";
import { eventsPage } from "../../scripts/package/man/events.ts";
import { roffMarkdown } from "../../scripts/package/man/roff.ts";
import { COMMANDS } from "../../src/cli/table.ts";

const dir = mkdtempSync(join(tmpdir(), "fsmon-man-"));
beforeAll(() => {
  writeFileSync(join(dir, "fsmon.1"), commandsPage());
  writeFileSync(join(dir, "fsmon-events.5"), eventsPage());
});
afterAll(() => rmSync(dir, { recursive: true }));

function rendered(name: string, locale = "C.UTF-8"): { text: string; warnings: string } {
  const env = { LC_ALL: locale, PATH: process.env.PATH ?? "", MANWIDTH: "80", MANROFFOPT: "-ww" };
  const done = spawnSync("man", ["--warnings=w", "-P", "cat", "-l", join(dir, name)], {
    encoding: "utf8",
    env,
  });
  // Overstruck letters are how a terminal is told of bold and underlined ones.
  return { text: done.stdout.replace(/.\x08/g, ""), warnings: done.stderr };
}

const words = (text: string) => text.replace(/\s+/g, " ").replaceAll("…", "...");
const manObstacle = Bun.which("man") === null || Bun.which("groff") === null;

describe.skipIf(manObstacle)("the man pages (needs man and groff)", () => {
  test("fsmon.1 has no warning, and every command, option, default and example of the table", () => {
    const { text, warnings } = rendered("fsmon.1");
    expect(warnings).toBe("");
    const flat = words(text);
    for (const { name, details, options, examples } of COMMANDS) {
      expect(flat).toContain(`fsmon ${name}`);
      for (const detail of details) expect(flat).toContain(words(detail));
      for (const { line } of examples) expect(text).toContain(line.replaceAll("…", "..."));
      for (const option of options) {
        expect(flat).toContain(
          words(`--${option.name}${option.value === undefined ? "" : ` ${option.value}`}`),
        );
        if (option.default !== undefined) expect(flat).toContain(`Default: ${words(option.default)}`);
        if (option.accepted !== undefined) expect(flat).toContain(`Accepted: ${words(option.accepted)}`);
      }
    }
  });

  test("no page has a character that the C locale lacks", () => {
    for (const name of ["fsmon.1", "fsmon-events.5"]) expect(rendered(name, "C").warnings).toBe("");
  });

  test("fsmon-events.5 has no warning, and every heading, key and example line of docs/events.md", () => {
    const { text, warnings } = rendered("fsmon-events.5");
    expect(warnings).toBe("");
    const page = readFileSync("docs/events.md", "utf8");
    for (const [, level = "", heading = ""] of page.matchAll(/^##(#*) (.*)$/gm)) {
      const title = heading.replaceAll("`", "");
      expect(text).toContain(level === "" ? title.toUpperCase() : title);
    }
    for (const [, key = ""] of page.matchAll(/^\| `(\w+)`/gm))
      expect(text).toMatch(new RegExp(`^ +.*\\b${key}\\b`, "m"));
    for (const [line] of page.matchAll(/^\{.*\}$/gm)) expect(text).toContain(line.replaceAll("…", "..."));
    expect(text).not.toMatch(/\*\*|`|\]\(/);
  });
});

test("what would be a request to the formatter is text", () => {
  expect(roffMarkdown(".so /etc/passwd")).toBe("\\&.so /etc/passwd");
  expect(roffMarkdown("'tis a\\n")).toBe("\\(aqtis a\\en");
  expect(roffMarkdown("`.x` and **'y'**")).toBe("\\fB.x\\fR and \\fB\\(aqy\\(aq\\fR");
});
