import { describe, expect, test } from "bun:test";
import { commandHelp, overview } from "../../src/cli/help.ts";
import { parseCommandLine } from "../../src/cli/parse.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "../../src/cli/table.ts";

describe("the command table", () => {
  for (const command of COMMANDS) {
    test(`${command.name}: every example parses as typed`, () => {
      expect(command.examples.length).toBeGreaterThan(0);
      for (const { line } of command.examples) {
        const words = line.split(/ [|>]/)[0]?.replaceAll("'", "").split(" ") ?? [];
        const typed = words.slice(words.indexOf("fsmon") + 1);
        expect(parseCommandLine(typed)).toMatchObject({ kind: "run", command: { name: command.name } });
      }
    });

    test(`${command.name}: no option name or letter is used twice`, () => {
      const options = [...command.options, ...GLOBAL_OPTIONS];
      const names = options.map((option) => option.name);
      const letters = options.flatMap((option) => option.short ?? []);
      expect(new Set(names).size).toBe(names.length);
      expect(new Set(letters).size).toBe(letters.length);
    });

    test(`${command.name}: the help names each option with its default and its accepted values`, () => {
      const flat = commandHelp(command).replace(/\s+/g, " ");
      for (const option of command.options) {
        expect(flat).toContain(`--${option.name}`);
        expect(flat).toContain(option.summary);
        if (option.default !== undefined) expect(flat).toContain(`default: ${option.default}`);
        if (option.accepted !== undefined) expect(flat).toContain(`accepted: ${option.accepted}`);
      }
      for (const { line } of command.examples) expect(flat).toContain(line);
    });
  }

  test("has the commands that the overview shows", () => {
    for (const { name, summary } of COMMANDS) {
      expect(overview()).toContain(name);
      expect(overview().replace(/\s+/g, " ")).toContain(summary);
    }
  });
});

test("help pages fit 80 columns, examples aside", () => {
  const pages = [overview(), ...COMMANDS.map((command) => commandHelp(command).split("Examples:")[0] ?? "")];
  for (const line of pages.join("\n").split("\n")) expect(line.length).toBeLessThanOrEqual(80);
});
