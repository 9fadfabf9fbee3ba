// WATCH and GAP lines in words: from when to when something is recorded, and what may be missing. Keys go in, a sentence
// without its time comes out.
import { parseTime } from "../log/time.ts";
import { escapeForTerminal } from "./escape.ts";
import { type LineKeys, numberKey, textKey } from "./event.ts";
import { formatNumberOf } from "./size.ts";
import { formatDate, formatDuration, formatMoment, formatTimeOfDay } from "./time.ts";

const REASONS: Readonly<Record<string, string>> = {
  queue_overflow: "the kernel's queue was full",
  process_stream_lost: "records of processes were lost, so names may be missing or older ones",
  daemon_stopped: "the daemon was stopped",
  daemon_crashed: "the daemon had ended without a word",
  unmounted: "the filesystem was unmounted",
  disk_full: "the disk with the log was full",
  write_error: "the log could not be written",
  clock: "the clock was set",
  internal: "a fault of fsmon",
};

export interface GapSpan {
  fromMs: number;
  toMs: number;
  reason: string;
  lost: number | null;
}

/** Null for a line that is no GAP, or one without times. */
export function gapOf(keys: LineKeys): GapSpan | null {
  if (keys.event_type !== "GAP") return null;
  const fromMs = parseTime(textKey(keys, "gap_from") ?? "");
  const toMs = parseTime(textKey(keys, "gap_to") ?? "");
  if (Number.isNaN(fromMs) || Number.isNaN(toMs)) return null;
  return { fromMs, toMs, reason: textKey(keys, "reason") ?? "", lost: numberKey(keys, "lost") };
}

/** "the daemon was stopped". */
export function reasonText(reason: string): string {
  return REASONS[reason] ?? escapeForTerminal(reason);
}

/** "not recorded from 2026-05-07 14:00:00 to 14:03:07 (3m 7s): the daemon was stopped". */
export function gapText(gap: GapSpan): string {
  const { fromMs, toMs, reason, lost } = gap;
  const what =
    reason === "process_stream_lost" || reason === "clock" ? "less is known" : "events may be missing";
  const until = formatDate(fromMs) === formatDate(toMs) ? formatTimeOfDay(toMs) : formatMoment(toMs);
  const count = lost === null ? "" : `, ${formatNumberOf(lost, "event")} lost`;
  return `${what} from ${formatMoment(fromMs)} to ${until} (${formatDuration(toMs - fromMs)}${count}): ${reasonText(reason)}`;
}

/** "recording began (recursive, types=CREATE,DELETE)". */
export function watchText(keys: LineKeys): string {
  const filters = textKey(keys, "filters");
  const withFilters = filters === null ? "" : ` (${escapeForTerminal(shortFilters(filters))})`;
  switch (textKey(keys, "state")) {
    case "started":
      return `recording begins${withFilters}`;
    case "changed":
      return `recorded from here on${withFilters}`;
    case "stopped":
      return "recording ends";
    default:
      return "a further segment of the log begins";
  }
}

/** Without what is the default and what isn't set. */
function shortFilters(filters: string): string {
  const fields = filters.split(" | ");
  const types = fields.includes("events=filtered")
    ? fields
    : fields.filter((field) => !field.startsWith("types="));
  return types.filter((field) => !field.endsWith("=-") && field !== "events=filtered").join(", ");
}
