// `fsmon daemon`: checks what must be so before anything is touched, then hands over to src/daemon.ts, which is loaded only
// here: no other command pays for it.

import { EXIT, type ExitCode, Failure } from "../failure.ts";
import { describeConfig } from "./check-config.ts";
import { loadContext } from "./context.ts";
import { escapeForTerminal } from "./escape.ts";
import { sayWithoutWaiting, writeOut } from "./output.ts";
import type { ParsedArguments } from "./parse.ts";
import { COMMIT, VERSION } from "./version.ts";

export async function run(args: ParsedArguments): Promise<ExitCode> {
  if (args.has("check-config")) {
    writeOut(describeConfig(loadContext(args)));
    return EXIT.fine;
  }
  if (process.geteuid?.() !== 0) {
    throw new Failure("Cannot watch the filesystem without root", "sudo fsmon daemon");
  }
  const context = loadContext(args);
  const { runDaemon } = await import("../daemon.ts");
  return runDaemon({
    ...context,
    version: VERSION,
    commit: COMMIT,
    debug: args.has("debug") || process.env.FSMON_DEBUG === "1",
    say: (sentence) => sayWithoutWaiting(`fsmon: ${escapeForTerminal(sentence)}`),
    // A second SIGINT: whoever presses it doesn't want to wait for whatever the first one is still busy with.
    endNow: () => process.exit(EXIT.failed),
  });
}
