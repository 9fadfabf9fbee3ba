// How many events the kernel may hold for us. Its queue is charged to the daemon's memory cgroup: an
// unbounded one gets the daemon killed under a memory limit, one that is too large for the limit makes every
// writer on the machine pay for reclaiming (189 µs instead of 2.8 µs an operation).
import { memoryLimitBytes } from "../kernel/memory.ts";

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
