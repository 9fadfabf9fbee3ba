// A case as a text file: what is done, and which lines must come. Parsed to a list of steps here, run by
// test/e2e/scenario.test.ts.
//
//   # why this case exists
//   filesystems: tmpfs ext4          (default: tmpfs)
//   setup:                           (shell, before the path is added; $W is the managed directory, $OUT one beside it)
//   add: -r                          (flags of `fsmon add $W`; default -r)
//   do:                              (shell: bash -e; a line `@settle` waits until all before is in the log)
//   expect:                          (the lines, in order)
//     mkdir CREATE a dir
//     mv MOVED_TO b dir from=a
//   expect unordered:                (the same lines in any order, each as often as the kernel likes)
//   programs: any                    (program names aren't compared: write * for each)
//
// An expected line is: program, type, path below $W ("." is $W itself), then `dir`, `merged`, `exchange`,
// `from=PATH`, `to=PATH`, `size=N`. A path that begins with a slash is absolute, with $W and $OUT replaced.
import { readFileSync } from "node:fs";
import type { LogLine } from "./daemon.ts";
import type { FilesystemKind } from "./filesystem.ts";

export interface Scenario {
  name: string;
  filesystems: FilesystemKind[];
  setup: string;
  add: string[];
  steps: string;
  expected: string[];
  ordered: boolean;
  /** True when an expected line names a size: then sizes are compared. */
  sizes: boolean;
  /** False where names depend on when the event was read: an exec's own OPEN comes before it takes the new name. */
  programs: boolean;
}

const HEADING = /^(setup|do|expect|expect unordered|add|filesystems|programs):\s*(.*)$/;

export function readScenario(file: string): Scenario {
  const scenario: Scenario = {
    name: file.replace(/^.*\//, "").replace(/\.txt$/, ""),
    filesystems: ["tmpfs"],
    setup: "",
    add: ["-r"],
    steps: "",
    expected: [],
    ordered: true,
    sizes: false,
    programs: true,
  };
  let section = "";
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const heading = HEADING.exec(line);
    if (heading !== null) {
      section = heading[1]!;
      if (section === "filesystems")
        scenario.filesystems = heading[2]!.trim().split(/\s+/) as FilesystemKind[];
      if (section === "add")
        scenario.add = heading[2]!
          .trim()
          .split(/\s+/)
          .filter((flag) => flag !== "");
      if (section === "programs") scenario.programs = false;
      if (section === "expect unordered") scenario.ordered = false;
      continue;
    }
    const text = line.trim();
    if (text === "" || (text.startsWith("#") && section !== "do")) continue;
    if (section === "setup") scenario.setup += `${line}\n`;
    else if (section === "do") scenario.steps += `${line}\n`;
    else if (section.startsWith("expect")) scenario.expected.push(text);
    else throw new Error(`${file}: "${line}" stands in no section`);
  }
  scenario.sizes = scenario.expected.some((line) => / size=/.test(line));
  return scenario;
}

/** A line of the log in the words of a scenario. */
export function describeLine(line: LogLine, root: string, outside: string, scenario: Scenario): string {
  const words = [
    scenario.programs ? (line.cmd ?? "-") : "*",
    line.event_type,
    shown(line.path, root, outside),
  ];
  if (line.dir === true) words.push("dir");
  if (line.merged === true) words.push("merged");
  if (line.exchange === true) words.push("exchange");
  if (line.from !== undefined) words.push(`from=${shown(line.from, root, outside)}`);
  if (line.to !== undefined) words.push(`to=${shown(line.to, root, outside)}`);
  if (scenario.sizes) words.push(`size=${line.file_size}`);
  return words.join(" ");
}

function shown(path: string, root: string, outside: string): string {
  if (path === root) return ".";
  if (path.startsWith(`${root}/`)) return path.slice(root.length + 1);
  return path.replace(outside, "$OUT");
}
