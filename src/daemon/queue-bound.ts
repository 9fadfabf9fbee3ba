// How many events the kernel may hold for us. Its queue is charged to the daemon's memory cgroup: an
// unbounded one gets the daemon killed under a memory limit, one that is too large for the limit makes every
// writer on the machine pay for reclaiming (189 µs instead of 2.8 µs an operation).
import { readFileSync } from "node:fs";

/** Without a limit: 200 MB of kernel memory in the worst case, a minute of a heavy storm. */
const EVENTS_MAX = 1_000_000;
/** The kernel's own default: below it nothing is gained. */
const EVENTS_MIN = 16_384;
/** Slab memory of one queued event with long names (btrfs, or 100-character names on ext4). */
const EVENT_BYTES = 192;
/** Part of the limit that the queue may take; the daemon itself and page cache need the rest. */
const SHARE = 4;

/** Events, for FanotifyGroup.open(). */
export function queueBound(): number {
  const limitBytes = memoryLimitBytes();
  if (limitBytes === null) return EVENTS_MAX;
  return Math.max(EVENTS_MIN, Math.min(EVENTS_MAX, Math.floor(limitBytes / SHARE / EVENT_BYTES)));
}

/** The lowest memory limit of our cgroups, v1 and v2; null without one. */
function memoryLimitBytes(): number | null {
  let lowest: number | null = null;
  for (const file of limitFiles()) {
    try {
      const text = readFileSync(file, "latin1").trim();
      const bytes = Number(text);
      // v1 says "no limit" by a number near 2^63, v2 by "max".
      if (text !== "max" && Number.isFinite(bytes) && bytes < 2 ** 60)
        lowest = Math.min(lowest ?? bytes, bytes);
    } catch {
      // That controller isn't here.
    }
  }
  return lowest;
}

function limitFiles(): string[] {
  const files: string[] = [];
  let groups = "";
  try {
    groups = readFileSync("/proc/self/cgroup", "latin1");
  } catch {
    return files;
  }
  for (const line of groups.split("\n")) {
    // "5:memory:/system.slice" (v1) or "0::/system.slice" (v2).
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const memory = controllers === "memory";
    if (!memory && controllers !== "") continue;
    const root = memory ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup";
    const name = memory ? "memory.limit_in_bytes" : "memory.max";
    for (let at = path; ; at = at.slice(0, at.lastIndexOf("/"))) {
      files.push(`${root}${at === "/" ? "" : at}/${name}`);
      if (at === "" || at === "/") break;
    }
  }
  return files;
}
