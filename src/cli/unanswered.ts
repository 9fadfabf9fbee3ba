// What to tell a person whose question no daemon answered: that none is running, or that one is recording and can't be reached.
// The lock of the log directory knows, whatever lies at the socket's place.

import { type RunningDaemon, runningDaemon } from "../log/lifetime.ts";
import type { Context } from "./context.ts";

/**
 * @param obstacle what lies at the socket's place and is no socket, as askDaemon() says; else null
 * @param idle what it means for this command that no daemon is running
 */
export function unanswered({ config, owner }: Context, obstacle: string | null, idle: string): string {
  const daemon = recording(config.logDir, owner);
  if (daemon === null) return obstacle ?? `No daemon is running: ${idle}`;
  const why = daemon.uncontrollable ?? obstacle ?? `nobody answers at "${config.socketPath}"`;
  return `A daemon is recording, but it cannot be controlled: ${why}; it reads the store again on SIGHUP`;
}

function recording(logDir: string, owner: Context["owner"]): RunningDaemon | null {
  try {
    return runningDaemon(logDir, owner);
  } catch {
    // A lock that can't even be looked at tells nothing.
    return null;
  }
}
