// Which log directory `query` and `clean` look into: the one that was named, else the running daemon's. The daemon runs
// behind sudo, which drops XDG_*, so its directory may be another one than this person's environment says.

import { existsSync } from "node:fs";
import { askDaemon } from "../control/client.ts";
import { Failure } from "../failure.ts";
import { asOwner } from "../kernel/identity.ts";
import { runningDaemon } from "../log/lifetime.ts";
import type { Context } from "./context.ts";
import type { ParsedArguments } from "./parse.ts";
import { remark } from "./report.ts";

/**
 * Asks the daemon only where none holds the lock of the config's directory: a query must be quick, and must work without
 * one. A directory that a daemon had once may well be there.
 *
 * @throws {Failure} when --log-dir names a directory that doesn't exist
 */
export async function logDirInUse({ config, owner }: Context, args: ParsedArguments): Promise<string> {
  const exists = asOwner(owner, () => existsSync(config.logDir));
  if (args.last("log-dir") !== undefined) {
    if (exists) return config.logDir;
    throw new Failure(
      `Cannot read the log directory "${config.logDir}": it does not exist`,
      "name another --log-dir",
    );
  }
  const used = exists && isInUse(config.logDir, owner) ? null : await askLogDir(config.socketPath);
  if (used === null || used === config.logDir) return config.logDir;
  remark(
    `The running daemon logs to another directory than your config names, so that one is used: "${used}"`,
  );
  return used;
}

function isInUse(logDir: string, owner: Context["owner"]): boolean {
  try {
    return runningDaemon(logDir, owner) !== null;
  } catch {
    // A lock that can't be looked at tells nothing.
    return false;
  }
}

async function askLogDir(socketPath: string): Promise<string | null> {
  try {
    const answer = await askDaemon(socketPath, { command: "health" });
    return answer.running ? answer.reply.logDir : null;
  } catch (error) {
    // A daemon that can't be asked is no reason not to read what is there.
    if (error instanceof Failure) return null;
    throw error;
  }
}
