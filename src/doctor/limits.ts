// Which bound is near: the kernel's queue and the memory it may take, marks and watches, the disk of the logs. Reads only.
import { readdirSync, readlinkSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Config } from "../config/config.ts";
import type { Owner } from "../config/owner.ts";
import { queueBound } from "../daemon/queue-bound.ts";
import type { DaemonState } from "../health/report.ts";
import { asOwner } from "../kernel/identity.ts";
import { memoryLimitBytes } from "../kernel/memory.ts";
import { formatCount, formatSize } from "../show/size.ts";
import { type Finding, Findings } from "./finding.ts";
import { mayWatch, numberIn } from "./machine.ts";

/** A daemon with a few hundred thousand directories, its peak under load, and room for page cache. */
const MEMORY_COMFORT_BYTES = 512 * 2 ** 20;
/** Some seconds of a storm. */
const QUEUE_COMFORT_EVENTS = 100_000;
/** Part of a limit that is still free when it counts as near. */
const NEAR = 0.1;

export function limitFindings(config: Config, owner: Owner, daemon: DaemonState): Finding[] {
  return [
    ...queueFindings(daemon),
    ...groupFindings(
      "fanotify",
      "anon_inode:[fanotify]",
      "fs.fanotify.max_user_groups",
      "the daemon takes one for nearly all filesystems",
    ),
    ...groupFindings(
      "inotify",
      "anon_inode:inotify",
      "fs.inotify.max_user_instances",
      "fsmon watch takes one",
    ),
    ...diskFindings(config, owner, daemon),
  ];
}

function queueFindings(daemon: DaemonState): Finding[] {
  const findings = new Findings("queue");
  const sysctl = numberIn("/proc/sys/fs/fanotify/max_queued_events") ?? 16_384;
  if (daemon.kind === "answers") {
    const { queueLimit, queueDepthMax, memory } = daemon.status;
    const used = `${formatCount(queueDepthMax)} of ${formatCount(queueLimit)} events at most so far`;
    if (queueDepthMax > queueLimit * (1 - NEAR)) {
      const remedy =
        memory.limitBytes === null ? null : "raise the daemon's memory limit: the queue gets a quarter of it";
      findings.limit(`The kernel's queue was nearly full: ${used}`, remedy);
    } else if (queueLimit < QUEUE_COMFORT_EVENTS)
      findings.limit(`The kernel's queue is short: ${used}`, shortQueueRemedy(sysctl));
    else findings.fine(`The kernel's queue has room: ${used}`);
    if (memory.limitBytes !== null && memory.limitBytes < MEMORY_COMFORT_BYTES)
      findings.limit(`The daemon's memory limit is ${formatSize(memory.limitBytes)}`, memoryRemedy());
    return findings.list;
  }
  const wanted = queueBound();
  const limitBytes = memoryLimitBytes();
  if (!mayWatch()) findings.unseen(`The daemon would ask for a queue of ${formatCount(wanted)} events`);
  else if (wanted < QUEUE_COMFORT_EVENTS && limitBytes !== null) {
    findings.limit(
      `A daemon started here would queue ${formatCount(wanted)} events only: the memory limit is ${formatSize(limitBytes)}`,
      memoryRemedy(),
    );
  } else findings.fine(`A daemon started here would queue ${formatCount(wanted)} events`);
  return findings.list;
}

function shortQueueRemedy(sysctl: number): string {
  return `the daemon could not set its own bound (a read-only /proc/sys?): raise sysctl fs.fanotify.max_queued_events, now ${sysctl}`;
}

function memoryRemedy(): string {
  return `give it MemoryMax=${formatSize(MEMORY_COMFORT_BYTES).replace("B", "")} or more: a quarter of it bounds the kernel's queue`;
}

/** Notification groups are bounded for each user: the daemon takes a few of fanotify's, fsmon watch one of inotify's. */
function groupFindings(kind: "fanotify" | "inotify", link: string, sysctl: string, takes: string): Finding[] {
  const findings = new Findings(kind);
  const limit = numberIn(`/proc/sys/${sysctl.replaceAll(".", "/")}`);
  if (limit === null) return [];
  const used = groupsInUse(link);
  const text = `${formatCount(used)} of ${formatCount(limit)} ${kind} groups of this user are in use (${takes})`;
  if (used >= limit * (1 - NEAR)) findings.limit(text, `raise sysctl ${sysctl}`);
  else findings.fine(text);
  return findings.list;
}

function groupsInUse(link: string): number {
  const uid = process.geteuid?.() ?? 0;
  let count = 0;
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      if (statSync(`/proc/${pid}`).uid !== uid) continue;
      const fds = readdirSync(`/proc/${pid}/fd`);
      count += fds.filter((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === link).length;
    } catch {
      // Gone, or not ours to look at.
    }
  }
  return count;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function diskFindings(config: Config, owner: Owner, daemon: DaemonState): Finding[] {
  const findings = new Findings("disk");
  const logDir = daemon.kind === "answers" ? daemon.status.logDir : config.logDir;
  const freeBytes = freeAt(logDir, owner);
  if (freeBytes === null) {
    findings.unseen(`The disk of the logs in "${logDir}" can't be looked at`);
    return findings.list;
  }
  const text = `${formatSize(freeBytes)} free for the logs in "${logDir}"`;
  const wanted = `each managed path may take ${formatSize(config.maxSizeBytes)} (max_size)`;
  if (freeBytes < config.maxSizeBytes)
    findings.limit(`${text}; ${wanted}`, "lower [logging] max_size, set min_free, or move [logging] dir");
  else findings.fine(`${text}; ${wanted}`);
  return findings.list;
}

/** Of the directory, or of the nearest one above it that exists. */
function freeAt(path: string, owner: Owner): number | null {
  for (let at = path; ; at = dirname(at)) {
    try {
      const { bavail, bsize } = asOwner(owner, () => statfsSync(at));
      return Number(bavail) * Number(bsize);
    } catch {
      if (at === "/") return null;
    }
  }
}
