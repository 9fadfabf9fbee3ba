// The completion script for zsh, from the command table: a function _fsmon for a folder of $fpath. Pure: text out.
import type { ArgumentDefinition, CommandDefinition, Completion, OptionDefinition } from "../definition.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "../table.ts";

export function zshScript(): string {
  const described = [
    ...COMMANDS.map(({ name, summary }) => quoted(`${name}:${summary}`)),
    quoted("help:more about one command"),
  ];
  return `#compdef fsmon
# zsh completion for fsmon; made by: fsmon completions zsh
_fsmon_managed() {
  local -a paths
  paths=(\${(f)"$(fsmon managed --paths 2>/dev/null)"})
  compadd -a paths
}
_fsmon() {
  local -a commands
  local curcontext="$curcontext" state line
  commands=(
    ${described.join("\n    ")}
  )
  _arguments -C ${GLOBAL_OPTIONS.map(optionSpec).join(" ")} '1: :->command' '*:: :->rest'
  case $state in
    command) _describe -t commands 'fsmon command' commands ;;
    rest)
      case $words[1] in
        help) _describe -t commands 'fsmon command' commands ;;
${COMMANDS.map(commandCase).join("\n")}
      esac ;;
  esac
}
if [ "$funcstack[1]" = _fsmon ]; then _fsmon "$@"; else compdef _fsmon fsmon; fi
`;
}

function commandCase({ name, args, options }: CommandDefinition): string {
  const specs = [...[...options, ...GLOBAL_OPTIONS].map(optionSpec), ...args.map(argumentSpec)];
  return `        ${name}) _arguments -s \\\n          ${specs.join(" \\\n          ")} ;;`;
}

function optionSpec({ name, short, value, repeatable, summary, complete }: OptionDefinition): string {
  const text = `[${escaped(summary)}]${value === undefined ? "" : `:${escaped(value)}:${action(complete, value)}`}`;
  const star = repeatable ? "*" : "";
  if (short === undefined) return quoted(`${star}--${name}${value === undefined ? "" : "="}${text}`);
  const others = repeatable ? "'*'" : quoted(`(-${short} --${name})`);
  return `${others}{-${short},--${name}${value === undefined ? "" : "="}}${quoted(text)}`;
}

function argumentSpec({ name, optional, repeatable, complete }: ArgumentDefinition, index: number): string {
  const number = repeatable ? "*" : `${index + 1}`;
  return quoted(`${number}:${optional && !repeatable ? ":" : ""}${name}:${action(complete, name)}`);
}

function action(complete: Completion | undefined, value: string): string {
  if (complete === undefined) return " ";
  if (complete === "file") return "_files";
  if (complete === "directory") return "_files -/";
  if (complete === "managed") return "_fsmon_managed";
  if (complete === "recorded") return "{_fsmon_managed || _files}";
  return value.includes(",") ? `_values -s , ${value} ${complete.join(" ")}` : `(${complete.join(" ")})`;
}

/** Colons and brackets part the pieces of a specification. */
function escaped(text: string): string {
  return text.replace(/[[\]:\\]/g, "\\$&");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
