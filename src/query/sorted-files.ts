// The runs of a log directory: for each file the part that a time range asks for, found without reading the rest.
// A snapshot goes in, runs for the merge come out.
import { linesBackward, readRange, withoutZeros } from "../log/tail.ts";
import { lineTimeBytes } from "../log/time.ts";
import { firstLineAt, LineProbe } from "./bisect.ts";
import { type FoundLine, findGaps } from "./gap-search.ts";
import { descriptorOf, FileInput, MemoryInput } from "./input.ts";
import { LONG_LINE_BYTES } from "./long-line.ts";
import { parseKeys, readOddLine } from "./odd-line.ts";
import { PackedInput, packedHead } from "./packed.ts";
import { LineRun, type RunOptions } from "./run.ts";
import type { SnapshotFile } from "./snapshot.ts";

/** Where a segment's head lines are looked for: WATCH `continued`, and GAP `clock` when the clock was set back. */
const HEAD_BYTES = 4 * 1024;
/** Both at their longest: the managed path twice in each, 4096 bytes that are escaped sixfold. */
const HEAD_MAX_BYTES = 128 * 1024;
const LAST_LINE_SEARCH_BYTES = 64 * 1024;

export interface Head {
  /** Of the first line with a time; NaN when there is none near. */
  timeMs: number;
  /** The clock was set back before this segment, so the one before it may hold later times. */
  afterSetBack: boolean;
  /** The segment's number where the daemon began it at the end of another: its first line is a WATCH `continued`. */
  continuedAs: number | null;
  /** An event was met, so that nothing of the head can follow. */
  whole: boolean;
}

/**
 * @param files of one log or many, oldest first within a log
 * @param optionsOf what is wanted of a log
 */
export function runsOfFiles(
  files: readonly SnapshotFile[],
  optionsOf: (file: SnapshotFile) => RunOptions,
): LineRun[] {
  const runs: LineRun[] = [];
  let order = 0;
  let next: { hash: string; head: Head } | null = null;
  // Backwards, because whether a packed segment can be passed over is known from the one after it.
  for (const file of files.toReversed()) {
    const options = optionsOf(file);
    const { range } = options;
    const head = headOf(file);
    const successor: Head | null = next?.hash === file.hash ? next.head : null;
    next = { hash: file.hash, head };
    order--;
    if (file.packing === null) {
      addPlain(runs, order, file, head, options);
    } else {
      if (!endsBefore(file, successor, range.sinceMs)) addPacked(runs, order, file, head, options);
    }
    file.release();
  }
  return runs;
}

/**
 * Every line of a packed segment is before the next one's first, where the daemon went over from the one to the other with the clock
 * running on. Of lines that anybody else has put there, or with a segment gone in between, only unpacking tells.
 */
function endsBefore(file: SnapshotFile, next: Head | null, sinceMs: number): boolean {
  if (next === null || file.number === null || next.continuedAs !== file.number + 1) return false;
  return !next.afterSetBack && next.timeMs < sinceMs;
}

function addPlain(runs: LineRun[], order: number, file: SnapshotFile, head: Head, options: RunOptions): void {
  const { range } = options;
  let fd: number | null;
  try {
    fd = descriptorOf(file);
  } catch (error) {
    options.onUnreadable(error);
    return;
  }
  if (fd === null) return;
  addUnfinished(runs, order, file, fd, options);
  if (file.end === 0) return;
  const gaps: FoundLine[] = [];
  const part = partOf(fd, file.end, head, range.sinceMs, range.untilMs);
  // The one GAP that speaks of times after its own stands at the head.
  if (head.afterSetBack) findGaps(fd, 0, Math.min(part.from, HEAD_MAX_BYTES), options, gaps);
  if (part.to < file.end) findGaps(fd, part.to, file.end, options, gaps);
  if (part.from < part.to) {
    options.progress.expect(part.to - part.from);
    const lastingFd = file.sealed && file.held ? fd : null;
    const open = () => new FileInput(file, part.from, part.to, lastingFd);
    runs.push(new LineRun(order, part.headMs, open, options));
  }
  if (gaps.length > 0) {
    gaps.sort((a, b) => a.timeMs - b.timeMs);
    const bytes = Buffer.concat(gaps.map((gap) => gap.bytes));
    // Half a step behind the file's own lines of the same time.
    runs.push(new LineRun(order + 0.5, gaps[0]!.timeMs, () => new MemoryInput(bytes), options));
  }
}

