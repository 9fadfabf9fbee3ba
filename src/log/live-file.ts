// The file that a log's daemon appends to, wherever other people's tools have moved it. Whole lines go in; after each write
// they are in the file that has the log's name, or in the one it was renamed to, never in one that is gone.
// Every method may throw a system error or a Failure; the caller (writer.ts) keeps the lines and tries again.

import { fchmodSync, fstatSync, ftruncateSync, type Stats, unlinkSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "../failure.ts";
import { asOwner, type Identity } from "../kernel/identity.ts";
import { CarryOver } from "./carry-over.ts";
import { resumeOffset } from "./copy-match.ts";
import { WRITEBACK_MS } from "./lifetime.ts";
import { liveName } from "./names.ts";
import { closeQuietly, isSameFile, lookAt, makeLogDir, openForAppend } from "./open.ts";
import { PutFailed, passingOn } from "./put-failed.ts";
import { Replacement } from "./replacement.ts";
import { sealOpen } from "./seal.ts";
import { lastTimeBefore, repairTail, wholeLinesEnd } from "./tail.ts";
import { lineTimeBytes } from "./time.ts";
import { WriteStopped, writeWhole } from "./write.ts";

export interface LiveFileOptions {
  logDir: string;
  hash: string;
  owner: Identity;
  segmentSizeBytes: number;
  /** The lines that open a further segment; `back` is set when the clock was set back from there. */
  head: (timeMs: number, back: { fromMs: number } | null) => Uint8Array;
  onOwnerless: () => void;
  /**
   * Lines that were written are gone or could not be read any more, how many is not known: the file's filesystem died with what
   * it had in memory, or a file without a name can't be read. `fromMs` is the last moment that they can't be of.
   */
  onUnreadable: (fromMs: number) => void;
}

export class LiveFile {
  readonly path: string;
  segmentSizeBytes: number;
  /** The number that it gets when it is sealed, unless others have put higher ones there by then. */
  segment = 1;
  private readonly options: LiveFileOptions;
  private fd = -1;
  private dev = 0;
  private ino = 0;
  private size = 0;
  /** Size right after the head lines: a segment with nothing else is not worth sealing. */
  private headBytes = 0;
  private lastMs = Number.NEGATIVE_INFINITY;
  /** Lines from here on were written when the file may already have been deleted. */
  private owedFrom = 0;
  private torn = false;
  private unlinked = false;
  private needsHead = false;
  private clockBack: { fromMs: number } | null = null;
  /** The first file that took the name while this one is still written to. */
  private replacement: Replacement | null = null;
  private readonly carryOver = new CarryOver();

  constructor(options: LiveFileOptions) {
    this.options = options;
    this.segmentSizeBytes = options.segmentSizeBytes;
    this.path = join(options.logDir, liveName(options.hash));
  }

  /** Time of the last line; -Infinity for an empty file. */
  get lastTimeMs(): number {
    return this.lastMs;
  }

  /** True while lines wait in a file that has lost its name; settle() wants to be called again. */
  get unsettled(): boolean {
    return this.replacement !== null || this.carryOver.pending;
  }

  /** Makes or opens the file and repairs its end. A fresh one gets no head lines: the first `started` is its head. Returns its descriptor. */
  open(): number {
    this.openNamed();
    this.needsHead = false;
    return this.fd;
  }

  /**
   * Appends whole lines with a single write(2), into a fresh segment where the size or the clock asks for one. Hot.
   *
   * @param timeMs time of the last line
   * @throws {PutFailed} when a part was written; other errors mean that nothing was
   */
  append(lines: Uint8Array, timeMs: number): void {
    const firstMs = lineTimeBytes(lines, 0);
    const beginMs = Number.isNaN(firstMs) ? timeMs : firstMs;
    passingOn(0, () => this.settle(false, beginMs));
    this.appendHere(lines, beginMs, timeMs);
    // Deleted or replaced since settle() looked: what was just written must not go with it. Should that fail, it is owed from the old file.
    if (this.unlinked) passingOn(lines.length, () => this.settle(false, null));
  }

  /**
   * Sees to it that the next write goes to the file of the log's name, and that nothing stays behind in one that is gone.
   *
   * @param atOnce don't wait for the writer of a copy to finish
   * @param nextMs time of the line that is about to follow; null when none is
   */
  settle(atOnce: boolean, nextMs: number | null): void {
    if (this.fd < 0) {
      this.openNamed();
    } else {
      const named = lookAt(this.path, this.options.owner);
      const untouched =
        named !== undefined &&
        named.ino === this.ino &&
        named.size === this.size &&
        named.dev === this.dev &&
        !this.torn;
      if (!untouched) this.settleChanged(named, atOnce);
    }
    if (this.replacement !== null) return;
    if (this.carryOver.pending || this.needsHead) this.completeHead(nextMs);
  }

  /**
   * Renames the file to the next number and starts a new one.
   *
   * @param timeMs for the head lines of the new one
   * @returns false when there was nothing to seal
   */
  seal(timeMs: number, clockBack: { fromMs: number } | null): boolean {
    do {
      this.settle(true, null);
      if (this.size <= this.headBytes) return false;
    } while (!this.startSegment(timeMs, clockBack));
    return true;
  }

  /** Closes, and takes away a file in which no line was ever written. */
  discard(): void {
    const { owner } = this.options;
    if (this.fd >= 0 && fstatSync(this.fd).size === 0 && isSameFile(this.fd, this.path, owner)) {
      asOwner(owner, () => unlinkSync(this.path));
    }
    this.close();
  }

  close(): void {
    if (this.fd >= 0) closeQuietly(this.fd);
    this.fd = -1;
    this.dropReplacement();
    this.carryOver.close();
  }

  private appendHere(lines: Uint8Array, beginMs: number, timeMs: number): void {
    const back = beginMs < this.lastMs;
    const full = this.size + lines.length > this.segmentSizeBytes && this.size > this.headBytes;
    if (back || full) {
      passingOn(0, () => {
        if (this.replacement !== null) this.settle(true, beginMs);
        const fromMs = this.lastMs;
        // Where the name is a copy's by now, the old file takes what it has no room for, and all is carried over from there.
        if (!back) this.startSegment(fromMs, null);
        // Times must not go back within it; while lines are being carried over, another settle() would carry them twice.
        else
          while (!this.startSegment(beginMs, { fromMs }) && !this.carryOver.pending)
            this.settle(true, beginMs);
      });
    }
    this.put(lines, timeMs);
  }

  private put(lines: Uint8Array, timeMs: number): void {
    this.write(lines);
    this.lastMs = timeMs;
    const stat = fstatSync(this.fd);
    this.unlinked = stat.nlink === 0;
    if (stat.size !== this.size) {
      // The file was cut or grew in the moment before the write: our lines may be glued to the rest of another.
      const seam = stat.size - lines.length;
      const wholeEnd = seam > 0 ? wholeLinesEnd(this.fd, seam) : seam;
      this.size = stat.size;
      if (wholeEnd !== seam) {
        ftruncateSync(this.fd, wholeEnd);
        this.size = wholeEnd;
        this.write(lines);
      }
      // Cut before it was deleted: what is owed begins with these lines.
      this.owedFrom = Math.min(this.owedFrom, wholeEnd);
    }
    if (!this.unlinked) this.owedFrom = this.size;
  }

  private write(lines: Uint8Array): void {
    try {
      writeWhole(this.fd, lines);
    } catch (error) {
      if (!(error instanceof WriteStopped)) throw error;
      throw this.withoutHalfLine(this.size, lines, error);
    }
    this.size += lines.length;
  }

  /** Cuts the file back to the last whole line of a write that stopped. */
  private withoutHalfLine(before: number, lines: Uint8Array, stopped: WriteStopped): PutFailed {
    const whole = stopped.writtenBytes > 0 ? lines.lastIndexOf(10, stopped.writtenBytes - 1) + 1 : 0;
    if (whole > 0) {
      const lastLine = whole > 1 ? lines.lastIndexOf(10, whole - 2) + 1 : 0;
      const timeMs = lineTimeBytes(lines, lastLine);
      if (!Number.isNaN(timeMs)) this.lastMs = timeMs;
    }
    this.size = before + whole;
    if (stopped.writtenBytes > whole) {
      try {
        // Somebody else's bytes may stand there by now: then the repair by looking at the end is the right one.
        if (fstatSync(this.fd).size === before + stopped.writtenBytes) ftruncateSync(this.fd, this.size);
        else this.torn = true;
      } catch {
        this.torn = true;
      }
    }
    return new PutFailed(whole, stopped.cause);
  }

  private settleChanged(named: Stats | undefined, atOnce: boolean): void {
    if (named !== undefined && isSameFile(this.fd, this.path, this.options.owner)) {
      this.dropReplacement();
      if (this.torn || named.size !== this.size) this.takeAsItIs(named.size < this.size);
      return;
    }
    const gone = fstatSync(this.fd).nlink === 0;
    if (named?.isFile() === true && gone && !atOnce) {
      this.replacement ??= new Replacement(this.path, this.options.owner);
      if (this.replacement.isBeingWritten(named)) return;
    }
    const old = { fd: this.fd, mode: fstatSync(this.fd).mode, owedFrom: this.owedFrom, dev: this.dev };
    const oldTimeMs = this.lastMs;
    this.openNamed();
    this.unlinked = false;
    if (!gone) {
      // Renamed away: everything in it stays where it was put. Another filesystem stands here: it may lack what that one had.
      closeQuietly(old.fd);
      if (this.dev !== old.dev && this.lastMs < oldTimeMs && Number.isFinite(oldTimeMs)) {
        this.options.onUnreadable(Math.max(this.lastMs, oldTimeMs - WRITEBACK_MS));
      }
      return;
    }
    if (named !== undefined) this.keepMode(old.mode);
    try {
      const oldEnd = repairTail(old.fd);
      const lacking = () => (named ? resumeOffset(old.fd, oldEnd, this.fd, old.owedFrom) : old.owedFrom);
      const from = this.replacement?.resumeOffset(old.fd, oldEnd, old.owedFrom) ?? lacking();
      this.carryOver.add(old.fd, from, oldEnd);
    } catch {
      closeQuietly(old.fd);
      this.options.onUnreadable(oldTimeMs);
    }
    this.dropReplacement();
  }

  private dropReplacement(): void {
    this.replacement?.close();
    this.replacement = null;
  }

  /** `tail log > t` makes t readable for all under the usual umask; the log was not. */
  private keepMode(mode: number): void {
    try {
      asOwner(this.options.owner, () => fchmodSync(this.fd, mode & 0o777));
    } catch {
      // A filesystem without modes.
    }
  }

  /** The same file, but cut or written to by others. */
  private takeAsItIs(shrunk: boolean): void {
    this.size = repairTail(this.fd);
    this.lastMs = lastTimeBefore(this.fd, this.size);
    this.owedFrom = this.size;
    this.torn = false;
    this.headBytes = 0;
    this.needsHead ||= shrunk;
  }

  private openNamed(): void {
    const { logDir, owner } = this.options;
    let opened: ReturnType<typeof openForAppend>;
    try {
      opened = openForAppend(this.path, owner);
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
      makeLogDir(logDir, owner);
      opened = openForAppend(this.path, owner);
    }
    const previousFd = this.fd;
    this.fd = opened.fd;
    try {
      this.takeAsItIs(true);
    } catch (error) {
      // The lines in the previous file are not safe yet: it stays ours until this one is usable.
      this.fd = previousFd;
      closeQuietly(opened.fd);
      throw error;
    }
    this.dev = opened.stat.dev;
    this.ino = opened.stat.ino;
    if (opened.ownerless) this.options.onOwnerless();
  }

  /** Head lines stand first in an empty file; where there are lines already, they follow what was carried over. */
  private completeHead(nextMs: number | null): void {
    const empty = this.size === 0;
    if (empty) {
      const firstMs = this.carryOver.firstTimeMs() ?? nextMs;
      // Nothing is about to follow: the head can wait for the line that does, and for its time.
      if (firstMs === null) return;
      if (this.needsHead) this.putHead(firstMs);
    }
    const complete = this.carryOver.run((lines, beginMs, timeMs) => this.appendHere(lines, beginMs, timeMs));
    if (!complete) this.options.onUnreadable(this.lastMs);
    if (!this.needsHead) return;
    const headMs = Number.isFinite(this.lastMs) ? this.lastMs : nextMs;
    if (headMs !== null) this.putHead(headMs);
  }

  private putHead(timeMs: number): void {
    const lines = this.options.head(timeMs, this.clockBack);
    // Behind the lines of a copy it says nothing about what the file holds.
    const first = this.size === 0;
    this.put(lines, timeMs);
    if (first) this.headBytes = this.size;
    this.needsHead = false;
    this.clockBack = null;
  }

  /** @returns false when the log's name is another file's by now: nothing has changed then, and settle() is to see to it */
  private startSegment(timeMs: number, clockBack: { fromMs: number } | null): boolean {
    const { logDir, hash, owner } = this.options;
    const number = sealOpen(this.fd, logDir, hash, owner, this.segment);
    if (number === null) return false;
    this.segment = number + 1;
    closeQuietly(this.fd);
    this.fd = -1;
    // From here on a failure leaves these two to be made up for, when the file can be made.
    this.needsHead = true;
    this.clockBack = clockBack;
    this.openNamed();
    this.putHead(timeMs);
    return true;
  }
}
