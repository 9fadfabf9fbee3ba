// All that the doctor looks at, in the order in which a person wants to read it.
import type { Config } from "../config/config.ts";
import type { Owner } from "../config/owner.ts";
import type { DaemonState } from "../health/report.ts";
import { formatDuration } from "../show/time.ts";
import { filesystemFindings } from "./filesystem.ts";
import { type Finding, Findings } from "./finding.ts";
import { limitFindings } from "./limits.ts";
import { kernelFindings, processFindings, rightsFindings } from "./machine.ts";
import { trialFindings } from "./trial.ts";

export interface Patient {
  readonly config: Config;
  readonly owner: Owner;
  readonly daemon: DaemonState;
  /** Directory to try things in; null: only look. */
  readonly directory: string | null;
  /** Directories whose filesystems are looked at. */
  readonly places: readonly string[];
}

export async function examine(patient: Patient): Promise<Finding[]> {
  const { config, owner, daemon, directory, places } = patient;
  return [
    ...kernelFindings(),
    ...rightsFindings(),
    ...places.flatMap(lookAt),
    ...processFindings(),
    ...limitFindings(config, owner, daemon),
    ...daemonFindings(daemon),
    ...(directory === null ? [] : await trialFindings(directory, owner, daemon)),
  ];
}

function lookAt(path: string): Finding[] {
  try {
    return filesystemFindings(path);
  } catch (error) {
    const findings = new Findings("filesystem");
    findings.unseen(
      `"${path}" can't be looked at: ${error instanceof Error ? error.message : String(error)}`,
    );
    return findings.list;
  }
}

function daemonFindings(daemon: DaemonState): Finding[] {
  const findings = new Findings("daemon");
  if (daemon.kind === "none") {
    findings.limit(
      daemon.reason ?? "No daemon is running: nothing is being recorded now",
      "sudo fsmon daemon",
    );
  } else if (daemon.kind === "uncontrolled") {
    const text = `A daemon is recording (pid ${daemon.running.pid}), but it can't be controlled: ${daemon.reason}`;
    findings.limit(text, "remove what is in the way; the daemon tries again every second");
  } else {
    const { status } = daemon;
    const upFor = formatDuration(status.nowMs - status.startedMs);
    findings.fine(`fsmon ${status.version} has been recording for ${upFor} (fsmon health says more)`);
  }
  return findings.list;
}
