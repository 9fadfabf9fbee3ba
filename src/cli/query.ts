// `fsmon query`: options into a request, lines to stdout, remarks to stderr. With --file it needs neither config nor store.

import { type ExitCode, UsageFailure } from "../failure.ts";
import { parseTime } from "../filter/units.ts";
import { type ByteSink, type QueryRequest, runQuery } from "../query/query.ts";
import { coloursFor } from "../show/colour.ts";
import { isTerminal } from "../show/is-terminal.ts";
import { LineCutter } from "../show/lines.ts";
import { EventRows } from "../show/rows.ts";
import { statsJson } from "../stats/json.ts";
import { StatsSink } from "../stats/stats.ts";
import { statsText } from "../stats/text.ts";
import { loadContext } from "./context.ts";
import { contextInUse } from "./in-use.ts";
import { moveOut, StdoutClosed, writeOut } from "./output.ts";
import type { ParsedArguments } from "./parse.ts";
import { ProgressLine } from "./progress-line.ts";
import { remark } from "./report.ts";
import { storedEntries } from "./stored.ts";
import { stdoutColumns } from "./terminal.ts";
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
  const request = { ...(await sources(args)), ...range, paths: args.all("path").map(absolutePath) };
  const progress = new ProgressLine();
  const note = (sentence: string) => {
    progress.clear();
    remark(sentence);
  };
  try {
    const onProgress = (readBytes: number, totalBytes: number | null) => progress.show(readBytes, totalBytes);
    const stdout = stdoutBeside(progress);
    if (args.has("stats")) {
      const stats = new StatsSink();
      const { exitCode } = await runQuery(request, stats, note, onProgress);
      progress.clear();
      await tellStats(stats, args);
      return exitCode;
    }
    if (format === "jsonl") return (await runQuery(request, stdout, note, onProgress)).exitCode;
    const text = await textOf(stdout, args.has("no-color"));
    const { exitCode } = await runQuery(request, text, note, onProgress);
    text.end();
    return exitCode;
  } finally {
    progress.clear();
  }
}

async function tellStats(stats: StatsSink, args: ParsedArguments): Promise<void> {
  const summary = stats.summary();
  if (args.has("json")) writeOut(`${statsJson(summary)}\n`);
  else writeOut(statsText(summary, await coloursFor(1, args.has("no-color")), stdoutColumns()));
}

const FORMATS = ["jsonl", "text"] as const;

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

/** Turns lines into rows for a person, on their way to stdout. */
async function textOf(stdout: ByteSink, colourless: boolean): Promise<ByteSink & { end(): void }> {
  const colours = await coloursFor(1, colourless);
  const rows = new EventRows({ colours, columns: stdoutColumns, dated: true, onlyPath: () => null });
  let text = "";
  const lines = new LineCutter((keys, timeMs) => {
    text += rows.row(keys, timeMs);
  });
  const flush = () => {
    const bytes = Buffer.from(text, "utf8");
    text = "";
    return bytes.length === 0 || stdout.write(bytes);
  };
  return {
    write(bytes) {
      lines.write(bytes);
      return flush();
    },
    end() {
      lines.end();
      flush();
    },
  };
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
  const managedPaths = storedEntries(context).map(({ path }) => path);
  return { logDir: config.logDir, files: null, managedPaths, owner };
}
