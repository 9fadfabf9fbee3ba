// Which log directory and which store a command that reads them looks into: those that were named, else the running daemon's. The
// daemon runs behind sudo, which drops XDG_*, so they may be others than this person's environment says.
import { existsSync } from "node:fs";
import { Failure } from "../failure.ts";
import { asOwner } from "../kernel/identity.ts";
import type { Context } from "./context.ts";
import { type PlacesInUse, tellDifferences } from "./differences.ts";
import type { ParsedArguments } from "./parse.ts";
import { recordingDaemon } from "./recording.ts";

/**
 * The context with the places of the running daemon. It is asked only where the lock of the config's directory doesn't tell: a query
 * must be quick, and must work without a daemon. A directory that one had once may well be there.
 *
 * @throws {Failure} when --log-dir names a directory that doesn't exist
 */
export async function contextInUse(context: Context, args: ParsedArguments): Promise<Context> {
  const { config, owner } = context;
  const exists = asOwner(owner, () => existsSync(config.logDir));
  if (args.last("log-dir") !== undefined) {
    if (exists) return context;
    throw new Failure(
      `Cannot read the log directory "${config.logDir}": it does not exist`,
      "name another --log-dir",
    );
  }
  const used = (exists ? placesByLock(context) : null) ?? (await askPlaces(config.socketPath));
  if (used === null) return context;
  tellDifferences(used, context);
  return { ...context, config: { ...config, ...used } };
}

function placesByLock(context: Context): PlacesInUse | null {
  const { logDir, managedFile } = context.config;
  const running = recordingDaemon(context);
  return running && { logDir, managedFile: running.managedFile ?? managedFile };
}

async function askPlaces(socketPath: string): Promise<PlacesInUse | null> {
  // Most often the lock tells.
  const { askDaemon } = await import("../control/client.ts");
  try {
    const answer = await askDaemon(socketPath, { command: "health" });
    if (!answer.running) return null;
    const { logDir, managedFile } = answer.reply;
    return { logDir, managedFile };
  } catch (error) {
    // A daemon that can't be asked is no reason not to read what is there.
    if (error instanceof Failure) return null;
    throw error;
  }
}
