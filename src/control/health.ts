// Judges a status: is everything that was asked for being recorded? One sentence for each thing that isn't. Pure.

import type { GapReason } from "../event.ts";
import type { DaemonStatus, HealthReply } from "./protocol.ts";

/**
 * A GAP counts for a day: whoever looks once a day learns of each, and an old one doesn't hide a new one. All of them stay in the
 * counters, and in the logs.
 */
const GAP_COUNTS_MS = 86_400_000;

export function judgeHealth(status: DaemonStatus): HealthReply {
  const problems: string[] = [];
  const counts = { watched: 0, pending: 0, impossible: 0, starting: 0 };
  for (const path of status.paths) {
    counts[path.state]++;
    if (path.state === "impossible")
      problems.push(`"${path.path}" is not watched: ${path.reason ?? "no reason given"}`);
    else if (path.unmountedSinceMs !== null)
      problems.push(
        `"${path.path}" is not watched as a whole: ${path.reason ?? "a part of it is unmounted"}`,
      );
    if (path.logStuckSinceMs !== null)
      problems.push(`The log of "${path.path}" cannot be written: events wait in memory or are lost`);
  }
  if (counts.starting > 0) {
    const of = `${counts.starting} of ${status.paths.length} managed paths`;
    problems.push(`The daemon is starting: ${of} are not watched yet`);
  }
  for (const [reason, count] of Object.entries(status.gaps)) {
    // A stop is somebody's will and a set clock loses nothing; both are in the log for whoever reads it.
    if (reason === "daemon_stopped" || reason === "clock") continue;
    const lastMs = status.gapsLastMs[reason as GapReason] ?? status.nowMs;
    if (status.nowMs - lastMs > GAP_COUNTS_MS) continue;
    if (count > 0) problems.push(`${count} GAP ${count === 1 ? "line" : "lines"} since the start: ${reason}`);
  }
  return {
    healthy: problems.length === 0,
    problems,
    logDir: status.logDir,
    managedFile: status.managedFile,
    ...counts,
    eventsRead: status.eventsRead,
    eventsLogged: status.eventsLogged,
    queueDepth: status.queueDepth,
    queueDepthMax: status.queueDepthMax,
  };
}
