// What a log's files tell about the daemon's previous life: the time of the last line, the last WATCH state, and which segment
// the live file is to become. Reads a few blocks from the end and the first line; never the whole log, and changes nothing.
import { join } from "node:path";
import type { Identity } from "../kernel/identity.ts";
import { parseObject } from "./json-text.ts";
import { type LogFiles, listLog, liveName, type SegmentFile } from "./names.ts";
import { whileOpen } from "./open.ts";
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
  /**
   * The number that the live file is to get when it is sealed. Its own lines tell, so that numbers aren't given anew when somebody
   * has moved all segments away; else the names of the segments.
   */
  segment: number;
}

/** What one file tells; its last WATCH line may have no number, when an older version wrote it. */
type FileLife = Omit<PreviousLife, "segment"> & { segment: number | null };

/** How far back a WATCH line is looked for: 1 MiB is some 6,000 lines and takes a millisecond. */
const SEARCH_BYTES = 1024 * 1024;
const STATES: ReadonlySet<string> = new Set(["started", "changed", "stopped", "continued"]);

const nothing: FileLife = { lastTimeMs: null, lastState: null, lastStateTimeMs: null, segment: null };

/**
 * Reads the newest file of the log that has lines; packed segments are passed over.
 *
 * @param logs the files of all logs, where somebody has listed them
 */
export function readPreviousLife(
  logDir: string,
  hash: string,
  owner: Identity,
  logs: ReadonlyMap<string, LogFiles> | null,
): PreviousLife {
  const live = lifeIn(join(logDir, liveName(hash)), owner);
  const { segment } = live;
  // The usual case. With thousands of logs in a directory, reading it for each of them takes seconds.
  if (live.lastTimeMs !== null && segment !== null) return { ...live, segment };
  const files = logs === null ? listLog(logDir, hash, owner) : logs.get(hash);
  const sealed = (files?.segments ?? []).filter(({ number }) => number !== null);
  const next = Math.max(segment ?? 1, (sealed.at(-1)?.number ?? 0) + 1);
  return { ...(live.lastTimeMs === null ? newestLife(logDir, sealed, owner) : live), segment: next };
}

function newestLife(logDir: string, sealed: readonly SegmentFile[], owner: Identity): FileLife {
  for (const { name, packing } of sealed.toReversed()) {
    const life = packing === null ? lifeIn(join(logDir, name), owner) : nothing;
    if (life.lastTimeMs !== null) return life;
  }
  return nothing;
}

function lifeIn(path: string, owner: Identity): FileLife {
  const life = whileOpen(path, owner, ({ fd, stat }) => lifeOf(fd, wholeLinesEnd(fd, stat.size)));
  // Deleted this moment, or not the owner's: then it tells nothing.
  return life ?? nothing;
}

function lifeOf(fd: number, end: number): FileLife {
  // Every segment begins with a WATCH line; trimmed copies may not.
  const head = readRange(fd, 0, Math.min(end, 64 * 1024));
  const first = head.includes(10) ? watchOf(head.subarray(0, head.indexOf(10))) : null;
  let lastTimeMs: number | null = null;
  for (const line of linesBackward(fd, end, SEARCH_BYTES)) {
    lastTimeMs ??= timeOf(line.bytes);
    const watch = watchOf(line.bytes);
    if (watch === null) continue;
    // A line that was made before the file was sealed for it, or that waited for a full disk, bears the number of then.
    const segment = Math.max(watch.segment ?? 0, first?.segment ?? 0);
    return { lastTimeMs, ...watch, segment: segment === 0 ? null : segment };
  }
  return { ...nothing, lastTimeMs, ...first };
}

function timeOf(line: Buffer): number | null {
  const ours = lineTimeBytes(line, 0);
  if (!Number.isNaN(ours)) return ours;
  const time = parseTime(String(parseObject(line.toString("utf8"))?.time));
  return Number.isNaN(time) ? null : time;
}

function watchOf(line: Buffer): Omit<FileLife, "lastTimeMs"> | null {
  // Cheap first: a file name could spell this too, so the parsed line decides.
  if (!line.includes('"WATCH"')) return null;
  const record = parseObject(line.toString("utf8"));
  const state = record?.state;
  const lastStateTimeMs = parseTime(String(record?.time));
  if (record?.event_type !== "WATCH" || typeof state !== "string" || !STATES.has(state)) return null;
  if (Number.isNaN(lastStateTimeMs)) return null;
  const segment = Number(record.segment);
  return {
    lastState: state as WatchState,
    lastStateTimeMs,
    segment: Number.isSafeInteger(segment) && segment > 0 ? segment : null,
  };
}
