// One daemon to a log directory, and how long it lived: a lock file whose mtime is the daemon's heartbeat, so that after a
// crash the GAP begins when the recording really ended, and a clean stop is told from a crash.
// The file is the owner's; root trusts nothing in it but times, which at worst make a GAP too long or too short.
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  futimesSync,
  openSync,
  readFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { causeOf, errorCode, Failure } from "../failure.ts";
import { asOwner, type Identity } from "../kernel/identity.ts";
import { lockIfPossible } from "../kernel/lock.ts";
import { parseObject, stringifySafely } from "./json-text.ts";
import { closeQuietly, isSameFile, makeLogDir, openForUpdate } from "./open.ts";
import { type OwedGaps, owedFields, parseOwed } from "./owed.ts";
import { readRange } from "./tail.ts";
import { formatTime, parseTime } from "./time.ts";

export interface PreviousRun {
  kind: "none" | "stopped" | "crashed";
  /**
   * Until when everything was recorded and is on the disk; null for `none`. At most HEARTBEAT_MS too early after a crash of the
   * daemon, and WRITEBACK_MS more where the machine went down with it.
   */
  endedMs: number | null;
  /** When it began; null where that isn't known. */
  startedMs: number | null;
  /** What it could not write into its logs any more; known after a clean stop only. */
  owed: OwedGaps;
}

export const LOCK_NAME = "daemon.lock";
/** How far `gap_from` may lie before the real end of a crashed daemon; a touch of an inode every 10 s costs nothing. */
const HEARTBEAT_MS = 10_000;
/**
 * What the kernel may have had in memory when the machine went down: lines of the last 30 s (vm.dirty_expire_centisecs), and time to
 * write them. The lock file's times reach the disk sooner than the lines of the logs do.
 */
export const WRITEBACK_MS = 60_000;
const BOOT_ID = "/proc/sys/kernel/random/boot_id";
/** `fsmon clean` without a daemon holds the lock while it renames a few files. */
const TAKE_WAIT_MS = 3000;
const LOOK_ONLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** More than we ever write there: a path of 4,095 bytes, each of them escaped. */
const CONTENT_MAX_BYTES = 32 * 1024;
/** One block of most filesystems: room for what some 20 logs are owed, and for the reason whatever its characters take when escaped. */
const PADDED_BYTES = 4096;
const REASON_MAX_CHARACTERS = 300;

export class Lifetime {
  private readonly path: string;
  private readonly logDir: string;
  private readonly owner: Identity;
  private fd: number;
  private readonly previous: PreviousRun;
  private readonly startedMs: number;
  private readonly managedFile: string | null;
  /** What stood there when this daemon came. */
  private readonly before: { content: Buffer; mtimeMs: number };
  private beatAtMs = Number.NEGATIVE_INFINITY;
  /** Until when everything is known to be recorded: the end of the run before, as long as this one hasn't had its first beat. */
  private recordedMs: number;
  private uncontrollable: string | null = null;
  /** The disk had no room for what the file has to tell. */
  private unwritten = false;

  /**
   * Takes the log directory for this daemon (and makes it where it is missing).
   *
   * @param managedFile the store, for whoever reads the logs and has another in the config
   * @throws {Failure} when another daemon has it, or the lock file can't be made
   */
  constructor(logDir: string, owner: Identity, nowMs: number, managedFile: string | null = null) {
    makeLogDir(logDir, owner);
    const path = join(logDir, LOCK_NAME);
    this.path = path;
    this.logDir = logDir;
    this.owner = owner;
    this.managedFile = managedFile;
    try {
      this.fd = openForUpdate(path, owner).fd;
    } catch (error) {
      if (error instanceof Failure) throw error;
      throw new Failure(
        `Cannot open "${path}": ${causeOf(error)}`,
        "check the directory and the disk, or set [logging] dir in the config",
      );
    }
    // Some network filesystems know no locks: one daemon a directory is then the administrator's promise.
    if (!lockIfPossible(this.fd, TAKE_WAIT_MS)) {
      closeQuietly(this.fd);
      throw new Failure(
        `Another fsmon daemon already writes to "${logDir}"`,
        "stop it first, or give this one another [logging] dir",
      );
    }
    this.startedMs = nowMs;
    const { size, mtimeMs } = fstatSync(this.fd);
    this.before = { content: readRange(this.fd, 0, Math.min(size, CONTENT_MAX_BYTES)), mtimeMs };
    this.previous = readPrevious(this.before.content, mtimeMs);
    this.recordedMs = this.previous.endedMs ?? nowMs;
    this.writeIfRoom();
    this.tellRecorded();
  }

