// `fsmon query`: options into a request, lines to stdout, remarks to stderr. With --file it needs neither config nor store.

import { isatty } from "node:tty";
import { type ExitCode, Failure, UsageFailure } from "../failure.ts";
import { parseTime } from "../filter/units.ts";
import { loadStore } from "../managed/store.ts";
import { type ByteSink, type QueryRequest, runQuery } from "../query/query.ts";
import { type Context, loadContext } from "./context.ts";
import { logDirInUse } from "./log-dir.ts";
import { StdoutClosed, writeOut } from "./output.ts";
import type { ParsedArguments } from "./parse.ts";
import { ProgressLine } from "./progress-line.ts";
import { remark } from "./report.ts";
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
  const request = { ...(await sources(args)), ...range, paths: args.all("path").map(absolutePath) };
  const progress = new ProgressLine();
  const note = (sentence: string) => {
    progress.clear();
    remark(sentence);
  };
  try {
    const onProgress = (readBytes: number, totalBytes: number | null) => progress.show(readBytes, totalBytes);
    const { exitCode } = await runQuery(request, stdoutBeside(progress), note, onProgress);
    return exitCode;
  } finally {
    progress.clear();
  }
}

/** stdout; a reader that has gone ends the query quietly. */
function stdoutBeside(progress: ProgressLine): ByteSink {
  const sharesTerminal = isatty(1);
  return {
    write(bytes) {
      if (sharesTerminal) progress.clear();
      try {
        writeOut(bytes);
        return true;
      } catch (error) {
        if (error instanceof StdoutClosed) return false;
        throw error;
      }
    },
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
  const context = loadContext(args);
  const { owner } = context;
  const logDir = await logDirInUse(context, args);
  return { logDir, files: null, managedPaths: storedPaths(context), owner };
}

/** The store only helps to find the logs of a path: a query works without it. */
function storedPaths({ config, owner }: Context): string[] {
  try {
    return loadStore(config.managedFile, owner).paths.map(({ path }) => path);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    remark(error.message);
    return [];
  }
}
