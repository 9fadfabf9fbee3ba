// What to tell a person whose question no daemon answered: that none is running, or that one is recording and can't be reached.
import type { Context } from "./context.ts";
import { recordingDaemon } from "./recording.ts";

/**
 * @param obstacle what lies at the socket's place and is no socket, as askDaemon() says; else null
 * @param idle what it means for this command that no daemon is running, and what to do about it
 */
export function unanswered(context: Context, obstacle: string | null, idle: string): string {
  const daemon = recordingDaemon(context);
  if (daemon === null) return obstacle ?? `No daemon is running: ${idle}`;
  const why = daemon.uncontrollable ?? obstacle ?? `nobody answers at "${context.config.socketPath}"`;
  return `A daemon is recording, but it cannot be controlled: ${why}; it reads the store again on SIGHUP`;
}
