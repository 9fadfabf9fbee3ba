// One log, followed as it grows: across sealing, rotation, cleaning, truncation, replacement and deletion. Names in a directory go
// in; blocks of whole lines come out, each line once and in order. Only reads, so the daemon never notices.
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { asOwner, type Identity } from "../kernel/identity.ts";
import { listLog, liveName } from "../log/names.ts";
import { wholeLinesEnd } from "../log/tail.ts";
import { lineTimeBytes } from "../log/time.ts";
import { firstLineAt } from "../query/bisect.ts";

const NEWLINE = 10;
const BLOCK_BYTES = 256 * 1024;
/** Lines of one moment that are remembered, so that a rewritten log's lines are known again. */
const REMEMBERED_MAX = 10_000;

/** Where a follower begins. */
export interface Start {
  /** Segments up to this number are history. */
  highestNumber: number;
  /** The live file as it was found, open, and how far it was read; null: everything is new. */
  live: { fd: number; offset: number } | null;
}

export class LogFollower {
  readonly hash: string;
  /** Segments that were deleted before they could be read; whoever tells of them sets it back to 0. */
  missedSegments = 0;
  private readonly logDir: string;
  private readonly owner: Identity;
  private readonly room = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  private fd = -1;
  private ino = 0;
  private dev = 0;
  private offset = 0;
  /** Of the segments whose lines have all been read. */
  private highestNumber: number;
  /** Segments that come next, oldest first; then the live file. */
  private readonly waiting: { path: string; number: number; again: boolean }[] = [];
  private lastMs = Number.NEGATIVE_INFINITY;
  /** The lines of the last moment. */
  private lastLines = new Set<string>();
  /** Lines before lastMs, and those of lastLines, are known: the file is a copy of what was read. */
  private sifting = false;

  constructor(logDir: string, hash: string, owner: Identity, start: Start) {
    this.logDir = logDir;
    this.hash = hash;
    this.owner = owner;
    this.highestNumber = start.highestNumber;
    if (start.live === null) return;
    this.use(start.live.fd, start.live.offset);
    this.recall();
  }

  /** Bytes of the current file that wait to be read. */
  get waitingBytes(): number {
    return this.fd < 0 ? 0 : Math.max(0, fstatSync(this.fd).size - this.offset);
  }

  /**
   * The next whole lines, at most a block of them; null when there are none now.
   *
   * @returns bytes that are valid until the next call
   */
  read(): Buffer | null {
    // A handful of steps: drain, notice the new file, drain that.
    for (let step = 0; step < 100; step++) {
      const lines = this.readOn();
      if (lines !== null) return lines;
      if (!this.moveOn()) return null;
    }
    return null;
  }

  /** Passes over everything but the last bytes. @returns how many lines that were */
  skip(keepBytes: number): number {
    const { size } = fstatSync(this.fd);
    const target = wholeLinesEnd(this.fd, Math.max(this.offset, size - keepBytes));
    let lines = 0;
    while (this.offset < target) {
      const got = readSync(this.fd, this.room, 0, Math.min(BLOCK_BYTES, target - this.offset), this.offset);
      if (got === 0) break;
      const block = this.room.subarray(0, got);
      for (let at = block.indexOf(NEWLINE); at >= 0; at = block.indexOf(NEWLINE, at + 1)) lines++;
      this.offset += got;
    }
    return lines;
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }

  private readOn(): Buffer | null {
    if (this.fd < 0) return null;
    let room = this.room;
    for (;;) {
      const got = readSync(this.fd, room, 0, room.length, this.offset);
      const end = room.subarray(0, got).lastIndexOf(NEWLINE) + 1;
      if (end > 0) {
        this.offset += end;
        const lines = this.remember(room.subarray(0, end));
        if (lines.length > 0) return lines;
        continue;
      }
      if (got < room.length) return null;
      // A line longer than the block.
      room = Buffer.allocUnsafeSlow(room.length * 4);
    }
  }

  /** What stands before the beginning is known, too: a copy of it may come in its place before anything new does. */
  private recall(): void {
    const from = Math.max(0, this.offset - BLOCK_BYTES);
    const block = this.room.subarray(0, readSync(this.fd, this.room, 0, this.offset - from, from));
    this.remember(from === 0 ? block : block.subarray(block.indexOf(NEWLINE) + 1));
  }

  /** Keeps the lines of the last moment in mind, and leaves known ones out of a copy. */
  private remember(block: Buffer): Buffer {
    const lines = this.sifting ? this.unknownOf(block) : block;
    let isLast = true;
    for (let end = lines.length; end > 0; ) {
      const start = end > 1 ? lines.lastIndexOf(NEWLINE, end - 2) + 1 : 0;
      const timeMs = lineTimeBytes(lines, start);
      if (!Number.isNaN(timeMs)) {
        if (isLast && timeMs !== this.lastMs) {
          this.lastMs = timeMs;
          this.lastLines = new Set();
        }
        if (timeMs !== this.lastMs || this.lastLines.size >= REMEMBERED_MAX) break;
        this.lastLines.add(lines.toString("latin1", start, end));
        isLast = false;
      }
      end = start;
    }
    return lines;
  }