  previousLife(): PreviousRun {
    return this.previous;
  }

  /** Says that everything up to now was recorded and written. Call it as often as you like; it acts every ten seconds. Never throws. */
  beat(nowMs: number): void {
    // The clock may have been set back: then the old beat lies in the future and would hold off the new ones.
    if (Math.abs(nowMs - this.beatAtMs) < HEARTBEAT_MS) return;
    this.beatAtMs = nowMs;
    this.recordedMs = nowMs;
    try {
      this.reclaim();
      if (this.unwritten) this.writeIfRoom();
    } catch {
      // As in tellRecorded().
    }
    this.tellRecorded();
  }

  private tellRecorded(): void {
    try {
      futimesSync(this.fd, this.recordedMs / 1000, this.recordedMs / 1000);
    } catch {
      // A read-only or broken disk: the logs themselves say so.
    }
  }

  /**
   * Writes down why nobody can ask the daemon anything, or that it can be asked again (null): who finds no socket reads it here.
   * Never throws.
   */
  tellControl(uncontrollable: string | null): void {
    this.uncontrollable = uncontrollable;
    try {
      this.write(null);
    } catch {
      // A read-only or broken disk: the daemon has said it on stderr too.
    }
    // Writing is no heartbeat.
    this.tellRecorded();
  }

  /**
   * The daemon stops in good order, and gives the directory back.
   *
   * @param recordedUntilMs now, or since when a log is incomplete
   * @param owed what logs lack
   */
  stop(recordedUntilMs: number, owed: OwedGaps = new Map()): void {
    try {
      this.write(recordedUntilMs, owed);
    } catch {
      // Then the next start takes it for a crash, and the GAP begins at the last heartbeat: true all the same.
    }
    closeSync(this.fd);
  }

  /** The daemon can't start after all: what the lock file told of the run before it tells again. */
  abandon(): void {
    try {
      const { content, mtimeMs } = this.before;
      if (content.length > 0) writeSync(this.fd, content, 0, content.length, 0);
      ftruncateSync(this.fd, content.length);
      futimesSync(this.fd, mtimeMs / 1000, mtimeMs / 1000);
    } catch {
      // The disk is full or broken: the next start then takes this for a crash.
    }
    closeSync(this.fd);
  }

  /** Somebody has removed the lock file, or the whole directory: it is made again, or a second daemon could write to it. */
  private reclaim(): void {
    if (isSameFile(this.fd, this.path, this.owner)) return;
    makeLogDir(this.logDir, this.owner);
    const { fd } = openForUpdate(this.path, this.owner);
    if (!lockIfPossible(fd, 0)) {
      // A second one was quicker; or a clean looks, and the next beat has it.
      closeQuietly(fd);
      return;
    }
    closeQuietly(this.fd);
    this.fd = fd;
    this.writeIfRoom();
  }

  /** A disk that is full keeps nobody from recording: the lock holds, and each beat tries again. */
  private writeIfRoom(): void {
    this.unwritten = false;
    try {
      this.write(null);
    } catch (error) {
      if (!["ENOSPC", "EDQUOT"].includes(errorCode(error))) throw error;
      this.unwritten = true;
    }
  }

  /** Overwrites in place, padded to one length: on a full disk that needs no further block. */
  private write(cleanStopMs: number | null, owed: OwedGaps = new Map()): void {
    const content: Record<string, unknown> = {
      pid: process.pid,
      started: formatTime(this.startedMs),
      managed_file: this.managedFile,
      clean_stop: cleanStopMs === null ? null : formatTime(cleanStopMs),
      uncontrollable:
        cleanStopMs === null ? (this.uncontrollable?.slice(0, REASON_MAX_CHARACTERS) ?? null) : null,
      boot: bootId(),
    };
    if (owed.size > 0) {
      content.owed = owedFields(owed, PADDED_BYTES - Buffer.byteLength(stringifySafely(content)));
    }
    const bytes = Buffer.from(`${stringifySafely(content).padEnd(PADDED_BYTES - 1)}\n`);
    writeSync(this.fd, bytes, 0, bytes.length, 0);
    if (fstatSync(this.fd).size > bytes.length) ftruncateSync(this.fd, bytes.length);
  }
}

