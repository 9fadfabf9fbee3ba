// The log of one managed path, as the daemon writes it. Whole event lines and the log's own state lines go in; they reach
// the disk, or they wait in memory up to a bound, or their loss is written down as a GAP. Nothing is lost silently.
// Never throws for trouble with the disk once it is open: the daemon lives on.
import type { GapReason } from "../event.ts";
import { causeOf, errorCode, Failure, rootCause } from "../failure.ts";
import type { Identity } from "../kernel/identity.ts";
import { openFilesMax } from "../kernel/open-files.ts";
import { SyscallError } from "../kernel/syscall.ts";
import { LiveFile } from "./live-file.ts";
import { type LogFiles, logHash } from "./names.ts";
import { countLines, gapReasonOf, Outage } from "./outage.ts";
import { type PreviousLife, readPreviousLife } from "./previous.ts";
import { PutFailed } from "./put-failed.ts";
import { encodeGap, encodeWatch, type Gap, type WatchInfo, type WatchState } from "./state.ts";

export interface LogWriterOptions {
  logDir: string;
  managedPath: string;
  /** Whose files they are. */
  owner: Identity;
  segmentSizeBytes: number;
  /** What the WATCH line at the head of a further segment says. */
  describe: () => WatchInfo;
  /** Told once when writing fails, once when it works again, and once about a filesystem without owners. */
  onTrouble: (message: string) => void;
  /** Told the reason of every GAP line that is written. */
  onGap?: (reason: GapReason, timeMs: number) => void;
  /** Told of every file that is begun. */
  onNewFile?: () => void;
}

/** A full disk is tried again this often: soon enough for a person, cheap enough for hours (one failing write). */
const RETRY_MS = 250;
/** For clients, segments that are carried over, mounts that are looked at: they must not fail because of one more managed path. */
const SPARE_DESCRIPTORS = 128;
/** State lines may bear a time that is a moment behind the last event's; further behind, the clock was set back. */
const STATE_CLAMP_MS = 1000;
/** Log directories that were told of: once is enough for all their logs and segments. */
const knownOwnerless = new Set<string>();

export class LogWriter {
  readonly hash: string;
  readonly path: string;
  private readonly options: LogWriterOptions;
  private readonly file: LiveFile;
  private outage: Outage | null = null;
  private held = false;
  private retryAtMs = 0;
  private unreadableFromMs: number | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(options: LogWriterOptions) {
    const { logDir, managedPath, owner, segmentSizeBytes, onTrouble } = options;
    this.options = options;
    this.hash = logHash(managedPath);
    this.file = new LiveFile({
      logDir,
      hash: this.hash,
      owner,
      segmentSizeBytes,
      head: (timeMs, clockBack) => this.head(timeMs, clockBack),
      onOwnerless: () => {
        if (knownOwnerless.has(logDir)) return;
        knownOwnerless.add(logDir);
        onTrouble(`The filesystem of "${logDir}" keeps no owners: the logs are whoever's it says`);
      },
      onUnreadable: (fromMs) => {
        this.unreadableFromMs = Math.min(this.unreadableFromMs ?? Date.now(), fromMs);
      },
    });
    this.path = this.file.path;
  }

  /**
   * Makes the directory (0700) and the file (0600) where they are missing, and repairs a torn last line. The caller writes
   * the `started` line, and before it the GAP that the answer calls for.
   *
   * @param logs the files of all logs, where somebody has listed them
   * @throws {Failure} when the file is a link, not regular, or somebody else's, or can't be opened at all
   */
  open(logs: ReadonlyMap<string, LogFiles> | null = null): PreviousLife {
    try {
      this.refuseIfCrowded(this.file.open());
      const { logDir, owner } = this.options;
      const previous = readPreviousLife(logDir, this.hash, owner, logs);
      this.file.segment = previous.segment;
      return previous;
    } catch (error) {
      if (error instanceof Failure) throw error;
      throw new Failure(
        `Cannot open the log "${this.path}": ${causeOf(error)}`,
        "check the directory and the disk, or set [logging] dir in the config",
      );
    }
  }

  private refuseIfCrowded(fd: number): void {
    const max = openFilesMax();
    // The kernel gives the lowest free number.
    if (max === 0 || fd < max - SPARE_DESCRIPTORS) return;
    this.file.discard();
    throw new Failure(
      `Cannot open the log "${this.path}": the daemon may have ${max} files open, and each managed path takes one`,
      "raise LimitNOFILE= in its unit, or ulimit -n where it is started",
    );
  }

