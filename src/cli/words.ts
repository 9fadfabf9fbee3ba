// Words as typed → words that no parser can misread: `-rt A,B` becomes `--recursive` and `--types=A,B`, and a value that
// begins with a dash stays a value. Names are checked here, against the table; nothing is known of what they mean.
import { UsageFailure } from "../failure.ts";
import { nearest } from "../filter/nearest.ts";
import type { CommandDefinition, OptionDefinition } from "./definition.ts";
import { COMMANDS, GLOBAL_OPTIONS } from "./table.ts";

export interface Words {
  /** `--name` or `--name=value`, long names only, each one known. */
  readonly options: readonly string[];
  /** Everything else, in order, with what followed `--`. */
  readonly positionals: readonly string[];
}

/**
 * @param typed what follows the command's name, or all words when there is no command
 * @param command whose options are known besides the global ones; null without a command
 * @throws {UsageFailure} for an unknown option (with the nearest one), a missing value, a value for a flag
 */
export function canonicalWords(typed: readonly string[], command: CommandDefinition | null): Words {
  const reader = new WordReader(
    typed,
    [...(command?.options ?? []), ...GLOBAL_OPTIONS],
    command?.name ?? null,
  );
  return reader.read();
}

class WordReader {
  private readonly typed: readonly string[];
  private readonly known: readonly OptionDefinition[];
  private readonly command: string | null;
  private at = 0;

  constructor(typed: readonly string[], known: readonly OptionDefinition[], command: string | null) {
    this.typed = typed;
    this.known = known;
    this.command = command;
  }

  read(): Words {
    const options: string[] = [];
    const positionals: string[] = [];
    while (this.at < this.typed.length) {
      const word = this.typed[this.at++] ?? "";
      if (word === "--") return { options, positionals: [...positionals, ...this.typed.slice(this.at)] };
      if (word.startsWith("--")) options.push(this.long(word));
      // A single dash is a name people give to the standard input.
      else if (word.startsWith("-") && word !== "-") options.push(...this.cluster(word));
      else positionals.push(word);
    }
    return { options, positionals };
  }

  /** `--name`, `--name=value`, `--name value`. */
  private long(word: string): string {
    const equals = word.indexOf("=");
    const name = word.slice(2, equals === -1 ? undefined : equals);
    const option = this.known.find((one) => one.name === name);
    if (option === undefined) throw this.unknown(`--${name}`);
    if (equals === -1) return option.value === undefined ? word : `${word}=${this.nextValue(word, option)}`;
    if (option.value === undefined)
      throw new UsageFailure(`The option --${name} takes no value`, `type --${name}`);
    if (equals === word.length - 1) throw missingValue(`--${name}`, option);
    return word;
  }

  /** `-r`, `-rt A,B`, `-tA,B`, `-t=A,B`. */
  private cluster(word: string): string[] {
    const options: string[] = [];
    for (let at = 1; at < word.length; at++) {
      const letter = word[at] ?? "";
      const option = this.known.find((one) => one.short === letter);
      if (option === undefined) throw this.unknown(at === 1 ? word : `-${letter}`);
      if (option.value === undefined) {
        options.push(`--${option.name}`);
        continue;
      }
      const attached = word.slice(at + 1).replace(/^=/, "");
      const ends = at === word.length - 1;
      if (!ends && attached === "") throw missingValue(`-${letter}`, option);
      options.push(`--${option.name}=${ends ? this.nextValue(`-${letter}`, option) : attached}`);
      break;
    }
    return options;
  }

  /** The next word is the value, even `-1h`; but not one that is itself an option here: that was a slip. */
  private nextValue(typed: string, option: OptionDefinition): string {
    const next = this.typed[this.at++];
    if (next === undefined || next === "" || next === "--") throw missingValue(typed, option);
    const name = next.split("=", 1)[0] ?? next;
    if (this.known.some((one) => name === `--${one.name}` || next === `-${one.short}`)) {
      throw missingValue(typed, option, `if ${next} is the value, type --${option.name}=${next}`);
    }
    return next;
  }

  private unknown(typed: string): UsageFailure {
    const names = this.known.map((option) => `--${option.name}`);
    const known = nearest(typed, names);
    const help = this.command === null ? "fsmon --help" : `fsmon ${this.command} --help`;
    let hint = known === null ? `see ${help}` : `did you mean ${known}? (all options: ${help})`;
    if (
      this.command === null &&
      COMMANDS.some((command) => command.options.some((one) => `--${one.name}` === typed))
    ) {
      hint = `a command's options stand after its name: fsmon COMMAND ${typed}`;
    }
    return new UsageFailure(`Unknown option ${JSON.stringify(typed)}`, hint);
  }
}

function missingValue(typed: string, option: OptionDefinition, hint?: string): UsageFailure {
  const accepted =
    option.accepted === undefined ? `type ${typed} ${option.value}` : `accepted: ${option.accepted}`;
  return new UsageFailure(`The option ${typed} needs a value`, hint ?? accepted);
}
