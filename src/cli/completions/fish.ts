// The completion script for fish, from the command table. Pure: text out.
import type { Completion, OptionDefinition } from "../definition.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "../table.ts";

export function fishScript(): string {
  const lines = [
    "# fish completion for fsmon; made by: fsmon completions fish",
    "complete -c fsmon -f",
    ...COMMANDS.map(
      ({ name, summary }) => `complete -c fsmon -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
    ),
    `complete -c fsmon -n __fish_use_subcommand -a help -d ${quoted("more about one command")}`,
    `complete -c fsmon -n ${inCommand("help")} -a ${quoted(COMMANDS.map(({ name }) => name).join(" "))}`,
    ...GLOBAL_OPTIONS.map((option) => `complete -c fsmon ${optionWords(option)}`),
  ];
  for (const { name, args, options } of COMMANDS) {
    const condition = `-n ${inCommand(name)}`;
    for (const option of options) lines.push(`complete -c fsmon ${condition} ${optionWords(option)}`);
    const complete = args.at(-1)?.complete;
    if (complete !== undefined) lines.push(`complete -c fsmon ${condition} ${offers(complete)}`);
  }
  return `${lines.join("\n")}\n`;
}

function inCommand(name: string): string {
  return quoted(`__fish_seen_subcommand_from ${name}`);
}

function optionWords({ name, short, value, summary, complete }: OptionDefinition): string {
  const words = [`-l ${name}`, ...(short === undefined ? [] : [`-s ${short}`])];
  if (value !== undefined) {
    words.push("-x");
    // `(__fish_append , …)` completes behind the last comma of a list.
    if (complete !== undefined && typeof complete !== "string" && value.includes(",")) {
      words.push(`-a ${quoted(`(__fish_append , ${complete.join(" ")})`)}`);
    } else if (complete !== undefined) words.push(offers(complete));
  }
  return [...words, `-d ${quoted(summary)}`].join(" ");
}

function offers(complete: Completion): string {
  if (complete === "file") return "-F";
  if (complete === "directory") return `-a ${quoted("(__fish_complete_directories)")}`;
  if (complete === "recorded") return `-F ${offers("managed")}`;
  if (complete === "managed") return `-a ${quoted("(fsmon managed --paths 2>/dev/null)")}`;
  return `-a ${quoted(complete.join(" "))}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
