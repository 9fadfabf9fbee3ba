// `fsmon clean`: trims logs by age and size, beside a daemon that writes or without one. Limits go in; what went (or would go)
// comes out. No line goes that was not to go, and being killed leaves every file old or new, never half.
import { causeOf, errorCode, Failure } from "../failure.ts";
import type { Identity } from "../kernel/identity.ts";
import { withoutDaemon } from "../log/lifetime.ts";
import { type LogFiles, listLogs, logHash } from "../log/names.ts";
import { whileOpen } from "../log/open.ts";
import { spellingsOf } from "../query/choose.ts";
import { takeCleanLock } from "./clean-lock.ts";
import { countLinesBefore } from "./count.ts";
import { type Decision, decide, type Limits } from "./decide.ts";
import { lastTimeOf, type SurveyedLog, surveyLog, totalBytes } from "./survey.ts";
import { dropFile, freed, removeLeftovers, trimFile } from "./trim.ts";

export interface CleanRequest {
  logDir: string;
  owner: Identity;
  /** Managed paths as typed; null for every log, those of removed paths too. */
  paths: readonly string[] | null;
  /** null: any age. */
  keepDays: number | null;
  /** null: any size. */
  maxSizeBytes: number | null;
  nowMs: number;
}

/** What goes of one log. */
export interface LogCleaning {
  hash: string;
  /** null when no line of the log tells. */
  managedPath: string | null;
  /** Null when they weren't counted (only a plan counts them), or when some are packed. */
  lines: number | null;
  bytes: number;
  /** Times of the first and the last line that go; null when unknown or nothing goes. */
  fromMs: number | null;
  toMs: number | null;
  keptBytes: number;
  /** Files dropped whole. */
  filesDropped: number;
  /** Sentences about what was left alone. */
  problems: string[];
}

export interface CleanCallbacks {
  /**
   * Asks the running daemon to seal the live file of a log.
   *
   * @returns false when there was nothing to seal
   * @throws {Failure} when it can't be asked, or can't do it
   */
  sealLive: (hash: string) => boolean | Promise<boolean>;
}

const DAY_MS = 86_400_000;
/** Another clean may be copying a file at disk speed. */
const LOCK_WAIT_MS = 60_000;
/** Sealing and looking again; more often means that somebody else is at work on the same files. */
const ROUNDS_MAX = 3;

/** What applyClean() would do now, with the lines counted. Changes nothing. */
export function planClean(request: CleanRequest): LogCleaning[] {
  return chosenLogs(request).map((files) => {
    const log = surveyLog(request.logDir, files, request.owner);
    const decisions = decide(log, limitsOf(request), request.owner);
    const last = decisions.at(-1);
    return {
      ...summary(log, decisions),
      lines: countLines(decisions, request.owner),
      toMs: last === undefined ? null : lastCutMs(last, request.owner),
    };
  });
}

/**
 * Does it.
 *
 * @throws {Failure} for a path without a log, and when another clean doesn't end
 */
export async function applyClean(request: CleanRequest, callbacks: CleanCallbacks): Promise<LogCleaning[]> {
  const { logDir, owner } = request;
  if (chosenLogs(request).length === 0) return [];
  const release = takeCleanLock(logDir, owner, LOCK_WAIT_MS);
  if (release === null) throw new Failure(`Another clean of "${logDir}" is still running`, "try again later");
  try {
    removeLeftovers(logDir, owner);
    const done = new Map<string, LogCleaning>();
    // The directory is read once a round, not once a log: with thousands of logs nothing else would take as long.
    let due = chosenLogs(request);
    for (let round = 1; round <= ROUNDS_MAX && due.length > 0; round++) {
      const sealed = new Set<string>();
      for (const log of due) {
        const { cleaning, isSealed } = await cleanLog(request, log, callbacks);
        done.set(log.hash, together(done.get(log.hash) ?? null, cleaning));
        if (isSealed) sealed.add(log.hash);
      }
      due =
        sealed.size === 0 ? [] : [...listLogs(logDir, owner).values()].filter(({ hash }) => sealed.has(hash));
    }
    await freed();
    return [...done.values()];
  } finally {
    release();
  }
}