  /**
   * Appends whole lines of events: one write(2). Hot.
   *
   * @param bytes a buffer that the caller may use again at once
   * @param sizeBytes how much of it counts
   * @param lineCount events in it
   * @param timeMs time of its last line; earlier lines are not later than that
   */
  append(bytes: Uint8Array, sizeBytes: number, lineCount: number, timeMs: number): void {
    this.accept(sizeBytes === bytes.length ? bytes : bytes.subarray(0, sizeBytes), lineCount, timeMs);
  }

  watch(state: WatchState, timeMs: number): void {
    const lineMs = this.stateTime(timeMs);
    this.accept(this.watchLine(state, lineMs), 0, lineMs);
  }

  /** A GAP of reason `clock` starts a new segment, so that times never go back within one. */
  gap(gap: Gap, timeMs: number): void {
    const lineMs = gap.reason === "clock" ? timeMs : this.stateTime(timeMs);
    try {
      if (this.outage === null && this.beginsSegment(gap, timeMs)) return;
    } catch (error) {
      this.begin(error, timeMs);
    }
    this.accept(this.gapLine(gap, lineMs), 0, lineMs, gap);
  }

  /** @returns whether the new segment says the GAP itself: a clock that was set back */
  private beginsSegment(gap: Gap, timeMs: number): boolean {
    if (gap.reason !== "clock") return false;
    const back = timeMs < this.file.lastTimeMs ? { fromMs: Math.max(gap.fromMs, gap.toMs) } : null;
    return this.file.seal(timeMs, back) && back !== null;
  }

  /**
   * Looks after the file while nothing is being written: notices that it was renamed, replaced or deleted, and tries again
   * after an error. Once a second is plenty; a few microseconds.
   */
  tick(nowMs: number): void {
    if (this.outage !== null) {
      this.recover(nowMs);
      return;
    }
    try {
      this.file.settle(false, null);
      this.afterwards(nowMs);
    } catch (error) {
      this.begin(error, nowMs);
    }
  }

  /**
   * Renames the live file to the next number, for whoever wants to clean it. A full disk is no reason against it: cleaning makes room.
   *
   * @returns false when it has no events
   * @throws what keeps it from being renamed
   */
  seal(): boolean {
    const { segment, lastTimeMs } = this.file;
    const timeMs = Number.isFinite(lastTimeMs) ? lastTimeMs : Date.now();
    try {
      return this.file.seal(timeMs, null);
    } catch (error) {
      this.begin(error, timeMs);
      // Sealed all the same: what failed is the new file, or its head.
      if (this.file.segment !== segment) return true;
      throw error;
    }
  }

  /** Another size at which segments are sealed, from the next line on. */
  resize(segmentSizeBytes: number): void {
    this.file.segmentSizeBytes = segmentSizeBytes;
  }

  /** Stops writing on purpose (no space may be used any more): lines wait, then count as lost, until release(). */
  hold(timeMs: number): void {
    this.held = true;
    this.outage ??= new Outage("disk_full", timeMs);
  }

  release(timeMs: number): void {
    this.held = false;
    this.recover(timeMs);
  }

  /** Until when everything is on the disk; null while nothing is missing. */
  get incompleteSinceMs(): number | null {
    return this.outage?.gapFromMs ?? null;
  }

  /** What a closed log lacks and has no word on, up to the end of this life; null where everything is written. */
  owed(endMs: number): Gap | null {
    return this.outage?.gap(endMs) ?? null;
  }

  /** Nothing waits in memory, or in a file that has lost its name. */
  get complete(): boolean {
    return this.outage === null && !this.file.unsettled;
  }

  /** For a log that was opened and isn't wanted after all: one without a line leaves no file. */
  discard(): void {
    this.outage?.giveUp();
    try {
      this.file.discard();
    } catch {
      this.file.close();
    }
  }

  /** Writes at once what can be written. @returns whether that is everything, so that close() loses nothing */
  finish(): boolean {
    this.retryAtMs = 0;
    const nowMs = Date.now();
    this.recover(nowMs);
    try {
      if (this.outage === null) this.file.settle(true, null);
    } catch (error) {
      this.begin(error, nowMs);
    }
    return this.outage === null;
  }

