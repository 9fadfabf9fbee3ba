// `fsmon clean`: limits from options or config, one line a log on stdout that says what went or would go. The running daemon
// is asked to seal what it is writing.
import { applyClean, type CleanRequest, type LogCleaning, planClean } from "../clean/clean.ts";
import { askDaemon } from "../control/client.ts";
import { EXIT, type ExitCode, Failure } from "../failure.ts";
import { parseDays, parseSize } from "../filter/units.ts";
import { formatTime } from "../log/time.ts";
import { escapeForTerminal } from "../show/escape.ts";
import { formatSize } from "../show/size.ts";
import { loadContext } from "./context.ts";
import { contextInUse } from "./in-use.ts";
import { writeOut } from "./output.ts";
import type { ParsedArguments } from "./parse.ts";
import { remark } from "./report.ts";
import { absolutePath } from "./working-directory.ts";

export async function run(args: ParsedArguments): Promise<ExitCode> {
  const keepDays = args.last("keep-days");
  const maxSize = args.last("max-size");
  const context = loadContext(args, {
    keepDays: keepDays === undefined ? undefined : parseDays(keepDays),
    maxSizeBytes: maxSize === undefined ? undefined : parseSize(maxSize),
  });
  const paths = args.all("path").map(absolutePath);
  const request: CleanRequest = {
    logDir: (await contextInUse(context, args)).config.logDir,
    owner: context.owner,
    paths: paths.length === 0 ? null : paths,
    keepDays: context.config.keepDays,
    maxSizeBytes: context.config.maxSizeBytes,
    nowMs: Date.now(),
  };
  const dryRun = args.has("dry-run");
  const { socketPath } = context.config;
  const cleanings = dryRun
    ? planClean(request)
    : await applyClean(request, { sealLive: (hash) => sealLive(socketPath, hash) });
  return tell(cleanings, dryRun);
}

async function sealLive(socketPath: string, hash: string): Promise<boolean> {
  const answer = await askDaemon(socketPath, { command: "seal", hash });
  if (!answer.running) throw new Failure(`it is being written to, and no daemon answers at "${socketPath}"`);
  return answer.reply.sealed;
}

function tell(cleanings: readonly LogCleaning[], dryRun: boolean): ExitCode {
  let exitCode: ExitCode = EXIT.fine;
  for (const cleaning of cleanings) {
    const name = cleaning.managedPath ?? `${cleaning.hash}_log.jsonl`;
    writeOut(`${escapeForTerminal(name)} | ${describe(cleaning, dryRun)}\n`);
    for (const problem of cleaning.problems) {
      remark(problem);
      exitCode = EXIT.failed;
    }
  }
  if (cleanings.length === 0) remark("There are no logs");
  return exitCode;
}

function describe({ bytes, lines, fromMs, toMs, keptBytes }: LogCleaning, dryRun: boolean): string {
  const kept = `${formatSize(keptBytes)} ${dryRun ? "would stay" : "stay"}`;
  if (bytes === 0) return `nothing to delete | ${kept}`;
  const count = lines === null ? "" : `${lines} ${lines === 1 ? "line" : "lines"}, `;
  const span = fromMs === null || toMs === null ? "" : `, from ${formatTime(fromMs)} to ${formatTime(toMs)}`;
  return `${dryRun ? "would delete" : "deleted"} ${count}${formatSize(bytes)}${span} | ${kept}`;
}
