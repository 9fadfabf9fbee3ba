// What a run could not write into its logs before it ended: a GAP for each of them, which the next run owes it. As values for the lock
// file, which has no room to grow where a disk is full, and back from there. No I/O; trusted for nothing but what a GAP says.
import { GAP_REASONS } from "../event.ts";
import type { Gap } from "./state.ts";
import { formatTime, parseTime } from "./time.ts";

/** By the hash of the log; OTHERS stands for those that had no room. */
export type OwedGaps = ReadonlyMap<string, Gap>;

export const OTHERS = "others";
/** 143 with the longer reason of an outage and the largest count. */
const ENTRY_MAX_BYTES = 160;

/** What has no room of its own becomes one entry for all, without a count. */
export function owedFields(owed: OwedGaps, roomBytes: number): Record<string, object> {
  const roomFor = Math.max(0, Math.floor(roomBytes / ENTRY_MAX_BYTES) - 1);
  const one: [string, Gap][] = [];
  let others: Gap | null = owed.get(OTHERS) ?? null;
  for (const [hash, gap] of owed) {
    if (hash === OTHERS) continue;
    if (one.length < roomFor) one.push([hash, gap]);
    else others = withoutCount(others ?? gap, gap);
  }
  if (others !== null) one.push([OTHERS, others]);
  return Object.fromEntries(one.map(([hash, gap]) => [hash, fieldsOf(gap)]));
}

/**
 * Whatever is no GAP is left out.
 *
 * @param unwrittenMs how long before the end of that run its lines may not have reached the disk: they are missing as well
 */
export function parseOwed(value: unknown, unwrittenMs: number): OwedGaps {
  const owed = new Map<string, Gap>();
  if (typeof value !== "object" || value === null) return owed;
  for (const [hash, fields] of Object.entries(value)) {
    const gap = gapOf(fields);
    if (gap === null) continue;
    const { fromMs, lost } = gap;
    owed.set(hash, { ...gap, fromMs: fromMs - unwrittenMs, lost: unwrittenMs === 0 ? lost : null });
  }
  return owed;
}

function withoutCount(one: Gap, other: Gap): Gap {
  const fromMs = Math.min(one.fromMs, other.fromMs);
  return { reason: one.reason, fromMs, toMs: Math.max(one.toMs, other.toMs), lost: null };
}

function fieldsOf({ reason, fromMs, toMs, lost }: Gap): object {
  return { reason, from: formatTime(fromMs), to: formatTime(toMs), lost };
}

function gapOf(fields: unknown): Gap | null {
  if (typeof fields !== "object" || fields === null) return null;
  const { reason, from, to, lost } = fields as Record<string, unknown>;
  const known = GAP_REASONS.find((one) => one === reason);
  const fromMs = parseTime(String(from));
  const toMs = parseTime(String(to));
  if (known === undefined || Number.isNaN(fromMs) || Number.isNaN(toMs)) return null;
  return { reason: known, fromMs, toMs, lost: Number.isSafeInteger(lost) ? Number(lost) : null };
}
