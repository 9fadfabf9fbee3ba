// `fsmon remove`: takes a path out of management, through the running daemon or, without one, out of the store. Its log
// stays where it is.
import { dirname, join } from "node:path";
import type { Owner } from "../config/owner.ts";
import { askDaemon } from "../control/client.ts";
import { EXIT, type ExitCode } from "../failure.ts";
import { listLog, liveName, logHash } from "../log/names.ts";
import { loadStore, updateStore } from "../managed/store.ts";
import { type Context, loadContext } from "./context.ts";
import { tellDifferences } from "./differences.ts";
import type { ParsedArguments } from "./parse.ts";
import { remark } from "./report.ts";
import { unanswered } from "./unanswered.ts";
import { whichManaged } from "./which-managed.ts";
import { workingDirectory } from "./working-directory.ts";

export async function run(args: ParsedArguments): Promise<ExitCode> {
  const typed = args.positionals[0] ?? "";
  const cwd = workingDirectory(typed);
  const context = loadContext(args);
  const { config, owner } = context;

  if (await removeFromDaemon(typed, cwd, context)) return EXIT.fine;
  const stored = loadStore(config.managedFile, owner);
  const path = whichManaged(
    typed,
    cwd,
    stored.paths.map((entry) => entry.path),
  );
  updateStore(config.managedFile, owner, (paths) => paths.filter((entry) => entry.path !== path));
  // A daemon that started meanwhile has read the store while the path was still in it.
  const late = await askDaemon(config.socketPath, { command: "status" });
  if (late.running && late.reply.paths.some((entry) => entry.path === path)) {
    await askDaemon(config.socketPath, { command: "remove", path });
  }
  tellRemoved(path, join(config.logDir, liveName(logHash(path))), owner);
  if (!late.running)
    remark(unanswered(context, late.obstacle, "nothing is being watched now (sudo fsmon daemon begins it)"));
  return EXIT.fine;
}

/** @returns false when no daemon is running */
async function removeFromDaemon(typed: string, cwd: string, context: Context): Promise<boolean> {
  const { config, owner } = context;
  const answer = await askDaemon(config.socketPath, { command: "status" });
  if (!answer.running) return false;
  const path = whichManaged(
    typed,
    cwd,
    answer.reply.paths.map((entry) => entry.path),
  );
  const removed = await askDaemon(config.socketPath, { command: "remove", path });
  if (!removed.running) return false;
  tellDifferences(answer.reply, context);
  tellRemoved(removed.reply.path, removed.reply.logFile, owner);
  return true;
}

function tellRemoved(path: string, logFile: string, owner: Owner): void {
  remark(`Removed "${path}"; ${whatStays(path, logFile, owner)}`);
}

function whatStays(path: string, logFile: string, owner: Owner): string {
  const logDir = dirname(logFile);
  try {
    const files = listLog(logDir, logHash(path), owner)?.segments ?? [];
    const newest = files.at(-1);
    if (newest === undefined) return "it has no log, as nothing was recorded";
    const older = files.length > 1 ? " (older segments beside it)" : "";
    return `its log stays at "${join(logDir, newest.name)}"${older}`;
  } catch {
    // It may not be looked at, and need not be: it stays.
    return `its log stays at "${logFile}"`;
  }
}
