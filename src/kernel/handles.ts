// File handles: the kernel's names for objects, which outlive renames. A handle here is the record {u32
// bytes, s32 type, data}, byte for byte what stands in a fanotify record from its offset 12 on.
// open_by_handle_at(2).
import { HANDLE_RECORD_MAX_BYTES } from "./abi.ts";
import { cPath, helper } from "./helper.ts";
import { checked } from "./syscall.ts";

const AT_FDCWD = -100;
/** PATH_MAX; readlink on /proc/self/fd cannot give more. */
const PATH_MAX_BYTES = 4096;
const NAME_MAX_BYTES = 255;

export interface FilesystemIdentity {
  /** f_type of statfs(2): EXT4_SUPER_MAGIC and the like (linux/magic.h). */
  magic: number;
  /** f_fsid's two halves, which every fanotify record carries. */
  fsidLow: number;
  fsidHigh: number;
}

/** Of what a descriptor refers to. @throws {SyscallError} */
export function identityOfDescriptor(fd: number): FilesystemIdentity {
  return filesystemIdentity(`/proc/self/fd/${fd}`);
}

/** @throws {SyscallError} ENOENT, EACCES … */
export function filesystemIdentity(path: string): FilesystemIdentity {
  const out = new Uint32Array(3);
  checked("statfs", helper().fh_statfs(cPath(path), out, out.length), path);
  return { magic: out[0]!, fsidLow: out[1]!, fsidHigh: out[2]! };
}

const handleBuffer = new Uint8Array(HANDLE_RECORD_MAX_BYTES);

/**
 * The handle of what path names now, a final symlink itself rather than its target.
 *
 * @param directoryFd what a relative path starts from
 * @returns a copy, or the negative errno: ENOENT, EOPNOTSUPP on filesystems that have no handles
 */
export function handleOf(path: string | Uint8Array, directoryFd = AT_FDCWD): Uint8Array | number {
  const length = helper().fh_handle(directoryFd, cPath(path), 0, handleBuffer, handleBuffer.length);
  return length < 0 ? length : handleBuffer.slice(0, length);
}

const pathBuffer = Buffer.alloc(PATH_MAX_BYTES);
/** What /proc appends to a directory that was removed but is still held open by somebody. */
const DELETED = Buffer.from(" (deleted)");

/**
 * Where the directory with this handle is now, as seen through mountFd's mount.
 *
 * @param mountFd the root of that mount; through a private copy of it the path begins there, at "/"
 * @returns the path's bytes (a copy), or null when it is gone or lies outside that mount's tree
 */
export function pathOfHandle(mountFd: number, handle: Uint8Array): Uint8Array | null {
  const length = helper().fh_handle_path(mountFd, handle, handle.length, pathBuffer, pathBuffer.length);
  if (length <= 0) return null;
  const path = pathBuffer.subarray(0, length);
  // A directory whose name really ends so is mistaken for a removed one: its later events resolve by the scan
  // instead.
  if (path.subarray(-DELETED.length).equals(DELETED)) return null;
  return Uint8Array.from(path);
}

/** The entry that a directory is: in which directory (its handle record), and under which name. */
export interface DirectoryEntry {
  readonly parent: Uint8Array;
  readonly name: Uint8Array;
}

const placeBuffer = new Uint8Array(HANDLE_RECORD_MAX_BYTES + NAME_MAX_BYTES);

/**
 * Where the directory with this handle is now. Whatever brought it there is in the event queue when this returns.
 *
 * @param mountFd the root of a mount
 * @returns null for that root itself; or the negative errno: ESTALE when it is gone, ENOENT when it is just being moved or removed,
 *   EXDEV when it lies outside what that mount shows
 */
export function placeOfHandle(mountFd: number, handle: Uint8Array): DirectoryEntry | null | number {
  const length = helper().fh_handle_place(mountFd, handle, handle.length, placeBuffer, placeBuffer.length);
  if (length < 0) return length;
  if (length === 0) return null;
  const parentBytes = 8 + placeBuffer[0]!;
  return { parent: placeBuffer.slice(0, parentBytes), name: placeBuffer.slice(parentBytes, length) };
}

/**
 * The handle of the directory that an entry of another one is now. Whatever brought it there is in the event queue when this returns.
 *
 * @param mountFd the root of a mount
 * @returns a copy; null when no directory has that name there
 */
export function childOfHandle(mountFd: number, handle: Uint8Array, name: Uint8Array): Uint8Array | null {
  const child = helper().fh_handle_child(
    mountFd,
    handle,
    handle.length,
    cPath(name),
    handleBuffer,
    handleBuffer.length,
  );
  return child <= 0 ? null : handleBuffer.slice(0, child);
}

/**
 * Whatever is being done to the entries of this directory at this moment is in the event queue as a whole when this returns, and at
 * once if the directory is gone: nothing is being done to it then.
 *
 * @param mountFd the root of a mount
 */
export function awaitChanges(mountFd: number, handle: Uint8Array): void {
  helper().fh_handle_await(mountFd, handle, handle.length);
}

export interface ObjectTimes {
  /** Milliseconds since 1970; NaN where the filesystem doesn't keep it. */
  bornMs: number;
  writtenMs: number;
  changedMs: number;
  sizeBytes: number;
  directory: boolean;
  /** A file, as opposed to a symlink, a fifo … */
  regular: boolean;
}

const times = new Float64Array(4);
/** S_IFMT's values (linux/stat.h). */
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;

/** Of what path names, a final symlink itself; null where nothing is there, or can't be asked. */
export function timesOf(path: string | Uint8Array): ObjectTimes | null {
  return asTimes(helper().fh_times(cPath(path), times, times.length));
}

/** Of the object with this handle, whatever it is called by now; null when it is gone. */
export function timesOfHandle(mountFd: number, handle: Uint8Array): ObjectTimes | null {
  return asTimes(helper().fh_handle_times(mountFd, handle, handle.length, times, times.length));
}

function asTimes(type: number): ObjectTimes | null {
  if (type < 0) return null;
  return {
    bornMs: times[0]!,
    writtenMs: times[1]!,
    changedMs: times[2]!,
    sizeBytes: times[3]!,
    directory: type === S_IFDIR,
    regular: type === S_IFREG,
  };
}
