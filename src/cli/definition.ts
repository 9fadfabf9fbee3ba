// The shape of a command's description: parsing, --help, completions and the man page are all made from it.
// Types only; table.ts holds the descriptions.

export interface OptionDefinition {
  /** Long name without dashes, "exclude-cmd". */
  readonly name: string;
  /** One letter, without the dash. */
  readonly short?: string;
  /** What the value is called in the help, "TIME"; without it the option is a flag. */
  readonly value?: string;
  /** True: every occurrence counts. Else the last one does. */
  readonly repeatable?: true;
  /** Lower case, no full stop. */
  readonly summary: string;
  readonly default?: string;
  readonly accepted?: string;
  /** What a shell offers for the value; nothing where it is left out. */
  readonly complete?: Completion;
}

/** Files, directories, managed paths, managed paths and files where none fits, or these words. */
export type Completion = "file" | "directory" | "managed" | "recorded" | readonly string[];

export interface ArgumentDefinition {
  /** What it is called in the help, "PATH". */
  readonly name: string;
  readonly summary: string;
  /** May be left out; only the last ones of a command may. */
  readonly optional?: true;
  /** May be given several times; only the last one of a command may. */
  readonly repeatable?: true;
  readonly complete?: Completion;
}

export interface ExampleDefinition {
  /** A command line that works as typed. */
  readonly line: string;
  readonly meaning: string;
}

export interface CommandDefinition {
  readonly name: string;
  /** Lower case, no full stop. */
  readonly summary: string;
  /** Sentences for the command's own help page. */
  readonly details: readonly string[];
  readonly args: readonly ArgumentDefinition[];
  readonly options: readonly OptionDefinition[];
  readonly examples: readonly ExampleDefinition[];
}
