// The command line → one command with its options and arguments, or a wish for help or the version.
// cac does the parsing, on words that words.ts has made unmistakable; its loosely typed result ends in this file.
import { cac } from "cac";
import { UsageFailure } from "../failure.ts";
import { nearest } from "../filter/nearest.ts";
import type { CommandDefinition } from "./definition.ts";
import { COMMANDS, findCommand, GLOBAL_OPTIONS } from "./table.ts";
import { canonicalWords, type Words } from "./words.ts";

export type Invocation =
  | { readonly kind: "help"; readonly command: CommandDefinition | null }
  | { readonly kind: "version" }
  | { readonly kind: "run"; readonly command: CommandDefinition; readonly args: ParsedArguments };

/** What was typed for one command. Values are the exact strings. */
export class ParsedArguments {
  readonly positionals: readonly string[];
  private readonly options: ReadonlyMap<string, readonly string[]>;

  constructor(positionals: readonly string[], options: ReadonlyMap<string, readonly string[]>) {
    this.positionals = positionals;
    this.options = options;
  }

  /** Whether a flag was given. */
  has(name: string): boolean {
    return this.options.has(name);
  }

  /** The last value given, or undefined. */
  last(name: string): string | undefined {
    return this.options.get(name)?.at(-1);
  }

  /** Every value given, in order. */
  all(name: string): readonly string[] {
    return this.options.get(name) ?? [];
  }
}

/**
 * @param typed process.argv without the program
 * @throws {UsageFailure} for an unknown command or option, a missing or surplus argument
 */
export function parseCommandLine(typed: readonly string[]): Invocation {
  // Options before the command's name are global ones; none of them takes a value.
  const nameAt = typed.findIndex((word) => !word.startsWith("-") || word === "--");
  const before = canonicalWords(typed.slice(0, nameAt === -1 ? undefined : nameAt), null);
  const name = nameAt === -1 ? undefined : typed[nameAt];
  if (name === "help") return helpOn(canonicalWords(typed.slice(nameAt + 1), null).positionals);
  if (name === undefined)
    return before.options.includes("--version") ? { kind: "version" } : { kind: "help", command: null };

  const command = findCommand(name);
  if (command === undefined) throw unknownCommand(name);
  const words = canonicalWords(typed.slice(nameAt + 1), command);
  const options = [...before.options, ...words.options];
  if (options.includes("--help")) return { kind: "help", command };
  if (options.includes("--version")) return { kind: "version" };
  checkCount(command, words.positionals);
  return { kind: "run", command, args: readWithCac(command, { options, positionals: words.positionals }) };
}

function helpOn(names: readonly string[]): Invocation {
  const [name, surplus] = names;
  if (surplus !== undefined)
    throw new UsageFailure(
      `fsmon help takes one COMMAND, and cannot use ${JSON.stringify(surplus)}`,
      `for example: fsmon help ${findCommand(surplus)?.name ?? "add"}`,
    );
  if (name === undefined || name === "help") return { kind: "help", command: null };
  const command = findCommand(name);
  if (command === undefined) throw unknownCommand(name);
  return { kind: "help", command };
}

/**
 * Stands before every value on its way through cac, which would otherwise turn "007" into 7 and "1e3" into 1000 (even
 * with `type: [String]`: the conversion comes first) and an empty value into true.
 */
const GUARD = ":";

function readWithCac(command: CommandDefinition, words: Words): ParsedArguments {
  const definitions = [...command.options, ...GLOBAL_OPTIONS];
  const parser = cac("fsmon");
  const parsed = parser.command(command.name);
  for (const { name, value, summary } of definitions) {
    if (value === undefined) parsed.option(`--${name}`, summary);
    else parsed.option(`--${name} <${value}>`, summary, { type: [String] });
  }
  const guarded = words.options.map((word) => word.replace("=", `=${GUARD}`));
  // Positionals come after "--": a lone "-" and what begins with a dash stay what they are.
  const argv = ["", "", command.name, ...guarded, "--", ...words.positionals];
  const { options } = parser.parse(argv, { run: false });

  const found = new Map<string, readonly string[]>();
  for (const { name, value } of definitions) {
    const raw: unknown = options[camelCase(name)];
    if (value === undefined) {
      // "--no-color" is a negation to cac: it makes "color" false. A flag given twice is a list.
      const denied = name.startsWith("no-") && options[camelCase(name.slice(3))] === false;
      if (denied || raw === true || Array.isArray(raw)) found.set(name, []);
    } else if (Array.isArray(raw)) {
      found.set(
        name,
        raw.map((text) => String(text).slice(GUARD.length)),
      );
    }
  }
  const positionals: unknown = options["--"];
  return new ParsedArguments(Array.isArray(positionals) ? positionals.map(String) : [], found);
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

function checkCount(command: CommandDefinition, given: readonly string[]): void {
  const missing = command.args[given.length];
  if (missing !== undefined && missing.optional !== true) {
    throw new UsageFailure(
      `fsmon ${command.name} needs a ${missing.name}`,
      `for example: ${command.examples[0]?.line}`,
    );
  }
  const surplus = given[command.args.length];
  if (surplus !== undefined && command.args.at(-1)?.repeatable !== true) {
    const wanted = command.args.length === 0 ? "takes no argument" : `takes one ${command.args[0]?.name}`;
    const hint = surplus.startsWith("-")
      ? `see fsmon ${command.name} --help`
      : "put quotes around names with spaces and around patterns, which the shell expands otherwise";
    throw new UsageFailure(
      `fsmon ${command.name} ${wanted}, and cannot use ${JSON.stringify(surplus)}`,
      hint,
    );
  }
}

function unknownCommand(name: string): UsageFailure {
  const names = [...COMMANDS.map((command) => command.name), "help"];
  const known = nearest(name, names);
  const hint = known === null ? `accepted: ${names.join(", ")}` : `did you mean "fsmon ${known}"?`;
  return new UsageFailure(`Unknown command ${JSON.stringify(name)}`, hint);
}
