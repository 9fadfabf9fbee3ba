// Judges a status: is everything that was asked for being recorded? One sentence for each thing that isn't.

import type { DaemonStatus, HealthReply } from "./protocol.ts";

export function judgeHealth(status: DaemonStatus): HealthReply {
  const problems: string[] = [];
  const counts = { watched: 0, pending: 0, impossible: 0 };
  for (const path of status.paths) {
    counts[path.state]++;
    if (path.state === "impossible")
      problems.push(`"${path.path}" is not watched: ${path.reason ?? "no reason given"}`);
  }
  for (const [reason, count] of Object.entries(status.gaps)) {
    // A stop is somebody's will and a set clock loses nothing; both are in the log for whoever reads it.
    if (reason === "daemon_stopped" || reason === "clock") continue;
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
