// From the command line to an exit code: parses, shows help, or loads the one command that was asked for and runs it.
// Commands are loaded when they run, so that each pays for its own code only.
import { EXIT, type ExitCode } from "../failure.ts";
import { coloursFor } from "../show/colour.ts";
import { writeOut } from "./output.ts";
import { type ParsedArguments, parseCommandLine } from "./parse.ts";
import { report } from "./report.ts";

/** What every command's file exports. */
interface CommandModule {
  run(args: ParsedArguments): Promise<ExitCode>;
}

/** Literal specifiers only: the binary must never look for code outside itself. */
const LOADERS: Readonly<Record<string, () => Promise<CommandModule>>> = {
  daemon: () => import("./daemon.ts"),
  add: () => import("./add.ts"),
  remove: () => import("./remove.ts"),
  managed: () => import("./managed.ts"),
  query: () => import("./query.ts"),
  who: () => import("./who.ts"),
  watch: () => import("./watch.ts"),
  clean: () => import("./clean.ts"),
  generate: () => import("./generate.ts"),
  doctor: () => import("./doctor.ts"),
  health: () => import("./health.ts"),
  completions: () => import("./completions.ts"),
};

/**
 * Never throws.
 *
 * @param typed process.argv without the program
 */
export async function runCommandLine(typed: readonly string[]): Promise<ExitCode> {
  try {
    return await dispatch(typed);
  } catch (error) {
    const refused = typed
      .slice(0, typed.includes("--") ? typed.indexOf("--") : undefined)
      .includes("--no-color");
    return report(error, await coloursFor(2, refused));
  }
}

async function dispatch(typed: readonly string[]): Promise<ExitCode> {
  const invocation = parseCommandLine(typed);
  switch (invocation.kind) {
    case "version": {
      const { COMMIT, VERSION } = await import("./version.ts");
      writeOut(`fsmon ${VERSION} (${COMMIT})\n`);
      return EXIT.fine;
    }
    case "help": {
      const { commandHelp, overview } = await import("./help.ts");
      writeOut(invocation.command === null ? overview() : commandHelp(invocation.command));
      return EXIT.fine;
    }
    case "run": {
      const load = LOADERS[invocation.command.name];
      if (load === undefined) throw new Error(`No code for the command ${invocation.command.name}`);
      return (await load()).run(invocation.args);
    }
  }
}
