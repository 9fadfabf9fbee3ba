// What a log's files hold, without reading them: sizes, and the times of their first and last lines. Names go in, facts come
// out; files that can't be judged are said to be so and then left alone. Changes nothing.
import { closeSync } from "node:fs";
import { join } from "node:path";
import { causeOf, errorCode, Failure } from "../failure.ts";
import type { Identity } from "../kernel/identity.ts";
import type { LogFiles, Packing } from "../log/names.ts";
import { openForReading } from "../log/open.ts";
import { linesBackward, readRange, wholeLinesEnd } from "../log/tail.ts";
import { LineProbe } from "../query/bisect.ts";
import { readOddLine } from "../query/odd-line.ts";
import { packedHead } from "../query/packed.ts";
import { headIn, monitoredPathIn } from "../query/sorted-files.ts";

export interface SurveyedFile {
  name: string;
  path: string;
  /** Null for the live file. */
  number: number | null;
  packing: Packing | null;
  /** Packed copies of it, which go when it goes: nobody would see it gone otherwise. */
  twinPaths: readonly string[];
  sizeBytes: number;
  dev: number;
  ino: number;
  /** Time of the first line; null when no line near the beginning has one. */
  firstMs: number | null;
  /** Time of the last line; for packed files the next file's first, which is not before it. Null when unknown. */
  lastMs: number | null;
  mtimeMs: number;
}

export interface SurveyedLog {
  hash: string;
  /** By the log's own lines; null when none tells. */
  managedPath: string | null;
  /** Oldest first. */
  files: SurveyedFile[];
  /** Sentences about files that are left alone. */
  problems: string[];
}

/** All files of a log, or some of them. */
export function totalBytes(files: readonly SurveyedFile[]): number {
  return files.reduce((sum, file) => sum + file.sizeBytes, 0);
}

/**
 * When the newest line was written, as far as is known: without a time in it, a file is as old as its last change. (A packed one keeps
 * the mtime of what was packed.)
 */
export function newestMs({ lastMs, packing, mtimeMs }: SurveyedFile): number {
  return lastMs ?? (packing === null ? mtimeMs : Number.POSITIVE_INFINITY);
}

const HEAD_BYTES = 64 * 1024;
/** Lines without a time at a file's beginning are passed over up to here: a file of nothing else must not hold the daemon up. */
const FIRST_LINE_SEARCH_BYTES = 256 * 1024;
/** Lines without a time at a file's end are passed over up to here; then its mtime speaks for it. */
const LAST_LINE_SEARCH_BYTES = 1024 * 1024;

export function surveyLog(logDir: string, log: LogFiles, owner: Identity): SurveyedLog {
  const surveyed: SurveyedLog = { hash: log.hash, managedPath: null, files: [], problems: [] };
  let next: { firstMs: number | null; afterSetBack: boolean } | null = null;
  for (const { name, number, packing, twins = [] } of log.segments.toReversed()) {
    const path = join(logDir, name);
    let opened: ReturnType<typeof openForReading>;
    try {
      opened = openForReading(path, owner);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") {
        const why = error instanceof Failure ? error.message : `Cannot read "${path}": ${causeOf(error)}`;
        surveyed.problems.push(`${why}; left as it is`);
      }
      next = null;
      continue;
    }
    const { fd, stat } = opened;
    try {
      const file: SurveyedFile = {
        name,
        path,
        number,
        packing,
        twinPaths: twins.map((twin) => join(logDir, twin)),
        sizeBytes: stat.size,
        dev: stat.dev,
        ino: stat.ino,
        firstMs: null,
        lastMs: null,
        mtimeMs: stat.mtimeMs,
      };
      const bytes = packing === null ? readRange(fd, 0, HEAD_BYTES) : packedHead(fd, packing);
      const head = headIn(bytes);
      surveyed.managedPath = monitoredPathIn(bytes) ?? surveyed.managedPath;
      if (packing === null) {
        const end = wholeLinesEnd(fd, stat.size);
        file.firstMs =
          new LineProbe(fd, end).timedLine(0, Math.min(end, FIRST_LINE_SEARCH_BYTES))?.timeMs ?? null;
        file.lastMs = file.firstMs === null ? null : lastTimeOf(fd, end);
      } else {
        file.firstMs = Number.isNaN(head.timeMs) ? null : head.timeMs;
        if (next !== null && !next.afterSetBack) file.lastMs = next.firstMs;
      }
      next = { firstMs: file.firstMs, afterSetBack: head.afterSetBack };
      surveyed.files.push(file);
    } finally {
      closeSync(fd);
    }
  }
  surveyed.files.reverse();
  return surveyed;
}

/** The last time in [0, end); null when the last lines have none. */
export function lastTimeOf(fd: number, end: number): number | null {
  for (const { bytes } of linesBackward(fd, end, LAST_LINE_SEARCH_BYTES)) {
    const line = readOddLine(bytes, 0, bytes.length);
    if (line.kind === "event") return line.timeMs;
  }
  return null;
}
