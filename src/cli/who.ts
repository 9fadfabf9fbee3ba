// `fsmon who`: changes of a file as aligned rows or as the log's lines on stdout, what limits the answer beside them.
import { lstatSync } from "node:fs";
import { basename, dirname } from "node:path";
import { isAtOrBelow } from "../containment.ts";
import { DEFAULT_TYPES, type ManagedPath } from "../event.ts";
import { EXIT, type ExitCode, Failure, UsageFailure } from "../failure.ts";
import { compileFilter } from "../filter/filter.ts";
import { formatFilters, parseTypes } from "../filter/flags.ts";
import { parseTime } from "../filter/units.ts";
import { coloursFor } from "../show/colour.ts";
import { formatMoment } from "../show/time.ts";
import { ChangeRows, lastingText } from "../who/rows.ts";
import { type Answer, coveringPaths, findChanges, type WhoRequest } from "../who/who.ts";
import { loadContext } from "./context.ts";
import { contextInUse } from "./in-use.ts";
import { writeOut } from "./output.ts";
import type { ParsedArguments } from "./parse.ts";
import { remark } from "./report.ts";
import { storedEntries } from "./stored.ts";
import { stdoutColumns } from "./terminal.ts";
import { absolutePath, resolvedPath } from "./working-directory.ts";

const COUNT_DEFAULT = 20;
/** Rows are aligned with each other in groups of so many, which is also what waits in memory. */
const ROWS_AT_A_TIME = 200;

export async function run(args: ParsedArguments): Promise<ExitCode> {
  const typed = args.positionals[0] ?? "";
  if (typed === "") throw new UsageFailure("fsmon who needs a FILE", "for example: fsmon who /etc/passwd");
  const nowMs = Date.now();
  const types = args.all("types");
  const since = args.last("since");
  const recursive = args.has("recursive");
  const count = countOf(args.last("number"));
  const sinceMs = since === undefined ? Number.NEGATIVE_INFINITY : parseTime(since, nowMs);
  const wanted = new Set<string>(types.length === 0 ? [...DEFAULT_TYPES, "MODIFY"] : parseTypes(types));
  const path = resolvedPath(absolutePath(typed));
  const context = await contextInUse(loadContext(args), args);
  const { owner } = context;
  const { logDir } = context.config;
  const entries = storedEntries(context);
  const managedPaths = entries.map((entry) => entry.path);
  const request: WhoRequest = { path, recursive, count, sinceMs, types: wanted, logDir, owner, managedPaths };
  if (path !== absolutePath(typed)) remark(`"${typed}" leads through a symbolic link to "${path}"`);

  const { covering } = coveringPaths(request);
  if (covering.length === 0) throw nothingKnown(request);
  const asJson = args.has("json");
  let rows: ChangeRows | null = null;
  const flush = () => {
    if (rows !== null) writeOut(rows.take());
  };
  if (!asJson) {
    const colours = await coloursFor(1, args.has("no-color"));
    rows = new ChangeRows({ colours, columns: stdoutColumns(), nowMs, path, recursive });
  }
  const answer: Answer = {
    onLine(text) {
      if (rows === null) writeOut(`${text}\n`);
    },
    onChange(change) {
      if (rows !== null && rows.addChange(change) >= ROWS_AT_A_TIME) flush();
    },
    onPause(pause) {
      if (rows !== null) rows.addPause(pause);
      else if (pause.toMs === null) remark(lastingText(pause, nowMs));
    },
    onProblem: remark,
    onMoment: flush,
  };
  const { changes, recordedSinceMs } = await findChanges(request, answer);
  flush();
  const deepest = covering.toSorted((a, b) => b.length - a.length)[0] ?? "";
  const reached = entries.filter((entry) => isAtOrBelow(path, entry.path));
  if (changes === 0 && reached.length > 0 && reached.every((entry) => !reaches(entry, path)))
    throw new Failure(
      `Cannot tell who changed "${path}": "${deepest}" is managed without the directories below it`,
      `fsmon add -r "${deepest}" records them, too`,
    );
  for (const entry of reached) tellFilters(entry, path);
  tellOtherNames(path);
  tellLimits({ path, sinceMs, changes, recordedSinceMs });
  return EXIT.fine;
}

function countOf(typed: string | undefined): number {
  if (typed === undefined) return COUNT_DEFAULT;
  if (typed.toLowerCase() === "all") return Number.POSITIVE_INFINITY;
  if (/^[1-9]\d{0,8}$/.test(typed)) return Number(typed);
  throw new UsageFailure(
    `Cannot read the number ${JSON.stringify(typed)}`,
    "accepted: a whole number from 1 on, or all",
  );
}

function reaches(entry: { path: string; recursive: boolean }, path: string): boolean {
  return entry.recursive || path === entry.path || dirname(path) === entry.path;
}

/** The log knows names, and no objects behind them. */
function tellOtherNames(path: string): void {
  let names = 1;
  try {
    const stat = lstatSync(path);
    if (stat.isFile()) names = stat.nlink;
  } catch {
    // Gone, or not to be looked at by this person.
  }
  if (names > 1)
    remark(
      `"${path}" has ${names} names (hard links): changes through the others are not told here; find -xdev -samefile "${path}" at the top of its filesystem lists them`,
    );
}

/** What the filters leave out is no change that anybody could be told of. */
function tellFilters(entry: ManagedPath, path: string): void {
  const filter = compileFilter(entry, entry.path);
  const excluded =
    path !== entry.path &&
    (filter.excludesDirectory(dirname(path)) || filter.excludesEntry(dirname(path), basename(path)));
  if (excluded) {
    remark(`The filters of "${entry.path}" leave this file out: ${entry.exclude.join(",")}`);
    return;
  }
  const lacksTypes = DEFAULT_TYPES.some((type) => !entry.types.includes(type));
  if (lacksTypes || filter.hasCmdPatterns || entry.minSizeBytes !== null)
    remark(`Below "${entry.path}" only this is recorded: ${formatFilters(entry)}`);
}

function nothingKnown({ path, managedPaths }: WhoRequest): Failure {
  const message = `Cannot tell who changed "${path}"`;
  if (managedPaths.some((managed) => isAtOrBelow(path, managed))) {
    return new Failure(
      `${message}: it is managed, but nothing was recorded yet`,
      "is the daemon running? fsmon health tells",
    );
  }
  const known = managedPaths.length === 0 ? "no path is managed" : `managed are: ${listed(managedPaths)}`;
  return new Failure(`${message}: it lies below no managed path`, `${known}; fsmon add begins it`);
}

const LISTED_MAX = 8;

function listed(paths: readonly string[]): string {
  const shown = paths.slice(0, LISTED_MAX).map((path) => `"${path}"`);
  const more = paths.length - shown.length;
  return `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

interface Limits {
  path: string;
  sinceMs: number;
  changes: number;
  recordedSinceMs: number | null;
}

function tellLimits({ path, sinceMs, changes, recordedSinceMs }: Limits): void {
  const fromMs = Math.max(sinceMs, recordedSinceMs ?? Number.NEGATIVE_INFINITY);
  if (changes === 0) {
    const since = Number.isFinite(fromMs) ? ` since ${formatMoment(fromMs)}` : "";
    const begins = recordedSinceMs !== null && recordedSinceMs >= sinceMs;
    remark(`No change of "${path}" was recorded${since}${begins ? ", when its log begins" : ""}`);
  } else if (recordedSinceMs !== null && recordedSinceMs >= sinceMs) {
    remark(`The log begins at ${formatMoment(recordedSinceMs)}: what happened before is not known`);
  }
}