/** What the lock of a directory tells of the daemon that has it. */
export interface RunningDaemon {
  pid: number;
  startedMs: number;
  /** HEARTBEAT_MS old at most, as long as it is well. */
  lastBeatMs: number;
  managedFile: string | null;
  /** In its own words, why nobody can reach it by its socket; null where somebody can, as far as it knows. */
  uncontrollable: string | null;
}

/**
 * The daemon that writes to a directory, known by its lock, whether or not it answers.
 *
 * @returns null when none does
 */
export function runningDaemon(logDir: string, owner: Identity): RunningDaemon | null {
  if (withoutDaemon(logDir, owner, () => true) !== null) return null;
  const fd = asOwner(owner, () => openSync(join(logDir, LOCK_NAME), LOOK_ONLY));
  try {
    const { size, mtimeMs } = fstatSync(fd);
    const content = readRange(fd, 0, Math.min(size, CONTENT_MAX_BYTES));
    const { pid, started, uncontrollable, managed_file } = fieldsOf(content);
    return {
      pid: Number(pid),
      startedMs: parseTime(String(started)),
      lastBeatMs: Math.floor(mtimeMs),
      managedFile: typeof managed_file === "string" ? managed_file : null,
      uncontrollable: typeof uncontrollable === "string" ? uncontrollable : null,
    };
  } finally {
    closeQuietly(fd);
  }
}

/**
 * Runs work while no daemon can start on the directory.
 *
 * @returns what the work returned; null when a daemon is running there
 */
export function withoutDaemon<T>(logDir: string, owner: Identity, work: () => T): T | null {
  const path = join(logDir, LOCK_NAME);
  let fd: number;
  try {
    // Not through openForUpdate(): a look must not make a file that then speaks of a daemon's life.
    fd = asOwner(owner, () => openSync(path, LOOK_ONLY));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return work();
    throw error;
  }
  try {
    return lockIfPossible(fd, 0) ? work() : null;
  } finally {
    closeQuietly(fd);
  }
}

/**
 * Until when the daemon that had the directory last was recording, for whoever reads its logs.
 *
 * @returns null while one is running, and when none has ever been
 */
export function recordedUntil(logDir: string, owner: Identity): number | null {
  return withoutDaemon(logDir, owner, () => {
    try {
      const fd = asOwner(owner, () => openSync(join(logDir, LOCK_NAME), LOOK_ONLY));
      try {
        const { size, mtimeMs } = fstatSync(fd);
        return readPrevious(readRange(fd, 0, Math.min(size, CONTENT_MAX_BYTES)), mtimeMs).endedMs;
      } finally {
        closeQuietly(fd);
      }
    } catch {
      return null;
    }
  });
}

function readPrevious(content: Buffer, mtimeMs: number): PreviousRun {
  if (content.length === 0) return { kind: "none", endedMs: null, startedMs: null, owed: new Map() };
  const { clean_stop, started, boot, ...fields } = fieldsOf(content);
  const sinceMs = parseTime(String(started));
  const startedMs = Number.isNaN(sinceMs) ? null : sinceMs;
  // Without an id on either side the machine may have gone down: better a GAP that is too long.
  const unwrittenMs = boot === bootId() && boot !== null ? 0 : WRITEBACK_MS;
  const owed = parseOwed(fields.owed, unwrittenMs);
  const cleanStopMs = parseTime(String(clean_stop));
  if (!Number.isNaN(cleanStopMs)) {
    return { kind: "stopped", endedMs: cleanStopMs - unwrittenMs, startedMs, owed };
  }
  return { kind: "crashed", endedMs: Math.floor(mtimeMs) - unwrittenMs, startedMs, owed };
}

/** Another one after each start of the machine; null where it can't be read. */
function bootId(): string | null {
  try {
    return readFileSync(BOOT_ID, "latin1").trim();
  } catch {
    return null;
  }
}

function fieldsOf(content: Buffer): Record<string, unknown> {
  return parseObject(content.toString("utf8")) ?? {};
}