  /** Writes what can still be written and closes the file. */
  close(): void {
    this.finish();
    if (this.timer !== null) clearTimeout(this.timer);
    if (this.outage !== null) {
      const lost = this.outage.giveUp();
      this.options.onTrouble(`"${this.path}" was closed before it could be written: ${lost} events are lost`);
    }
    this.file.close();
  }

  private accept(lines: Uint8Array, eventCount: number, timeMs: number, gap?: Gap): void {
    if (lines.length === 0) return;
    if (this.outage === null) {
      try {
        this.file.append(lines, timeMs);
        if (this.unreadableFromMs !== null || this.file.unsettled) this.afterwards(timeMs);
        return;
      } catch (error) {
        this.begin(error, timeMs);
        lines = lines.subarray(writtenBytesOf(error));
        eventCount = Math.min(eventCount, countLines(lines));
      }
    }
    this.outage?.keep(lines, eventCount, timeMs, gap);
    this.recover(timeMs);
  }

  private begin(error: unknown, timeMs: number): void {
    const cause = rootCause(error);
    const code = errorCode(cause);
    // A mistake of ours is not the disk's: it must not be retried for ever.
    if (code === "" && !(cause instanceof Failure) && !(cause instanceof SyscallError)) throw cause;
    this.retryAtMs = performance.now() + RETRY_MS;
    if (this.outage !== null) return;
    this.outage = new Outage(gapReasonOf(code), timeMs);
    this.options.onTrouble(`Cannot write the log "${this.path}": ${causeOf(cause)}; events wait in memory`);
    this.wakeLater();
  }

  /** Writes what waits, and the GAP after it. Leaves the outage as it is when that fails. */
  private recover(nowMs: number): void {
    const outage = this.outage;
    if (outage === null || this.held || performance.now() < this.retryAtMs) return;
    try {
      for (let batch = outage.first(); batch !== undefined; batch = outage.first()) {
        try {
          const { bytes, timeMs, gap } = batch;
          if (gap === undefined || !this.beginsSegment(gap, timeMs)) this.file.append(bytes, timeMs);
        } catch (error) {
          outage.firstWritten(writtenBytesOf(error));
          throw error;
        }
        outage.firstWritten(batch.bytes.length);
      }
      const timeMs = Math.max(nowMs, this.file.lastTimeMs);
      this.file.append(this.gapLine(outage.gap(timeMs), timeMs), timeMs);
      this.outage = null;
      this.options.onTrouble(`The log "${this.path}" can be written again: ${outage.lost} events were lost`);
      this.afterwards(timeMs);
    } catch (error) {
      this.begin(error, nowMs);
      this.wakeLater();
    }
  }

  /** What writing has left to do. */
  private afterwards(nowMs: number): void {
    if (this.unreadableFromMs !== null) {
      const fromMs = Math.min(nowMs, this.unreadableFromMs);
      this.unreadableFromMs = null;
      this.gap({ reason: "write_error", fromMs, toMs: nowMs, lost: null }, nowMs);
    }
    if (this.file.unsettled) this.wakeLater();
  }

  /** Lines that wait must not wait for the next event or for a caller's tick(). */
  private wakeLater(): void {
    if (this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.tick(Date.now());
      if (this.outage !== null && !this.held) this.wakeLater();
    }, RETRY_MS);
    this.timer.unref();
  }

  private stateTime(timeMs: number): number {
    const lastMs = this.file.lastTimeMs;
    return timeMs < lastMs && lastMs - timeMs <= STATE_CLAMP_MS ? lastMs : timeMs;
  }

  private head(timeMs: number, clockBack: { fromMs: number } | null): Uint8Array {
    this.options.onNewFile?.();
    const watch = this.watchLine("continued", timeMs);
    if (clockBack === null) return watch;
    const gap: Gap = { reason: "clock", fromMs: timeMs, toMs: clockBack.fromMs, lost: 0 };
    return Buffer.concat([watch, this.gapLine(gap, timeMs)]);
  }

  private watchLine(state: WatchState, timeMs: number): Uint8Array {
    const { managedPath, describe } = this.options;
    return encodeWatch(managedPath, state, describe(), this.file.segment, timeMs);
  }

  private gapLine(gap: Gap, timeMs: number): Uint8Array {
    this.options.onGap?.(gap.reason, timeMs);
    return encodeGap(this.options.managedPath, gap, timeMs);
  }
}

function writtenBytesOf(error: unknown): number {
  return error instanceof PutFailed ? error.writtenBytes : 0;
}