  private unknownOf(block: Buffer): Buffer {
    const kept: Buffer[] = [];
    for (let start = 0; start < block.length; ) {
      const end = block.indexOf(NEWLINE, start) + 1;
      const timeMs = lineTimeBytes(block, start);
      const known =
        timeMs < this.lastMs ||
        (timeMs === this.lastMs && this.lastLines.has(block.toString("latin1", start, end)));
      if (timeMs > this.lastMs) this.sifting = false;
      if (!this.sifting) {
        kept.push(block.subarray(start));
        break;
      }
      if (!known) kept.push(block.subarray(start, end));
      start = end;
    }
    return kept.length === 1 ? kept[0]! : Buffer.concat(kept);
  }

  /** Everything of the current file was read: is there another one by now? */
  private moveOn(): boolean {
    const next = this.waiting.shift();
    if (next !== undefined) return this.open(next.path, next.again, next.number);
    const live = this.look(join(this.logDir, liveName(this.hash)));
    if (this.fd >= 0 && live !== null && live.ino === this.ino && live.dev === this.dev) {
      if (live.size >= this.offset) return false;
      // Cut by somebody: what stands there now is new, or was read before.
      this.sift(this.fd, live.size);
      return true;
    }
    // Sealed, renamed or replaced since: lines may have come between our last read and that.
    if (this.fd >= 0 && this.hasWholeLine()) return true;
    const segments = this.segments();
    const here =
      this.fd < 0 ? undefined : segments.find(({ ino, dev }) => ino === this.ino && dev === this.dev);
    const again = this.fd >= 0 && here === undefined;
    if (here !== undefined) this.highestNumber = Math.max(this.highestNumber, here.number);
    const unread = segments.filter(({ number }) => number > this.highestNumber);
    // Deleted or moved away, and nothing in its place yet.
    if (live === null && unread.length === 0) return false;
    const firstUnread = unread[0];
    if (this.fd >= 0 && firstUnread !== undefined) {
      // A file that is gone had the next number, if it was sealed; it has been read.
      const expected = this.highestNumber + (again ? 2 : 1);
      this.missedSegments += Math.max(0, firstUnread.number - expected);
    }
    for (const { path, number } of unread) this.waiting.push({ path, number, again });
    const first = this.waiting.shift();
    if (first !== undefined) return this.open(first.path, first.again, first.number);
    return this.open(join(this.logDir, liveName(this.hash)), again, null);
  }

  private hasWholeLine(): boolean {
    const { size } = fstatSync(this.fd);
    return size > this.offset && wholeLinesEnd(this.fd, size) > this.offset;
  }

  private open(path: string, again: boolean, number: number | null): boolean {
    try {
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      const fd = asOwner(this.owner, () => openSync(path, flags));
      const { size } = fstatSync(fd);
      const known = Number.isFinite(this.lastMs);
      this.close();
      this.use(fd, 0);
      // Known lines may go on in the next file: what a copy lacks is carried over into as many as it takes.
      if ((again || this.sifting) && known) this.sift(fd, size);
      else this.sifting = false;
      if (number !== null) this.highestNumber = Math.max(this.highestNumber, number);
      return true;
    } catch {
      // The live file was sealed since: the next look tells. A segment is gone for good.
      if (number !== null) this.missedSegments++;
      return this.waiting.length > 0;
    }
  }

  /** The file may hold lines that were read from another one: goes to where new ones can begin. */
  private sift(fd: number, sizeBytes: number): void {
    const end = wholeLinesEnd(fd, sizeBytes);
    this.offset = Number.isFinite(this.lastMs) ? (firstLineAt(fd, end, this.lastMs)?.start ?? end) : 0;
    this.sifting = true;
  }

  private use(fd: number, offset: number): void {
    const { ino, dev } = fstatSync(fd);
    this.fd = fd;
    this.ino = ino;
    this.dev = dev;
    this.offset = offset;
  }

  private segments(): { path: string; number: number; ino: number; dev: number }[] {
    const segments = listLog(this.logDir, this.hash, this.owner)?.segments ?? [];
    return segments.flatMap(({ name, number, packing }) => {
      if (number === null || packing !== null) return [];
      const path = join(this.logDir, name);
      const stat = this.look(path);
      return stat === null ? [] : [{ path, number, ino: stat.ino, dev: stat.dev }];
    });
  }

  private look(path: string): { ino: number; dev: number; size: number } | null {
    try {
      return asOwner(this.owner, () => statSync(path, { throwIfNoEntry: false })) ?? null;
    } catch {
      return null;
    }
  }
}
