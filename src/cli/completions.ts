// `fsmon completions SHELL`: the script that makes a shell complete fsmon's commands, options and managed paths. Made from the
// command table, so it can't differ from the help.
import { EXIT, type ExitCode, UsageFailure } from "../failure.ts";
import { nearest } from "../filter/nearest.ts";
import { bashScript } from "./completions/bash.ts";
import { fishScript } from "./completions/fish.ts";
import { zshScript } from "./completions/zsh.ts";
import { writeOut } from "./output.ts";
import type { ParsedArguments } from "./parse.ts";
import { SHELLS } from "./table.ts";

const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], () => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export async function run(args: ParsedArguments): Promise<ExitCode> {
  const typed = args.positionals[0] ?? "";
  const shell = SHELLS.find((name) => name === typed);
  if (shell === undefined) {
    const known = nearest(typed, SHELLS);
    throw new UsageFailure(
      `There is no completion script for the shell ${JSON.stringify(typed)}`,
      known === null ? `accepted: ${SHELLS.join(", ")}` : `did you mean "${known}"?`,
    );
  }
  writeOut(SCRIPTS[shell]());
  return EXIT.fine;
}
