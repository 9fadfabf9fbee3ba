// The daemon's state, for commands that tell of it: what it says itself, or else what its lock says of it.
import { askDaemon } from "../control/client.ts";
import { Failure } from "../failure.ts";
import type { DaemonState } from "../health/report.ts";
import type { Context } from "./context.ts";
import { recordingDaemon } from "./recording.ts";

/** A daemon that can't be asked may be recording all the same. */
export async function findDaemon(context: Context): Promise<DaemonState> {
  const { socketPath } = context.config;
  let reason: string | null = null;
  try {
    const answer = await askDaemon(socketPath, { command: "status" });
    if (answer.running) return { kind: "answers", status: answer.reply };
    reason = answer.obstacle;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    reason = error.message;
  }
  const running = recordingDaemon(context);
  if (running === null) return { kind: "none", reason };
  const why = running.uncontrollable ?? reason ?? `nobody answers at "${socketPath}"`;
  return { kind: "uncontrolled", running, reason: why };
}
