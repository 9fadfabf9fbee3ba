// The daemon's own cleaning: keep_days, max_size, max_total and min_free hold even if nobody ever runs `fsmon clean`. One round
// a minute, and one for each new segment, in steps of a millisecond or so that never delay events. Drops whole segments, oldest first; a file is cut only
// when it alone breaks a limit.
import { statfsSync, statSync } from "node:fs";
import { causeOf } from "../failure.ts";
import { asOwner, type Identity } from "../kernel/identity.ts";
import { type LogFiles, listLog, listLogs } from "../log/names.ts";
import { takeCleanLock } from "./clean-lock.ts";
import { decide, type Limits } from "./decide.ts";
import { newestMs, type SurveyedFile, type SurveyedLog, surveyLog, totalBytes } from "./survey.ts";
import { dropFile, isFreeing, removeLeftovers, trimFile } from "./trim.ts";

export interface RetentionLimits {
  keepDays: number | null;
  /** Of one log, all its files. */
  maxSizeBytes: number | null;
  /** Of all logs together. */
  maxTotalBytes: number | null;
  /** What must stay free on the log directory's filesystem. */
  minFreeBytes: number | null;
}

export interface RetentionOptions {
  logDir: string;
  owner: Identity;
  limits: RetentionLimits;
  /** Seals the live file of a log that this daemon writes; false when it doesn't, or there was nothing to seal. */
  sealLive: (hash: string) => boolean;
  /** Told once for each new kind of trouble. */
  onTrouble: (message: string) => void;
  /** A step ends with the first look, deletion or the like after so long. */
  stepMs: number;
}

export interface RetentionStep {
  /** Something is left to do: call again as soon as there is nothing better to do. */
  more: boolean;
  /** Nothing is left to drop and the limits are still broken: recording has to stop until they aren't. */
  hold: boolean;
}

const DAY_MS = 86_400_000;
const ROUND_MS = 60_000;
/** While recording is stopped, space is looked for more often. */
const HELD_ROUND_MS = 1000;
/**
 * A file is cut for its age only when its oldest line is a day too old (or a tenth of keep_days, where that is less): a slow
 * log is then copied once a day at most, instead of every minute.
 */
const AGE_SLACK_MS = DAY_MS;
/** One step drops so much: many small segments come in a storm with a small max_size, and they must go as fast. */
const STEP_DROP_BYTES = 4 * 1024 * 1024;
/** A log is kept in at least so many segments, so that dropping the oldest never takes more than this share of max_size. */
const SEGMENTS_MIN = 8;
const SEGMENT_MIN_BYTES = 64 * 1024;

/** How large segments may become under a limit (max_size, max_total) for what they are a part of. */
export function segmentSizeWithin(segmentSizeBytes: number, limitBytes: number | null): number {
  if (limitBytes === null) return segmentSizeBytes;
  return Math.min(segmentSizeBytes, Math.max(SEGMENT_MIN_BYTES, Math.floor(limitBytes / SEGMENTS_MIN)));
}

export class Retention {
  private readonly options: RetentionOptions;
  private round: Generator<void, void> | null = null;
  private nextRoundMs = Number.NEGATIVE_INFINITY;
  /** Of the log directory: another one means that a segment was sealed, or that somebody was at work there. */
  private changedMs = Number.NaN;
  private hold = false;
  private lastTrouble = "";

  constructor(options: RetentionOptions) {
    this.options = options;
  }

  /** Does a small part of what is due. Never throws for trouble with the disk. */
  step(nowMs: number): RetentionStep {
    if (this.round === null) {
      // A clock that was set back must not stop the cleaning for as long.
      const waitMs = this.nextRoundMs - nowMs;
      const early = waitMs > 0 && waitMs <= ROUND_MS;
      const quiet = this.hold || (!this.spaceIsShort() && this.changeMs() === this.changedMs);
      if (early && quiet) return { more: false, hold: this.hold };
      // Before the round: a segment that is sealed in the middle of it may belong to a log that was looked at already.
      this.changedMs = this.changeMs();
      this.round = this.clean(nowMs);
    }
    const untilMs = performance.now() + this.options.stepMs;
    try {
      // With thousands of logs, one look a step would hold the lock for cleaning for minutes.
      do if (this.round.next().done === true) this.round = null;
      while (this.round !== null && performance.now() < untilMs);
    } catch (error) {
      this.round = null;
      this.tell(`Cannot clean "${this.options.logDir}": ${causeOf(error)}`);
    }
    if (this.round === null) {
      this.nextRoundMs = nowMs + (this.hold ? HELD_ROUND_MS : ROUND_MS);
    }
    return { more: this.round !== null, hold: this.hold };
  }

  private *clean(nowMs: number): Generator<void, void> {
    const { logDir, owner, limits } = this.options;
    const logs = listLogs(logDir, owner);
    if (logs.size === 0) {
      this.hold = this.spaceIsShort();
      return;
    }
    const release = takeCleanLock(logDir, owner, 0);
    // A person is cleaning: the next round sees what is left.
    if (release === null) return;
    try {
      removeLeftovers(logDir, owner);
      for (const log of logs.values()) {
        yield;
        yield* this.cleanLog(log, nowMs);
      }
      if (limits.maxTotalBytes !== null || limits.minFreeBytes !== null) yield* this.makeSpace();
    } finally {
      release();
    }
  }

