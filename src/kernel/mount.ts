// Ways into a mounted filesystem that don't keep it from being unmounted. Paths and handles go in, descriptors come
// out, which the caller closes soon: until then the filesystem itself, though not its mount, stays in use.
// open_tree(2), fsopen(2), openat(2).
import { cPath, helper } from "./helper.ts";

export interface OpenMount {
  /** The mount's root directory, good for open_by_handle_at and as a base for names. */
  fd: number;
  /**
   * A private copy: names read from it see what other mounts cover, paths asked through it begin at the mount. False
   * where the kernel refuses copies (open_tree is 5.2; unbindable mounts): then it is the mount itself.
   */
  isCopy: boolean;
  /** "MAJOR:MINOR", as /proc/self/mountinfo has it. */
  device: string;
}

const out = new Uint32Array(3);

/** Opens the root of what is mounted at path, or returns -errno. */
export function openMount(path: string): OpenMount | number {
  const fd = helper().fh_mount_open(cPath(path), out);
  return fd < 0 ? fd : { fd, isCopy: out[0] !== 0, device: `${out[1]}:${out[2]}` };
}

/**
 * Opens the top level of the btrfs on a device, by a mount that appears nowhere: a mounted subvolume isn't enough to
 * mark the whole.
 *
 * @param readOnly as the filesystem is now: asked otherwise, the kernel would change that
 * @returns a descriptor, or -errno
 */
export function openBtrfsTop(device: string, readOnly: boolean): number {
  return helper().fh_btrfs_top(cPath(device), readOnly ? 1 : 0);
}

/**
 * Opens the directory at path below base, if it is the one with this handle.
 *
 * @param path relative; empty for base itself
 * @returns a descriptor, or -errno: ESTALE when another directory stands there
 */
export function openDirectory(base: number, path: Uint8Array, handle: Uint8Array): number {
  return helper().fh_directory_open(base, cPath(path), handle, handle.length);
}
