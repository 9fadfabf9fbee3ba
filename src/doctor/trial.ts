// The trial in one directory: which types of event arrive (root, with marks of our own), and how long the running daemon takes to
// write a line (whoever may read the log).
import { closeSync, fstatSync } from "node:fs";
import type { Owner } from "../config/owner.ts";
import { isAtOrBelow } from "../containment.ts";
import { decodeFanEvents, EventBatch, MASK, PID } from "../decode/fan.ts";
import { EVENT_TYPES, type EventType, type PathStatus, TYPE_BITS } from "../event.ts";
import { causeOf } from "../failure.ts";
import type { DaemonState } from "../health/report.ts";
import { openForReading } from "../log/open.ts";
import { readRange } from "../log/tail.ts";
import { formatDuration } from "../show/time.ts";
import {
  type CanaryDirectory,
  canaryName,
  liveAWholeLife,
  makeAndRemove,
  openCanaryDirectory,
} from "./canary.ts";
import { openMarked } from "./filesystem.ts";
import { type Finding, Findings } from "./finding.ts";
import { mayWatch } from "./machine.ts";

/** Can't be provoked without harm: a damaged filesystem; a program of somebody else's directory run as root. */
const NOT_TRIED: readonly EventType[] = ["FS_ERROR", "OPEN_EXEC"];
/** Room for what others do on the filesystem in the same millisecond. */
const BATCH_BYTES = 1 << 20;
/** A daemon in a storm is behind by less. */
const ROUND_TRIP_MAX_MS = 5000;
/** Where nothing is likely to come. */
const FILTERED_MAX_MS = 1000;
const POLL_MS = 1;
/** Round trips; the fastest and the slowest are told. */
const TRIPS = 5;

export async function trialFindings(path: string, owner: Owner, daemon: DaemonState): Promise<Finding[]> {
  const findings = new Findings("canary");
  const opened = openCanaryDirectory(path, owner);
  if (typeof opened === "string") {
    findings.unseen(`No canary in "${path}": ${opened}`, null);
    return findings.list;
  }
  using directory = opened;
  if (mayWatch()) tryTypes(directory, findings);
  else findings.unseen("Which types arrive is for root to try", "sudo fsmon doctor PATH");
  if (daemon.kind === "answers") await tryRoundTrip(path, directory, owner, daemon.status.paths, findings);
  else findings.unseen("No daemon answers, so no round trip could be measured", "sudo fsmon daemon");
  return findings.list;
}

function tryTypes(directory: CanaryDirectory, findings: Findings): void {
  const group = openMarked(directory.fd);
  // btrfs subvolumes: the daemon marks their top level, which the round trip shows.
  if (group === null) return;
  let seen = 0;
  try {
    liveAWholeLife(directory.fd, directory.who);
    const batch = new EventBatch(BATCH_BYTES);
    for (;;) {
      const got = group.read(batch.bytes);
      if (got === 0) break;
      batch.clear();
      decodeFanEvents(batch, 0, got);
      for (let i = 0; i < batch.count; i++) if (batch.get(i, PID) === process.pid) seen |= batch.get(i, MASK);
    }
  } finally {
    group.close();
  }
  const tried = EVENT_TYPES.filter((type) => !NOT_TRIED.includes(type));
  const missing = tried.filter((type) => (seen & TYPE_BITS[type]) === 0);
  if (missing.length === 0) {
    findings.fine(`All ${tried.length} types that can be tried arrive (not tried: ${NOT_TRIED.join(", ")})`);
  } else
    findings.limit(
      `These types don't arrive here: ${missing.join(", ")}`,
      "docs/limits.md says why, by filesystem",
    );
}

