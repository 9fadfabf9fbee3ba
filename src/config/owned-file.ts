// Small files that belong to the person the daemon works for: read whole, replaced whole.
// Every open, mkdir and rename happens with the owner's filesystem identity, so that a link or a directory exchanged at
// the wrong moment gives root's rights to nobody. Never waits for a FIFO, never reads a device, never half-writes a file.
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { causeOf, errorCode, Failure } from "../failure.ts";
import { asOwner, type Identity } from "../kernel/identity.ts";

/** A config or a store of some paths fits. */
const FIRST_READ_BYTES = 4096;

/** `what` names the file in messages: "config file". */
export interface OwnedFile {
  readonly what: string;
  readonly file: string;
  readonly owner: Identity;
}

export interface ReadLimits {
  readonly maxBytes: number;
  /** False refuses a symlink as the last component; the directories above may always be links. */
  readonly followLink: boolean;
}

/**
 * Reads a whole file.
 *
 * @returns null when there is no such file
 * @throws {Failure} when it can't be opened, is no regular file, or holds more than maxBytes
 */
export function readOwnedFile(target: OwnedFile, limits: ReadLimits): Buffer | null {
  const { what, file, owner } = target;
  return asOwner(owner, () => {
    // O_NONBLOCK: opening a FIFO would wait for its other end.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
    let fd: number;
    try {
      fd = openSync(file, limits.followLink ? flags : flags | constants.O_NOFOLLOW);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return null;
      throw fileFailure(`Cannot read the ${what} "${file}"`, error, target);
    }
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile()) throw notAFile(`Cannot read the ${what} "${file}"`, stats);
      return readWhole(fd, target, limits.maxBytes);
    } finally {
      closeSync(fd);
    }
  });
}

function readWhole(fd: number, { what, file }: OwnedFile, maxBytes: number): Buffer {
  // Grows as needed: every 64 KiB that a short command allocates brings the collector (1 ms) nearer.
  let bytes = Buffer.allocUnsafe(FIRST_READ_BYTES);
  let have = 0;
  // Up to the end and not up to the size: it may grow meanwhile, and in /proc the size is 0.
  for (;;) {
    const got = readSync(fd, bytes, have, bytes.length - have, null);
    if (got === 0) return bytes.subarray(0, have);
    have += got;
    if (have > maxBytes) {
      throw new Failure(
        `Cannot read the ${what} "${file}": it has more than ${maxBytes} bytes`,
        "this is not a file that fsmon wrote: move it away",
      );
    }
    if (have === bytes.length) bytes = Buffer.concat([bytes], 2 * have);
  }
}

/**
 * Replaces a file, or makes it, with mode 0600: a reader sees the old content or the new, and a crash leaves one of them.
 * A symlink in its place is replaced, not followed.
 *
 * @param place what puts the finished temporary file into its place; renameSync unless an existing file must stay
 * @throws {Failure} when any step fails; the old file is untouched then
 */
export function writeOwnedFile(
  target: OwnedFile,
  content: string | Uint8Array,
  place: (temporary: string, file: string) => void = renameSync,
): void {
  const { what, file, owner } = target;
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  // Not node:crypto's randomBytes(): its import loads the streams of Node, 1.4 MB of the daemon's memory.
  const temporary = `${file}.${process.pid}-${crypto.randomUUID().slice(0, 8)}.tmp`;
  asOwner(owner, () => {
    try {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      const fd = openSync(temporary, flags, 0o600);
      try {
        writeWhole(fd, bytes);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      place(temporary, file);
    } catch (error) {
      removeIfThere(temporary);
      if (error instanceof Failure) throw error;
      throw fileFailure(`Cannot write the ${what} "${file}"`, error, target);
    }
    syncDirectory(dirname(file));
  });
}

function writeWhole(fd: number, bytes: Uint8Array): void {
  // A write to a nearly full disk may be short; the next one then says why.
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
}

/** Makes the rename last. Some filesystems (FUSE, vfat) can't sync a directory, and the file is in its place all the same. */
function syncDirectory(directory: string): void {
  try {
    const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {}
}

export function removeIfThere(file: string): void {
  try {
    unlinkSync(file);
  } catch {}
}

/**
 * Makes the directory of the file and what is missing above it, mode 0700, as the owner.
 *
 * @throws {Failure} when one can't be made
 */
export function makeDirectoryFor(target: OwnedFile): void {
  const directory = dirname(target.file);
  try {
    asOwner(target.owner, () => mkdirSync(directory, { recursive: true, mode: 0o700 }));
  } catch (error) {
    throw fileFailure(`Cannot make the directory "${directory}" for the ${target.what}`, error, target);
  }
}

const REASONS: Readonly<Record<string, [reason: string, hint: string]>> = {
  EACCES: ["permission denied", "check the owner and mode of it and of the directories above"],
  EPERM: ["permission denied", "check the owner and mode of it and of the directories above"],
  ELOOP: ["it is a symbolic link", "put the file itself there, or name another place in the config"],
  ENOTDIR: ["something above it is not a directory", "move what is in the way"],
  EEXIST: ["something else stands in the way", "move it away"],
  EISDIR: ["it is a directory", "move the directory away"],
  ENXIO: ["it is no regular file", "move it away"],
  ENODEV: ["it is no regular file", "move it away"],
  ENOSPC: ["the disk is full", "free some space"],
  EDQUOT: ["the disk quota is used up", "free some space"],
  EROFS: ["the filesystem is read-only", "remount it, or name another place in the config"],
  ENAMETOOLONG: ["the name is too long", "name a shorter place in the config"],
};

/** The failure of one step on an owned file; whatever is no file error (a bug, a kernel refusal) passes unchanged. */
export function fileFailure(action: string, error: unknown, { owner }: Pick<OwnedFile, "owner">): unknown {
  const code = errorCode(error);
  if (error instanceof Failure || code === "" || !/^E[A-Z0-9]+$/.test(code)) return error;
  const [reason, hint] = REASONS[code] ?? [causeOf(error), null];
  const asWhom = code === "EACCES" || code === "EPERM" ? ` for user ${owner.uid}` : "";
  return new Failure(`${action}: ${reason}${asWhom}`, hint);
}

export function notAFile(action: string, stats: Stats): Failure {
  const kind = stats.isDirectory()
    ? "a directory"
    : stats.isFIFO()
      ? "a FIFO"
      : stats.isSocket()
        ? "a socket"
        : stats.isSymbolicLink()
          ? "a symbolic link"
          : "a device";
  return new Failure(`${action}: it is ${kind}, not a regular file`, "move it away");
}
