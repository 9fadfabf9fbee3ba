// `fsmon health`: is everything being recorded? Asks the daemon, looks at its logs and their disk, and says it as text, JSON or
// metrics. The exit code is the verdict.
import { EXIT, type ExitCode, UsageFailure } from "../failure.ts";
import { healthJson } from "../health/json.ts";
import { healthMetrics } from "../health/prometheus.ts";
import { healthReport } from "../health/report.ts";
import { healthText } from "../health/text.ts";
import { coloursFor } from "../show/colour.ts";
import { loadContext } from "./context.ts";
import { tellDifferences } from "./differences.ts";
import { findDaemon } from "./find-daemon.ts";
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
