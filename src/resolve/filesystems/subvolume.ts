// Recognises the root of a btrfs subvolume by its handle: a snapshot appears with all that is in it, by one CREATE.
import type { Filesystem } from "./filesystem.ts";

/** BTRFS_FIRST_FREE_OBJECTID (linux/btrfs_tree.h): the inode number of every subvolume's root. */
const ROOT_INODE = 256;
/** struct btrfs_fid (fs/btrfs/export.h): u64 objectid, u64 root, u32 generation. */
const HANDLE_BYTES = 20;

/** @param at of the handle record {u32 bytes, s32 type, data} */
export function isSubvolume(fs: Filesystem, bytes: Uint8Array, at: number): boolean {
  if (fs.type !== "btrfs" || bytes[at] !== HANDLE_BYTES) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at + 8, 8);
  return view.getUint32(0, true) === ROOT_INODE && view.getUint32(4, true) === 0;
}
