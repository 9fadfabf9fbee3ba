// `fsmon daemon`: checks what must be so before anything is touched, then hands over to src/daemon.ts, which is loaded only
// here: no other command pays for it.
import { EXIT, type ExitCode, Failure } from "../failure.ts";
import { escapeForTerminal } from "../show/escape.ts";
import { describeConfig } from "./check-config.ts";
import { loadContext } from "./context.ts";
import { sayWithoutWaiting, writeOut } from "./output.ts";
import type { ParsedArguments } from "./parse.ts";
import { remark } from "./report.ts";
import { COMMIT, VERSION } from "./version.ts";

export async function run(args: ParsedArguments): Promise<ExitCode> {
  if (args.has("check-config")) {
    writeOut(describeConfig(loadContext(args)));
    return EXIT.fine;
  }
  if (process.geteuid?.() !== 0) {
    throw new Failure("Cannot watch the filesystem without root", "sudo fsmon daemon");
  }
  const { runDaemon, shedRights } = await import("../daemon.ts");
  const problem = shedRights();
  if (problem !== null) remark(problem);
  const context = loadContext(args);
  return runDaemon({
    ...context,
    version: VERSION,
    commit: COMMIT,
    identify: args.last("identify") ?? null,
    debug: args.has("debug") || process.env.FSMON_DEBUG === "1",
    say: (sentence) => sayWithoutWaiting(`fsmon: ${escapeForTerminal(sentence)}`),
    // After a second signal or an internal fault: whatever is left to do would keep the process alive.
    endNow: () => process.exit(EXIT.failed),
  });
}
