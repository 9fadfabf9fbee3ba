// The examples of a page: its fenced blocks of the kind `console`, as commands with the output that the page shows, and the
// comparison of that with what a command really says. What differs from run to run is masked on both sides.

/** One `$ command` of a page. */
export interface Example {
  /** The `##` heading that it stands under. */
  section: string;
  command: string;
  /** As on the page; `…` stands for anything within a line, and a line of `…` for any lines. */
  output: string;
}

export function examplesOf(markdown: string): Example[] {
  const examples: Example[] = [];
  let section = "";
  let inside = false;
  for (const text of markdown.split("\n")) {
    if (text.startsWith("```")) inside = text === "```console";
    else if (!inside && text.startsWith("## ")) section = text.slice(3);
    else if (inside && text.startsWith("$ ")) examples.push({ section, command: text.slice(2), output: "" });
    else if (inside && goesOn(examples.at(-1)!.command)) examples.at(-1)!.command += `\n${text}`;
    else if (inside) examples.at(-1)!.output += `${text}\n`;
  }
  return examples;
}

/** Whether a shell would wait for the next line: a quote is open, or a backslash stands at the end. */
function goesOn(command: string): boolean {
  return command.endsWith("\\") || command.split("'").length % 2 === 0;
}

/** What no two runs have in common; the order matters. */
const MASKS: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00)?/g, "MOMENT"],
  [/\d{4}-\d\d-\d\d( \d\d h)?/g, "DAY"],
  [/\d\d:\d\d:\d\d(\.\d+)?/g, "TIME"],
  [/\b(now|\d+(\.\d+)?(ms|s|min|h|d) ago)\b/g, "AGO"],
  [/\b\d+(\.\d+)?(ms|µs|s|min)(?=[^\w]|$)/g, "DURATION"],
  [/(?<=\w)\[\d+\]/g, "[PID]"],
  [/("p?pid":|\bpid )\d+/g, "$1PID"],
  [/\bsed\w{6}\b/g, "sedXXXXXX"],
  [/\b\d\.\d\.\d+( \(\w+\))?/g, "VERSION"],
  [/[ \t]+/g, " "],
  // A file's size, and what stands behind it, is that of the moment when the event was read: before or after the writing.
  [/(CREATE \S+ \S+) [\d.]+[KMG]?B/g, "$1 SIZE"],
  [/[\d.]+[KMG]?B (?=would stay)/g, "SIZE "],
  // /proc is asked for it while the process lives, which is over soon; how it was identified depends on the moment, too.
  [/,"(exe|who)":"[^"]*"/g, ""],
  [/\b\w{16}(?=_log)/g, "HASH"],
  [/ +$/gm, ""],
];

export function masked(text: string): string {
  return MASKS.reduce((rest, [pattern, word]) => rest.replace(pattern, word), text).trim();
}

/** Whether a command said what the page shows. */
export function isAsShown(shown: string, said: string): boolean {
  if (shown === "") return said === "";
  const pattern = masked(shown)
    .split("\n")
    .map((line) =>
      line === "…"
        ? "(?:.*\n)*?"
        : `${line
            .split("…")
            .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
            .join(".*")}\n`,
    )
    .join("");
  return new RegExp(`^${pattern}$`).test(`${masked(said)}\n`);
}
