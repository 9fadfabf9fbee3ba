// `fsmon remove`: takes a path out of management, through the running daemon or, without one, out of the store. Its log
// stays where it is.

import { join } from "node:path";
import { askDaemon } from "../control/client.ts";
import { EXIT, type ExitCode } from "../failure.ts";
import { liveName, logHash } from "../log/names.ts";
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
  tellRemoved(path, join(config.logDir, liveName(logHash(path))));
  if (!late.running) {
    remark(unanswered(context, late.obstacle, "nothing is being watched now"));
  }
  return EXIT.fine;
}

/** @returns false when no daemon is running */
async function removeFromDaemon(typed: string, cwd: string, context: Context): Promise<boolean> {
  const { config } = context;
  const answer = await askDaemon(config.socketPath, { command: "status" });
  if (!answer.running) {
    return false;
  }
  const path = whichManaged(
    typed,
    cwd,
    answer.reply.paths.map((entry) => entry.path),
  );
  const removed = await askDaemon(config.socketPath, { command: "remove", path });
  if (!removed.running) return false;
  tellDifferences(answer.reply, context);
  tellRemoved(removed.reply.path, removed.reply.logFile);
  return true;
}

function tellRemoved(path: string, logFile: string): void {
  remark(`Removed "${path}"; its log stays at "${logFile}" (older segments beside it)`);
}
