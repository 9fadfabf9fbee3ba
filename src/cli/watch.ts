// `fsmon watch`: the running daemon's logs as they grow, as rows or as the log's lines, until Ctrl-C or until nobody reads them.
import { setPriority } from "node:os";
import { isAtOrBelow } from "../containment.ts";
import { EVENT_TYPES } from "../event.ts";
import { EXIT, type ExitCode } from "../failure.ts";
import { parseFilterFlags } from "../filter/flags.ts";
import { parseTime } from "../filter/units.ts";
import { runningDaemon } from "../log/lifetime.ts";
import { coloursFor } from "../show/colour.ts";
import { EventRows } from "../show/rows.ts";
import { type Outlet, RawViewer, RowViewer } from "../watch/viewers.ts";
import { WantedLines } from "../watch/wanted.ts";
import { Watch } from "../watch/watch.ts";
import { type Context, loadContext } from "./context.ts";
import { contextInUse } from "./in-use.ts";
import { stdoutIsAbandoned, writeOutPatiently } from "./output.ts";
import type { ParsedArguments } from "./parse.ts";
import { remark } from "./report.ts";
import { storedEntries } from "./stored.ts";
import { stdoutColumns, stdoutIsTerminal } from "./terminal.ts";
import { absolutePath, resolvedPath } from "./working-directory.ts";

/** Whoever looks on must not take the processor from the daemon. */
const NICENESS = 10;

export async function run(args: ParsedArguments): Promise<ExitCode> {
  const since = args.last("since");
  const sinceMs = since === undefined ? null : parseTime(since, Date.now());
  const paths = args.positionals.map((typed) => resolvedPath(absolutePath(typed)));
  const wanted = wantedLines(args, paths);
  const context = await contextInUse(loadContext(args), args);
  const { owner } = context;
  const { logDir } = context.config;
  lowerPriority();

  let ended = false;
  const outlet: Outlet = {
    write: (text) => writeOutPatiently(text, () => ended),
    isAbandoned: stdoutIsAbandoned,
    note: remark,
  };
  let watch: Watch | null = null;
  const followed = () => watch?.managedPaths ?? [];
  const rows = new EventRows({
    colours: await coloursFor(1, args.has("no-color")),
    columns: stdoutColumns,
    dated: false,
    onlyPath: () => (followed().length === 1 ? (followed()[0] ?? null) : null),
  });
  const rowViewer = args.has("json")
    ? null
    : new RowViewer(wanted, outlet, rows, stdoutIsTerminal(), () => isNested(followed()));
  const viewer = rowViewer ?? new RawViewer(wanted, outlet);
  const managedPaths = () => storedEntries(context).map(({ path }) => path);
  const wantsLog = (managedPath: string) => wanted.wantsLog(managedPath);
  // Not before: who adds a path because it is said not to be managed is to see all that comes of it.
  const onBegin = () => tellWhatToExpect(context, paths);
  watch = new Watch({ logDir, owner, managedPaths, wantsLog, sinceMs, onBegin }, viewer);
  const end = () => {
    ended = true;
    watch?.end();
  };
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  await watch.run();
  await rowViewer?.end();
  return EXIT.fine;
}

function wantedLines(args: ParsedArguments, paths: readonly string[]): WantedLines {
  const types = args.all("types");
  const spec = parseFilterFlags({
    recursive: true,
    types,
    exclude: args.all("exclude"),
    minSize: args.last("min-size"),
    excludeCmd: args.all("exclude-cmd"),
    onlyCmd: args.all("only-cmd"),
  });
  return new WantedLines(paths, types.length === 0 ? { ...spec, types: EVENT_TYPES } : spec);
}

/** On stderr, before anything comes: silence should not be a riddle. */
function tellWhatToExpect(context: Context, paths: readonly string[]): void {
  const managed = storedEntries(context).map(({ path }) => path);
  const covers = (path: string) => managed.some((one) => isAtOrBelow(path, one) || isAtOrBelow(one, path));
  for (const path of paths) {
    if (!covers(path)) remark(`"${path}" is not managed: nothing will come before fsmon add begins it`);
  }
  if (managed.length === 0 && paths.length === 0) remark("No path is managed (fsmon add PATH begins it)");
  let running = true;
  try {
    running = runningDaemon(context.config.logDir, context.owner) !== null;
  } catch {
    // It can't be told: then nothing is.
  }
  if (!running) remark("No daemon is running: nothing new will come before one starts (sudo fsmon daemon)");
}

function isNested(paths: readonly string[]): boolean {
  return paths.some((path) => paths.some((other) => other !== path && isAtOrBelow(path, other)));
}

function lowerPriority(): void {
  try {
    setPriority(NICENESS);
  } catch {
    // Not allowed here; it was a courtesy.
  }
}
