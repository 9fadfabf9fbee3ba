// `fsmon managed`: one line a path with every filter, and whether it is being watched now. The daemon knows both; without
// one the store alone is shown.
import { askDaemon } from "../control/client.ts";
import type { DaemonStatus } from "../control/protocol.ts";
import type { ManagedPath, PathStatus } from "../event.ts";
import { EXIT, type ExitCode } from "../failure.ts";
import { checkPatterns } from "../filter/filter.ts";
import { formatFilters } from "../filter/flags.ts";
import { stringifySafely } from "../log/json-text.ts";
import { encodeEntry } from "../managed/entry.ts";
import { loadStore } from "../managed/store.ts";
import { type Colours, coloursFor, paintState } from "../show/colour.ts";
import { escapeForTerminal } from "../show/escape.ts";
import { isTerminal } from "../show/is-terminal.ts";
import { statusJson } from "../show/path-status.ts";
import { type Context, loadContext } from "./context.ts";
import { tellDifferences } from "./differences.ts";
import { writeOut } from "./output.ts";
import type { ParsedArguments } from "./parse.ts";
import { remark } from "./report.ts";
import { unanswered } from "./unanswered.ts";

/** A path of the store, with what the daemon says of it; null where none is running. */
interface Row {
  readonly entry: ManagedPath;
  readonly status: PathStatus | null;
}

export async function run(args: ParsedArguments): Promise<ExitCode> {
  const context = loadContext(args);
  const answer = await askDaemon(context.config.socketPath, { command: "status" });
  const status = answer.running ? answer.reply : null;
  if (!answer.running)
    remark(
      unanswered(context, answer.obstacle, "nothing is being watched now (sudo fsmon daemon begins it)"),
    );
  else tellDifferences(answer.reply, context);

  const { rows, exitCode } = collect(status, context);
  if (args.has("paths")) {
    // Exact for programs; a terminal obeys what a name may hold.
    const shown = isTerminal(1) ? escapeForTerminal : (path: string) => path;
    writeOut(rows.map(({ entry }) => `${shown(entry.path)}\n`).join(""));
  } else if (args.has("json")) {
    writeOut(rows.map((row) => `${stringifySafely(jsonRow(row))}\n`).join(""));
  } else {
    const colours = await coloursFor(1, args.has("no-color"));
    writeOut(rows.map((row) => `${textRow(row, colours)}\n`).join(""));
    if (rows.length === 0) remark("No path is managed (fsmon add PATH begins it)");
  }
  return exitCode;
}

/** The daemon's paths, or the store's; lines of the store that can't be used are named either way. */
function collect(
  status: DaemonStatus | null,
  { config, owner }: Context,
): { rows: Row[]; exitCode: ExitCode } {
  const file = status?.managedFile ?? config.managedFile;
  const watched = new Set(status?.paths.map(({ path }) => path));
  // The daemon has judged those that it watches; each expression takes some 0.1 s.
  const { paths, broken } = loadStore(file, owner, (entry) => {
    if (!watched.has(entry.path)) checkPatterns(entry);
  });
  for (const { line, reason } of broken) remark(`Cannot use line ${line} of "${file}": ${reason}`);
  const rows =
    status === null
      ? paths.map((entry) => ({ entry, status: null }))
      : status.paths.map((path) => ({ entry: path, status: path }));
  return { rows, exitCode: broken.length === 0 ? EXIT.fine : EXIT.failed };
}

function textRow({ entry, status }: Row, colours: Colours): string {
  return `${escapeForTerminal(entry.path)} | ${escapeForTerminal(formatFilters(entry))} | ${stateText(status, colours)}`;
}

function stateText(status: PathStatus | null, colours: Colours): string {
  if (status === null) return `state=${colours.dim("unwatched")}`;
  const reason = status.reason ?? (status.scanning ? "still reading its directories" : null);
  return `state=${paintState(status.state, colours)}${reason === null ? "" : ` (${escapeForTerminal(reason)})`}`;
}

/** The store's keys, and what the daemon adds. Exact: for programs. */
function jsonRow({ entry, status }: Row): Record<string, unknown> {
  const stored: Record<string, unknown> = JSON.parse(encodeEntry(entry));
  if (status === null) return { ...stored, state: "unwatched" };
  return { ...stored, ...statusJson(status) };
}