/** @returns whether the daemon has made a segment of the live file: then the log is to be looked at again */
async function cleanLog(
  request: CleanRequest,
  files: LogFiles,
  callbacks: CleanCallbacks,
): Promise<{ cleaning: LogCleaning; isSealed: boolean }> {
  const { logDir, owner } = request;
  const problems: string[] = [];
  const log = surveyLog(logDir, files, owner);
  const decisions = decide(log, limitsOf(request), owner);
  // Oldest first, so that being stopped in between leaves no hole.
  const lastMs = new Map(decisions.map((decision) => [decision, lastCutMs(decision, owner)]));
  const done: Decision[] = [];
  let isSealed = false;
  for (const decision of decisions) {
    const { file, cutBytes } = decision;
    const isLive = file.number === null;
    try {
      // A copy may need the room that was made.
      if (cutBytes < file.sizeBytes) await freed();
      const isCut = isLive ? cutUnwritten(request, decision) : cutSealed(decision, owner);
      if (isCut) done.push(decision);
      else if (isLive) isSealed = await callbacks.sealLive(log.hash);
    } catch (error) {
      if (errorCode(error) === "ENOENT") continue;
      problems.push(`Cannot trim "${file.path}": ${causeOf(error)}; left as it is`);
    }
  }
  const last = done.at(-1);
  const toMs = last === undefined ? null : (lastMs.get(last) ?? null);
  const { problems: found, ...rest } = summary(log, done);
  return { cleaning: { ...rest, toMs, problems: [...found, ...problems] }, isSealed };
}

function together(before: LogCleaning | null, now: LogCleaning): LogCleaning {
  if (before === null) return now;
  return {
    ...now,
    managedPath: now.managedPath ?? before.managedPath,
    bytes: before.bytes + now.bytes,
    fromMs: before.fromMs ?? now.fromMs,
    toMs: now.toMs ?? before.toMs,
    filesDropped: before.filesDropped + now.filesDropped,
    problems: [...new Set([...before.problems, ...now.problems])],
  };
}

/**
 * A live file that no daemon writes to can be cut in its place. The lock is held for the moment of the change only.
 *
 * @returns false when a daemon is there
 */
function cutUnwritten({ logDir, owner }: CleanRequest, { file, cutBytes }: Decision): boolean {
  const undisturbed = (change: () => boolean) => withoutDaemon(logDir, owner, change) ?? false;
  if (!undisturbed(() => true)) return false;
  return cutBytes >= file.sizeBytes
    ? undisturbed(() => dropFile(file, owner))
    : runThrough(trimFile(file, cutBytes, owner, undisturbed));
}

/** @returns false when it is another file by now */
function cutSealed({ file, cutBytes }: Decision, owner: Identity): boolean {
  return cutBytes >= file.sizeBytes ? dropFile(file, owner) : runThrough(trimFile(file, cutBytes, owner));
}

function runThrough<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

function limitsOf(request: CleanRequest): Limits {
  const { keepDays, maxSizeBytes, nowMs } = request;
  return { keepFromMs: keepDays === null ? null : nowMs - keepDays * DAY_MS, maxSizeBytes };
}

function chosenLogs({ logDir, owner, paths }: CleanRequest): LogFiles[] {
  const logs = listLogs(logDir, owner);
  if (paths === null) return [...logs.values()];
  return paths.map((typed) => {
    const log = spellingsOf(typed)
      .map((path) => logs.get(logHash(path)))
      .find((one) => one !== undefined);
    if (log === undefined) {
      throw new Failure(
        `There is no log for ${JSON.stringify(typed)}`,
        "fsmon managed lists the managed paths",
      );
    }
    return log;
  });
}

function summary(log: SurveyedLog, decisions: readonly Decision[]): LogCleaning {
  const bytes = decisions.reduce((sum, decision) => sum + decision.cutBytes, 0);
  return {
    hash: log.hash,
    managedPath: log.managedPath,
    lines: null,
    bytes,
    fromMs: decisions[0]?.file.firstMs ?? null,
    toMs: null,
    keptBytes: totalBytes(log.files) - bytes,
    filesDropped: decisions.filter(({ file, cutBytes }) => cutBytes >= file.sizeBytes).length,
    problems: [...log.problems],
  };
}

function lastCutMs({ file, cutBytes }: Decision, owner: Identity): number | null {
  if (cutBytes >= file.sizeBytes) return file.lastMs;
  return whileOpen(file.path, owner, ({ fd }) => lastTimeOf(fd, cutBytes));
}

function countLines(decisions: readonly Decision[], owner: Identity): number | null {
  let lines = 0;
  for (const { file, cutBytes } of decisions) {
    const count =
      file.packing === null ? whileOpen(file.path, owner, ({ fd }) => countLinesBefore(fd, cutBytes)) : null;
    if (count === null) return null;
    lines += count;
  }
  return lines;
}