async function tryRoundTrip(
  path: string,
  directory: CanaryDirectory,
  owner: Owner,
  paths: readonly PathStatus[],
  findings: Findings,
): Promise<void> {
  const over = paths.filter((one) => path === one.path || (one.recursive && isAtOrBelow(path, one.path)));
  const managed = over.sort((a, b) => b.path.length - a.path.length)[0];
  if (managed === undefined) {
    findings.limit(
      `"${path}" isn't managed: nothing in it is being recorded`,
      `fsmon add -r '${path.replaceAll("'", "'\\''")}'`,
    );
    return;
  }
  if (managed.state !== "watched") {
    findings.broken(`"${managed.path}" is managed, but ${managed.state}: ${managed.reason ?? ""}`, null);
    return;
  }
  const waitMs = mayFilter(managed) ? FILTERED_MAX_MS : ROUND_TRIP_MAX_MS;
  const spansMs: number[] = [];
  for (let trip = 0; trip < TRIPS; trip++) {
    const spanMs = await roundTrip(directory, managed.logFile, owner, waitMs);
    if (typeof spanMs === "string") {
      findings.unseen(`The log "${managed.logFile}" can't be read: ${spanMs}`, null);
      return;
    }
    if (spanMs === null) {
      tellSilence(managed, findings);
      return;
    }
    spansMs.push(spanMs);
  }
  const span = `${formatMs(Math.min(...spansMs))} to ${formatMs(Math.max(...spansMs))}`;
  findings.fine(`A canary's line was in the log of "${managed.path}" within ${span}`);
}

/** Whether its filters may leave a canary out. */
function mayFilter({ exclude, onlyCmd, excludeCmd, minSizeBytes, types }: PathStatus): boolean {
  const makesLines = types.some((type) => type === "CREATE" || type === "CLOSE_WRITE" || type === "DELETE");
  return exclude.length + onlyCmd.length + excludeCmd.length > 0 || minSizeBytes !== null || !makesLines;
}

function tellSilence(managed: PathStatus, findings: Findings): void {
  if (mayFilter(managed)) {
    findings.unseen(`No line of a canary came: the filters of "${managed.path}" leave it out`, null);
  } else {
    const text = `No line of a canary came in ${ROUND_TRIP_MAX_MS / 1000} s, though "${managed.path}" is being watched`;
    findings.broken(text, "fsmon health");
  }
}

/** Milliseconds until the line is in the file; null when none comes; a reason when the log can't be read. */
async function roundTrip(
  directory: CanaryDirectory,
  logFile: string,
  owner: Owner,
  waitMs: number,
): Promise<number | null | string> {
  const name = Buffer.from(canaryName());
  let log: { fd: number; ino: number };
  let at: number;
  try {
    const { fd, stat } = openForReading(logFile, owner);
    log = { fd, ino: stat.ino };
    at = stat.size;
  } catch (error) {
    return causeOf(error);
  }
  try {
    const beganMs = performance.now();
    makeAndRemove(directory.fd, directory.who, name.toString());
    while (performance.now() - beganMs < waitMs) {
      const { size } = fstatSync(log.fd);
      if (size > at) {
        const found = readRange(log.fd, at, size).includes(name);
        if (found) return performance.now() - beganMs;
        // A line may be half there: look again from a little before.
        at = Math.max(at, size - 8192);
      }
      await Bun.sleep(POLL_MS);
      const next = reopened(logFile, owner, log.ino);
      if (next !== null) {
        closeSync(log.fd);
        log = next;
        at = 0;
      }
    }
    return null;
  } finally {
    closeSync(log.fd);
  }
}

/** The file that has taken the log's place (a new segment), if another one has. */
function reopened(logFile: string, owner: Owner, ino: number): { fd: number; ino: number } | null {
  try {
    const { fd, stat } = openForReading(logFile, owner);
    if (stat.ino !== ino) return { fd, ino: stat.ino };
    closeSync(fd);
  } catch {
    // Between two segments there is none.
  }
  return null;
}

/** Below a second exact to a tenth of a millisecond: that is what is asked here. */
function formatMs(spanMs: number): string {
  return spanMs < 10 ? `${spanMs.toFixed(1)}ms` : formatDuration(spanMs);
}
