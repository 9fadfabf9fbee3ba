// `fsmon query`: options into a request, lines to stdout, remarks to stderr. With --file it needs neither config nor store.
import { type ExitCode, Failure, UsageFailure } from "../failure.ts";
import { parseTime } from "../filter/units.ts";
import { type ByteSink, type QueryRequest, runQuery } from "../query/query.ts";
import { isTerminal } from "../show/is-terminal.ts";
import { type Context, loadContext } from "./context.ts";
import { contextInUse } from "./in-use.ts";
import { moveOut, StdoutClosed, stdoutIsMissing, writeOut } from "./output.ts";
import type { ParsedArguments } from "./parse.ts";
import { ProgressLine } from "./progress-line.ts";
import { remark } from "./report.ts";
import { FORMATS } from "./viewing.ts";
import { absolutePath } from "./working-directory.ts";

export async function run(args: ParsedArguments): Promise<ExitCode> {
  const nowMs = Date.now();
  const range = { sinceMs: timeOption(args, "since", nowMs), untilMs: timeOption(args, "until", nowMs) };
  if (range.sinceMs !== null && range.untilMs !== null && range.sinceMs > range.untilMs) {
    throw new UsageFailure(
      `Cannot query from ${JSON.stringify(args.last("since"))} to ${JSON.stringify(args.last("until"))}: the end lies before the beginning`,
      "exchange the two",
    );
  }
  const format = formatOption(args);
  if (stdoutIsMissing())
    throw new Failure("Cannot write to stdout: it is closed", "redirect it to /dev/null or to a file");
  const request = { ...(await sources(args)), ...range, paths: args.all("path").map(absolutePath) };
  const progress = new ProgressLine();
  const note = (sentence: string) => {
    progress.clear();
    remark(sentence);
  };
  try {
    const onProgress = (readBytes: number, totalBytes: number | null) => progress.show(readBytes, totalBytes);
    const stdout = stdoutBeside(progress);
    if (format === "jsonl" && !args.has("stats"))
      return (await runQuery(request, stdout, note, onProgress)).exitCode;
    const { formSink } = await import("./query-form.ts");
    const sink = await formSink(args, stdout);
    const { exitCode } = await runQuery(request, sink, note, onProgress);
    sink.end();
    return exitCode;
  } finally {
    progress.clear();
  }
}

function formatOption(args: ParsedArguments): (typeof FORMATS)[number] {
  const hasFormat = args.last("format") !== undefined;
  if (args.has("stats") && hasFormat)
    throw new UsageFailure(
      "Cannot use --format together with --stats",
      "--stats --json is the form for programs",
    );
  if (args.has("json") && !args.has("stats") && hasFormat && args.last("format") !== "jsonl")
    throw new UsageFailure("Cannot use --json together with --format text", "give one of them");
  const typed = args.last("format") ?? "jsonl";
  const format = FORMATS.find((one) => one === typed.toLowerCase());
  if (format !== undefined) return format;
  throw new UsageFailure(
    `Cannot print in the format ${JSON.stringify(typed)}`,
    `accepted: ${FORMATS.join(", ")}`,
  );
}

/** stdout; a reader that has gone ends the query quietly. */
function stdoutBeside(progress: ProgressLine): ByteSink {
  const sharesTerminal = isTerminal(1);
  const unlessClosed = <T>(work: () => T, closed: T): T => {
    try {
      return work();
    } catch (error) {
      if (error instanceof StdoutClosed) return closed;
      throw error;
    }
  };
  return {
    write(bytes) {
      if (sharesTerminal) progress.clear();
      return unlessClosed(() => {
        writeOut(bytes);
        return true;
      }, false);
    },
    // A terminal takes nothing this way, so there is no progress to clear.
    take: (fd, at, sizeBytes) => unlessClosed(() => moveOut(fd, at, sizeBytes), -1),
  };
}

function timeOption(args: ParsedArguments, name: string, nowMs: number): number | null {
  const typed = args.last(name);
  return typed === undefined ? null : parseTime(typed, nowMs);
}

type Sources = Pick<QueryRequest, "logDir" | "files" | "managedPaths" | "owner">;

async function sources(args: ParsedArguments): Promise<Sources> {
  const files = args.all("file");
  if (files.length > 0) return { logDir: "", files, managedPaths: [] };
  const context = await contextInUse(loadContext(args), args);
  const { owner, config } = context;
  return { logDir: config.logDir, files: null, managedPaths: await managedPaths(context, args), owner };
}

/** They only help to find the logs of a path. */
async function managedPaths(context: Context, args: ParsedArguments): Promise<string[]> {
  if (!args.has("path")) return [];
  const { storedEntries } = await import("./stored.ts");
  return storedEntries(context).map(({ path }) => path);
}
