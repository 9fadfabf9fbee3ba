// What a log's files tell about the daemon's previous life: the time of the last line, and the last WATCH state.
// Reads a few blocks from the end and the first line; never the whole log, and changes nothing.
import { join } from "node:path";
import type { Identity } from "../kernel/identity.ts";
import type { LogFiles } from "./names.ts";
import { closeQuietly, openForReading } from "./open.ts";
import type { WatchState } from "./state.ts";
import { linesBackward, readRange, wholeLinesEnd } from "./tail.ts";
import { lineTimeBytes, parseTime } from "./time.ts";

export interface PreviousLife {
  /** Time of the last line; null for a log without lines. */
  lastTimeMs: number | null;
  /**
   * State of the last WATCH line. `stopped` is always found, because a clean stop writes it as the very last line; `null`
   * means that no WATCH line was met, so the log was trimmed or ends in a crash far from its head.
   */
  lastState: WatchState | null;
  lastStateTimeMs: number | null;
}

/** How far back a WATCH line is looked for: 1 MiB is some 6,000 lines and takes a millisecond. */
const SEARCH_BYTES = 1024 * 1024;
const STATES: ReadonlySet<string> = new Set(["started", "changed", "stopped", "continued"]);

const nothing: PreviousLife = { lastTimeMs: null, lastState: null, lastStateTimeMs: null };

/** Reads the newest file of the log that has lines; packed segments are passed over. */
export function readPreviousLife(logDir: string, log: LogFiles | undefined, owner: Identity): PreviousLife {
  for (const segment of (log?.segments ?? []).toReversed()) {
    if (segment.packing !== null) continue;
    let opened: ReturnType<typeof openForReading>;
    try {
      opened = openForReading(join(logDir, segment.name), owner);
    } catch {
      // Deleted this moment, or not the owner's: then it tells nothing.
      continue;
    }
    try {
      const life = lifeOf(opened.fd, wholeLinesEnd(opened.fd, opened.stat.size));
      if (life.lastTimeMs !== null) return life;
    } finally {
      closeQuietly(opened.fd);
    }
  }
  return nothing;
}

function lifeOf(fd: number, end: number): PreviousLife {
  let lastTimeMs: number | null = null;
  for (const line of linesBackward(fd, end, SEARCH_BYTES)) {
    lastTimeMs ??= timeOf(line.bytes);
    const watch = watchOf(line.bytes);
    if (watch !== null) return { lastTimeMs, ...watch };
  }
  // Every segment begins with a WATCH line; trimmed copies may not.
  const head = readRange(fd, 0, Math.min(end, 64 * 1024));
  const watch = head.includes(10) ? watchOf(head.subarray(0, head.indexOf(10))) : null;
  return { ...nothing, lastTimeMs, ...watch };
}

function timeOf(line: Buffer): number | null {
  const ours = lineTimeBytes(line, 0);
  if (!Number.isNaN(ours)) return ours;
  const time = parseTime(String(asRecord(line)?.time));
  return Number.isNaN(time) ? null : time;
}

function watchOf(line: Buffer): { lastState: WatchState; lastStateTimeMs: number } | null {
  // Cheap first: a file name could spell this too, so the parsed line decides.
  if (!line.includes('"WATCH"')) return null;
  const record = asRecord(line);
  const state = record?.state;
  const lastStateTimeMs = parseTime(String(record?.time));
  if (record?.event_type !== "WATCH" || typeof state !== "string" || !STATES.has(state)) return null;
  if (Number.isNaN(lastStateTimeMs)) return null;
  return { lastState: state as WatchState, lastStateTimeMs };
}

function asRecord(line: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
