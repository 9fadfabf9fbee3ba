// The two lines by which a log describes itself: WATCH (what is recorded from here on) and GAP (something may be missing).
// Plain values go in, one whole line as bytes comes out, in the key order of docs/events.md. No I/O, no clock.
import type { GapReason } from "../event.ts";
import { stringifySafely } from "./json-text.ts";
import { formatTime } from "./time.ts";

export type WatchState = "started" | "changed" | "stopped" | "continued";

/** What a WATCH line says about the recording. */
export interface WatchInfo {
  /** The managed path's filters as a person would type them. */
  filters: string;
  host: string;
  version: string;
}

export interface Gap {
  reason: GapReason;
  fromMs: number;
  toMs: number;
  /** How many events are missing; null when that is not known. */
  lost: number | null;
  /** How many changes a rescan found and had no room for: it was cut short there. */
  untold?: number;
}

const encoder = new TextEncoder();

/**
 * One WATCH line with its newline.
 *
 * @param segment the number that the file with this line is to get when it is sealed
 */
export function encodeWatch(
  managedPath: string,
  state: WatchState,
  info: WatchInfo,
  segment: number,
  timeMs: number,
): Uint8Array {
  const { filters, host, version } = info;
  return encodeLine({ ...firstKeys(managedPath, "WATCH", timeMs), state, filters, host, version, segment });
}

/** One GAP line with its newline. `gap_from` is never after `gap_to`: a clock that was set back swaps the two. */
export function encodeGap(managedPath: string, gap: Gap, timeMs: number): Uint8Array {
  return encodeLine({
    ...firstKeys(managedPath, "GAP", timeMs),
    reason: gap.reason,
    gap_from: formatTime(Math.min(gap.fromMs, gap.toMs)),
    gap_to: formatTime(Math.max(gap.fromMs, gap.toMs)),
    lost: gap.lost,
    ...(gap.untold === undefined ? {} : { untold: gap.untold }),
  });
}

function firstKeys(managedPath: string, type: "WATCH" | "GAP", timeMs: number) {
  return {
    time: formatTime(timeMs),
    event_type: type,
    path: managedPath,
    pid: null,
    cmd: null,
    user: null,
    file_size: 0,
    monitored_path: managedPath,
  };
}

function encodeLine(keys: object): Uint8Array {
  return encoder.encode(`${stringifySafely(keys)}\n`);
}
