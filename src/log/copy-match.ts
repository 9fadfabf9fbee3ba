// Somebody replaced the live file by a copy of its own (`tail -n 500 log > t && mv t log`). Which lines of the old file came
// after the copying? Two descriptors go in, an offset in the old file leaves; nothing is written here.
// Rather a line twice than a line lost: where the copy's end can't be found, lines from the time of the copying count.
import { fstatSync } from "node:fs";
import { linesBackward, type PlacedLine, readRange, wholeLinesEnd } from "./tail.ts";
import { lineTimeBytes, parseTime } from "./time.ts";

/** How much of the copy's end is compared where its last line occurs more than once in the old file. */
const CONTEXT_BYTES = 64 * 1024;
/** So long a batch may take from its time to its write: it waits for a user's name for up to 0.2 s. */
const WRITTEN_WITHIN_MS = 250;

/**
 * @param oldEnd end of the old file's whole lines
 * @param owedFrom lines from here on were written after the old file was last seen under its name
 * @returns the offset in the old file from which on its lines are missing in the copy
 */
export function resumeOffset(oldFd: number, oldEnd: number, copyFd: number, owedFrom: number): number {
  const copyEnd = wholeLinesEnd(copyFd, fstatSync(copyFd).size);
  const context = readRange(copyFd, Math.max(0, copyEnd - CONTEXT_BYTES), copyEnd);
  const lastTimeMs = lastTimeOf(copyFd, copyEnd, context);
  if (Number.isNaN(lastTimeMs)) {
    return Math.min(owedFrom, offsetOfTime(oldFd, oldEnd, beginOfCopy(copyFd)));
  }
  return afterLastLine(oldFd, oldEnd, context, lastTimeMs);
}

/** Where the line ends that the copy ends with; where the lines of no earlier time begin when it isn't there. */
function afterLastLine(oldFd: number, oldEnd: number, context: Buffer, lastTimeMs: number): number {
  const lastLine = lastLineOf(context);
  const lastRecord = parse(lastLine);
  let later = oldEnd;
  let best = -1;
  let bestLikeness = 0;
  for (const line of linesBackward(oldFd, oldEnd, oldEnd)) {
    const timeMs = timeOf(line.bytes);
    if (timeMs < lastTimeMs) break;
    // Those of the very moment too: where a segment was sealed since the copying, none of the copy's lines is here.
    if (timeMs >= lastTimeMs) later = line.at;
    if (timeMs !== lastTimeMs) continue;
    const end = line.at + line.bytes.length + 1;
    const likeness = line.bytes.equals(lastLine)
      ? 2 + commonSuffixBytes(oldFd, end, context)
      : likenessOfRecords(parse(line.bytes), lastRecord);
    if (likeness > bestLikeness) {
      best = end;
      bestLikeness = likeness;
    }
  }
  return best >= 0 ? best : later;
}

/** Lines rewritten by `jq` aren't equal byte by byte, and may lack keys: 1 for the same, 0.5 for what must be the same event. */
function likenessOfRecords(a: Record<string, unknown> | null, b: Record<string, unknown> | null): number {
  if (a === null || b === null) return 0;
  if (Bun.deepEquals(a, b)) return 1;
  const same = (key: string) => !(key in b) || Bun.deepEquals(a[key], b[key]);
  return ["event_type", "path", "pid", "file_size", "cmd"].every(same) ? 0.5 : 0;
}

/** The same line may stand there several times; the right one has the same lines before it. */
function commonSuffixBytes(oldFd: number, end: number, context: Buffer): number {
  const old = readRange(oldFd, Math.max(0, end - context.length), end);
  let same = 0;
  while (same < old.length && old[old.length - 1 - same] === context[context.length - 1 - same]) same++;
  return same;
}

/** Where the first of the last lines begins whose time is not before `timeMs`. */
function offsetOfTime(fd: number, end: number, timeMs: number): number {
  let from = end;
  for (const line of linesBackward(fd, end, end)) {
    if (timeOf(line.bytes) < timeMs) break;
    from = line.at;
  }
  return from;
}

/** A shell makes the copy before the tool begins to read; `mv` from another filesystem keeps that time as mtime. */
function beginOfCopy(copyFd: number): number {
  const { birthtimeMs, mtimeMs } = fstatSync(copyFd);
  return Math.floor(birthtimeMs > 0 ? Math.min(birthtimeMs, mtimeMs) : mtimeMs) - WRITTEN_WITHIN_MS;
}

function lastTimeOf(copyFd: number, copyEnd: number, context: Buffer): number {
  for (const line of linesBackward(copyFd, copyEnd, CONTEXT_BYTES)) {
    const timeMs = timeOf(line.bytes);
    if (!Number.isNaN(timeMs)) return timeMs;
    break;
  }
  // Spread over several lines by a pretty-printer.
  const times = [...context.toString("utf8").matchAll(/^\s*"time":\s*"([^"]+)"/gm)];
  return parseTime(times.at(-1)?.[1] ?? "");
}

function lastLineOf(context: Buffer): Buffer {
  const end = context.length - 1;
  return context.subarray(end > 0 ? context.lastIndexOf(10, end - 1) + 1 : 0, Math.max(0, end));
}

function timeOf(line: PlacedLine["bytes"]): number {
  const ours = lineTimeBytes(line, 0);
  return Number.isNaN(ours) ? parseTime(String(parse(line)?.time)) : ours;
}

function parse(line: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
