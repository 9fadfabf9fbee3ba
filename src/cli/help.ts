// Help pages as text, made from the table. Fits 80 columns where words allow it.
import type { ArgumentDefinition, CommandDefinition, OptionDefinition } from "./definition.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "./table.ts";

const WIDTH = 80;
/** Longer option names get a line of their own. */
const NAME_WIDTH_MAX = 24;

/** `fsmon`, `fsmon --help`. */
export function overview(): string {
  const rows = [
    ...COMMANDS.map(({ name, summary }) => row(name, summary)),
    row("help COMMAND", "more about one command"),
  ];
  return page([
    ["fsmon tells which process, run by whom, changed which file, and when"],
    ["Usage: fsmon COMMAND [options]"],
    ["Commands:", ...columns(rows)],
    ["Options:", ...columns(GLOBAL_OPTIONS.map(optionRow))],
    [
      "To begin:",
      ...columns([
        row("fsmon add -r PATH", "choose what to record"),
        row("sudo fsmon daemon", "record"),
        row("fsmon query --since 1h", "see what happened"),
      ]),
    ],
  ]);
}

/** `fsmon COMMAND --help`, `fsmon help COMMAND`. */
export function commandHelp(command: CommandDefinition): string {
  const words = ["Usage: fsmon", command.name, ...command.args.map(argumentUsage), "[options]"];
  const examples = command.examples.flatMap(({ line, meaning }) => [`  ${line}`, `      ${meaning}`]);
  return page([
    wrap(`${command.name}: ${command.summary}`, 0),
    ...command.details.map((detail) => wrap(detail, 0)),
    [words.join(" ")],
    ["Arguments:", ...columns(command.args.map(({ name, summary }) => row(name, summary)))],
    ["Options:", ...columns([...command.options, ...GLOBAL_OPTIONS].map(optionRow))],
    ["Examples:", ...examples],
  ]);
}

/** PATH, [PATH], PATH... or [PATH...]. */
export function argumentUsage({ name, optional, repeatable }: ArgumentDefinition): string {
  const names = repeatable ? `${name}...` : name;
  return optional ? `[${names}]` : names;
}

/** Sections with an empty line between them; a heading without anything below it is left out. */
function page(sections: readonly (readonly string[])[]): string {
  const filled = sections.filter((lines) => lines.length > 1 || !lines[0]?.match(/^\w+:$/));
  return `${filled.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

interface Row {
  readonly name: string;
  readonly text: string;
}

function row(name: string, text: string): Row {
  return { name, text };
}

function optionRow({
  name,
  short,
  value,
  repeatable,
  summary,
  accepted,
  default: preset,
}: OptionDefinition): Row {
  const dashes = `${short === undefined ? "    " : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`;
  const notes = [repeatable ? "may be repeated" : "", preset === undefined ? "" : `default: ${preset}`];
  const remarks = notes.filter((note) => note !== "").join("; ");
  const text = remarks === "" ? summary : `${summary} (${remarks})`;
  return row(dashes, accepted === undefined ? text : `${text}\naccepted: ${accepted}`);
}

function columns(rows: readonly Row[]): string[] {
  const widths = rows.map(({ name }) => name.length).filter((width) => width <= NAME_WIDTH_MAX);
  const indent = 2 + Math.max(0, ...widths) + 2;
  return rows.flatMap(({ name, text }) => {
    const lines = text.split("\n").flatMap((part) => wrap(part, indent));
    if (name.length > NAME_WIDTH_MAX) return [`  ${name}`, ...lines];
    return [`  ${name}`.padEnd(indent) + (lines[0]?.trimStart() ?? ""), ...lines.slice(1)];
  });
}

function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map((one) => " ".repeat(indent) + one);
}
