// Opens the files of a log as the person they belong to, so that root can be led nowhere the person could not go alone.
// A name goes in, a descriptor of a regular file of theirs comes out. Never follows a link, never blocks on a FIFO, never
// empties a file.
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  type Stats,
  unlinkSync,
} from "node:fs";
import { causeOf, errorCode, Failure } from "../failure.ts";
import { asOwner, type Identity } from "../kernel/identity.ts";

/** Linux's value on every platform that we run on; node:fs has no name for it. */
const O_CLOEXEC = 0o2000000;
const SAFELY = constants.O_NOFOLLOW | constants.O_NONBLOCK | O_CLOEXEC;

/** Makes the directory and its missing parents, 0700, as the owner. */
export function makeLogDir(logDir: string, owner: Identity): void {
  try {
    asOwner(owner, () => mkdirSync(logDir, { recursive: true, mode: 0o700 }));
  } catch (error) {
    throw new Failure(
      `Cannot make the log directory "${logDir}": ${causeOf(error)}`,
      "set [logging] dir in the config to a directory that you may write to",
    );
  }
}

export interface OpenedLog {
  fd: number;
  stat: Stats;
  /** The file belongs to somebody else because its filesystem keeps no owners (vfat, some network filesystems). */
  ownerless: boolean;
}

/**
 * Opens a file for reading and appending, and makes it (0600) if it isn't there.
 *
 * @throws {Failure} when the name is a link, is no regular file, or belongs to somebody else
 * @throws system errors (ENOSPC, EROFS, EACCES …) as they are
 */
export function openForAppend(path: string, owner: Identity): OpenedLog {
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | SAFELY;
  return openChecked(path, owner, flags);
}

/** Like openForAppend(), for a file that is overwritten in place. */
export function openForUpdate(path: string, owner: Identity): OpenedLog {
  return openChecked(path, owner, constants.O_RDWR | constants.O_CREAT | SAFELY);
}

/** Opens an existing file for reading, with the owner's rights. Same errors as openForAppend(); ENOENT as it is. */
export function openForReading(path: string, owner: Identity): OpenedLog {
  return openChecked(path, owner, constants.O_RDONLY | SAFELY);
}

/** What the work makes of an existing file; null where it can't be opened for reading: gone, or not the owner's. */
export function whileOpen<T>(path: string, owner: Identity, work: (opened: OpenedLog) => T): T | null {
  let opened: OpenedLog;
  try {
    opened = openForReading(path, owner);
  } catch {
    return null;
  }
  try {
    return work(opened);
  } finally {
    closeQuietly(opened.fd);
  }
}

function openChecked(path: string, owner: Identity, flags: number): OpenedLog {
  let fd: number;
  try {
    fd = asOwner(owner, () => openSync(path, flags, 0o600));
  } catch (error) {
    if (errorCode(error) === "ELOOP") throw new Failure(`"${path}" is a symbolic link`, hintFor(path));
    if (errorCode(error) === "EISDIR") throw new Failure(`"${path}" is a directory`, hintFor(path));
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Failure(`"${path}" is not a regular file`, hintFor(path));
    let ownerless = false;
    if (process.geteuid?.() === 0 && stat.uid !== owner.uid) {
      ownerless = keepsNoOwners(path, owner);
      if (!ownerless) {
        throw new Failure(`"${path}" belongs to user ${stat.uid}, not to user ${owner.uid}`, hintFor(path));
      }
    }
    return { fd, stat, ownerless };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function hintFor(path: string): string {
  return `move it away: mv "${path}" "${path}.old"`;
}

/** A filesystem without owners gives even a file that the owner makes this moment to somebody else. */
function keepsNoOwners(path: string, owner: Identity): boolean {
  const probe = `${path}.probe`;
  return asOwner(owner, () => {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | SAFELY;
    let fd: number;
    try {
      fd = openSync(probe, flags, 0o600);
    } catch {
      return false;
    }
    try {
      return fstatSync(fd).uid !== owner.uid;
    } finally {
      closeSync(fd);
      unlinkSync(probe);
    }
  });
}

/**
 * What the name stands for at this moment; undefined when there is nothing. Hot: once a batch.
 *
 * Looking changes nothing and follows no link, so root may look as root (0.7 µs; the owner's identity costs 7) wherever the
 * filesystem lets it.
 */
export function lookAt(path: string, owner: Identity): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    // Network and FUSE filesystems may refuse root what they allow the owner.
    return asOwner(owner, () => lstatSync(path, { throwIfNoEntry: false }));
  }
}

/** Exact where `stat.ino` isn't: some filesystems use all 64 bits. */
export function isSameFile(fd: number, path: string, owner: Identity): boolean {
  const held = fstatSync(fd, { bigint: true });
  const named = asOwner(owner, () => lstatSync(path, { bigint: true, throwIfNoEntry: false }));
  return named !== undefined && named.dev === held.dev && named.ino === held.ino;
}

/** Flushes nothing and fails never: for descriptors that are given up. */
export function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // EIO at close: the data were given up or written already, and there is nobody left to tell.
  }
}