/** A last line that lacks nothing but its newline is an event all the same: a run of its own, behind the file's other lines. */
function addUnfinished(
  runs: LineRun[],
  order: number,
  file: SnapshotFile,
  fd: number,
  options: RunOptions,
): void {
  const { end } = file;
  if (file.sizeBytes === end) return;
  // A power cut leaves zeros, more of them than any line is long.
  const sizeBytes = withoutZeros(fd, end, file.sizeBytes);
  // A torn line may be long; one that is whole shows at its end.
  const tail = readRange(fd, Math.max(end, sizeBytes - HEAD_BYTES), sizeBytes);
  if (!/\}[ \t\r]*$/.test(tail.toString("latin1"))) return;
  // Read now: the daemon may repair the file's end at any moment. What is too long to be the daemon's is read when its turn comes.
  const rest = sizeBytes - end > LONG_LINE_BYTES ? null : readRange(fd, end, sizeBytes);
  const open = () => (rest === null ? new FileInput(file, end, sizeBytes, null) : new MemoryInput(rest));
  runs.push(new LineRun(order + 0.25, Number.NEGATIVE_INFINITY, open, options));
}

function addPacked(
  runs: LineRun[],
  order: number,
  file: SnapshotFile,
  head: Head,
  options: RunOptions,
): void {
  const { packing } = file;
  if (packing === null) return;
  const headMs = Number.isNaN(head.timeMs) ? Number.NEGATIVE_INFINITY : head.timeMs;
  const open = () => {
    const fd = descriptorOf(file);
    return fd === null ? null : new PackedInput(fd, packing, () => file.release());
  };
  runs.push(new LineRun(order, headMs, open, options));
}

/** Where the lines of a range lie in a sorted file. */
function partOf(
  fd: number,
  end: number,
  head: Head,
  sinceMs: number,
  untilMs: number,
): { from: number; to: number; headMs: number } {
  const none = (at: number) => ({ from: at, to: at, headMs: 0 });
  if (head.timeMs >= untilMs) return none(0);
  if (lastTimeOf(fd, end) < sinceMs) return none(end);
  const first = Number.isFinite(sinceMs) ? firstLineAt(fd, end, sinceMs) : null;
  if (first === null && Number.isFinite(sinceMs)) return none(end);
  const to = Number.isFinite(untilMs) ? (firstLineAt(fd, end, untilMs)?.start ?? end) : end;
  const headMs = first?.timeMs ?? (Number.isNaN(head.timeMs) ? Number.NEGATIVE_INFINITY : head.timeMs);
  const from = first?.start ?? 0;
  return { from, to: Math.max(from, to), headMs };
}

/** NaN when the last lines have no time that can be read at a glance; then the search decides. */
function lastTimeOf(fd: number, end: number): number {
  for (const line of linesBackward(fd, end, LAST_LINE_SEARCH_BYTES)) return lineTimeBytes(line.bytes, 0);
  return Number.NaN;
}

/** What the beginning of a log file tells, packed or not. */
export function headOf(file: SnapshotFile): Head {
  const fd = file.fd();
  if (fd === null) return { timeMs: Number.NaN, afterSetBack: false, continuedAs: null, whole: false };
  if (file.packing !== null) return headIn(packedHead(fd, file.packing));
  let head = headIn(readRange(fd, 0, Math.min(file.end, HEAD_BYTES)));
  if (!head.whole && file.end > HEAD_BYTES)
    head = headIn(readRange(fd, 0, Math.min(file.end, HEAD_MAX_BYTES)));
  if (!Number.isNaN(head.timeMs)) return head;
  // A hole or a long line at the beginning: the first line that has a time lies further back.
  return { ...head, timeMs: new LineProbe(fd, file.end).timedLine(0, file.end)?.timeMs ?? Number.NaN };
}

/** What the first lines of a segment tell. */
export function headIn(bytes: Buffer): Head {
  let timeMs = Number.NaN;
  let afterSetBack = false;
  let continuedAs: number | null = null;
  for (let start = 0; ; ) {
    const end = bytes.indexOf(10, start);
    if (end < 0) return { timeMs, afterSetBack, continuedAs, whole: false };
    const line = readOddLine(bytes, start, end);
    if (line.kind === "event") {
      const { event_type, reason, state, segment } = line.keys;
      if (Number.isNaN(timeMs)) {
        timeMs = line.timeMs;
        if (event_type === "WATCH" && state === "continued") continuedAs = Number(segment);
      }
      if (event_type === "GAP" && reason === "clock") afterSetBack = true;
      // The head is one WATCH, and one GAP at most.
      if (event_type !== "WATCH") return { timeMs, afterSetBack, continuedAs, whole: true };
    }
    start = end + 1;
  }
}

/** The managed path that a log was written for, by its first line; null when no line tells. */
export function monitoredPathIn(bytes: Buffer): string | null {
  for (let start = 0; ; ) {
    const end = bytes.indexOf(10, start);
    if (end < 0) return null;
    const path = parseKeys(bytes, start, end)?.monitored_path;
    if (typeof path === "string") return path;
    start = end + 1;
  }
}