  private *cleanLog(log: LogFiles, nowMs: number): Generator<void, void> {
    const { logDir, owner, limits, sealLive } = this.options;
    for (let round = 0; round < 2; round++) {
      // Names are read once for all logs; what was sealed since then is the next round's.
      const files = round === 0 ? log : (listLog(logDir, log.hash, owner) ?? log);
      const survey = surveyLog(logDir, files, owner);
      for (const problem of survey.problems) this.tell(problem);
      yield;
      const sealed = survey.files.filter((file) => file.number !== null);
      let droppedBytes = 0;
      for (const file of wholeOnesToGo(survey, limits, nowMs)) {
        dropFile(file, owner);
        sealed.splice(sealed.indexOf(file), 1);
        droppedBytes += file.sizeBytes;
        if (droppedBytes < STEP_DROP_BYTES) continue;
        droppedBytes = 0;
        yield;
      }
      const rest = {
        ...survey,
        files: survey.files.filter((file) => file.number === null || sealed.includes(file)),
      };
      const broken = limitsBrokenBy(rest, limits, nowMs);
      if (broken === null) return;
      const decisions = decide(rest, broken, owner);
      for (const { file, cutBytes } of decisions) {
        if (file.number === null) continue;
        if (cutBytes >= file.sizeBytes) dropFile(file, owner);
        else yield* trimFile(file, cutBytes, owner);
      }
      // A live file that breaks a limit by itself becomes a segment first; the second round cuts that.
      if (!decisions.some(({ file }) => file.number === null) || !sealLive(log.hash)) return;
    }
  }

  /** Drops the oldest segments of all logs until max_total and min_free hold, or nothing is left to drop. */
  private *makeSpace(): Generator<void, void> {
    const { logDir, owner } = this.options;
    const files: SurveyedFile[] = [];
    for (const log of listLogs(logDir, owner).values()) {
      files.push(...surveyLog(logDir, log, owner).files);
      yield;
    }
    let leftBytes = totalBytes(files);
    const oldestFirst = files
      .filter((file) => file.number !== null)
      .sort((a, b) => (a.lastMs ?? a.mtimeMs) - (b.lastMs ?? b.mtimeMs));
    for (const file of oldestFirst) {
      // What was dropped a moment ago must not cost further files.
      while (!this.breaksTotal(leftBytes) && isFreeing()) yield;
      if (!this.breaksTotal(leftBytes) && !this.spaceIsShort()) break;
      if (dropFile(file, owner)) leftBytes -= file.sizeBytes;
      yield;
    }
    while (isFreeing()) yield;
    this.hold = this.breaksTotal(leftBytes) || this.spaceIsShort();
    if (this.hold) this.tell(`No space may be used for the logs in "${logDir}" any more: recording stops`);
    else this.lastTrouble = "";
  }

  private breaksTotal(leftBytes: number): boolean {
    const { maxTotalBytes } = this.options.limits;
    return maxTotalBytes !== null && leftBytes > maxTotalBytes;
  }

  private changeMs(): number {
    const { logDir, owner } = this.options;
    try {
      return asOwner(owner, () => statSync(logDir)).mtimeMs;
    } catch {
      // Looked at again in a minute.
      return this.changedMs;
    }
  }

  private spaceIsShort(): boolean {
    const { logDir, owner, limits } = this.options;
    if (limits.minFreeBytes === null) return false;
    try {
      const { bavail, bsize } = asOwner(owner, () => statfsSync(logDir));
      return Number(bavail) * Number(bsize) < limits.minFreeBytes;
    } catch {
      return false;
    }
  }

  private tell(message: string): void {
    if (message === this.lastTrouble) return;
    this.lastTrouble = message;
    this.options.onTrouble(message);
  }
}

/** Sealed files, oldest first, that can go as a whole. */
function wholeOnesToGo(log: SurveyedLog, limits: RetentionLimits, nowMs: number): SurveyedFile[] {
  const keepFromMs = limits.keepDays === null ? Number.NEGATIVE_INFINITY : nowMs - limits.keepDays * DAY_MS;
  let excess = totalBytes(log.files) - (limits.maxSizeBytes ?? Infinity) + roomToGrow(log, limits);
  const going: SurveyedFile[] = [];
  for (const file of log.files) {
    if (file.number === null) continue;
    if (newestMs(file) >= keepFromMs && !(excess > 0 && isSmallBeside(file, limits))) continue;
    going.push(file);
    excess -= file.sizeBytes;
  }
  return going;
}

/** What the live file may still take until it is sealed, and the next round comes: without it max_size would hold at times only. */
function roomToGrow(log: SurveyedLog, { maxSizeBytes }: RetentionLimits): number {
  const live = log.files.find((file) => file.number === null);
  if (live === undefined || maxSizeBytes === null) return 0;
  return Math.max(0, maxSizeBytes / SEGMENTS_MIN - live.sizeBytes);
}

/** A segment that is most of what may be kept is cut rather than dropped. */
function isSmallBeside(file: SurveyedFile, limits: RetentionLimits): boolean {
  return file.packing !== null || file.sizeBytes <= (limits.maxSizeBytes ?? 0) / 4;
}

/** The limits that are still broken and call for cutting a file; null when none are. */
function limitsBrokenBy(log: SurveyedLog, limits: RetentionLimits, nowMs: number): Limits | null {
  const { keepDays, maxSizeBytes } = limits;
  const tooLarge = maxSizeBytes !== null && totalBytes(log.files) > maxSizeBytes;
  const keepFromMs = keepDays === null ? null : nowMs - keepDays * DAY_MS;
  const slackMs = keepDays === null ? 0 : Math.min(AGE_SLACK_MS, (keepDays * DAY_MS) / 10);
  const tooOld =
    keepFromMs !== null && log.files.some((file) => (file.firstMs ?? keepFromMs) < keepFromMs - slackMs);
  if (!tooLarge && !tooOld) return null;
  return { keepFromMs: tooOld ? keepFromMs : null, maxSizeBytes: tooLarge ? maxSizeBytes : null };
}
