// `fsmon health`: is everything being recorded? Asks the daemon, looks at its logs and their disk, and says it as text, JSON or
// metrics. The exit code is the verdict.

import { askDaemon } from "../control/client.ts";
import { EXIT, type ExitCode, Failure, UsageFailure } from "../failure.ts";
import { healthJson } from "../health/json.ts";
import { healthMetrics } from "../health/prometheus.ts";
import { type DaemonState, healthReport } from "../health/report.ts";
import { healthText } from "../health/text.ts";
import { runningDaemon } from "../log/lifetime.ts";
import { coloursFor } from "../show/colour.ts";
import { type Context, loadContext } from "./context.ts";
import { tellDifferences } from "./differences.ts";
import { writeOut } from "./output.ts";
import type { ParsedArguments } from "./parse.ts";

export async function run(args: ParsedArguments): Promise<ExitCode> {
  if (args.has("json") && args.has("prometheus"))
    throw new UsageFailure("--json and --prometheus are two forms of the same answer", "give one of them");
  const context = loadContext(args);
  const daemon = await findDaemon(context);
  if (daemon.kind === "answers") tellDifferences(daemon.status, context);
  const report = healthReport(daemon, context.config, context.owner, Date.now());
  if (args.has("prometheus")) writeOut(healthMetrics(report));
  else if (args.has("json")) writeOut(`${healthJson(report)}\n`);
  else writeOut(healthText(report, await coloursFor(1, args.has("no-color"))));
  return report.healthy ? EXIT.fine : EXIT.failed;
}

/** A daemon that can't be asked may be recording all the same: its lock on the log directory says so. */
export async function findDaemon({ config, owner }: Context): Promise<DaemonState> {
  let reason: string | null = null;
  try {
    const answer = await askDaemon(config.socketPath, { command: "status" });
    if (answer.running) return { kind: "answers", status: answer.reply };
    reason = answer.obstacle;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    reason = error.message;
  }
  try {
    const running = runningDaemon(config.logDir, owner);
    if (running !== null) {
      const why = running.uncontrollable ?? reason ?? `nobody answers at "${config.socketPath}"`;
      return { kind: "uncontrolled", running, reason: why };
    }
  } catch {
    // A lock that can't be looked at, or a daemon that is just starting or ending: what the socket said is what is known.
  }
  return { kind: "none", reason };
}
