// What the helper's scan of a directory returns → subdirectories. The other side is fh_scan in c/fanhelp.c.
import { DecodeError } from "./error.ts";

const HEADER_BYTES = 16;
const FLAG_MOUNTED = 1;
const FLAG_NO_DIRECTORY = 2;

/**
 * Calls `each` for every entry in bytes[0, length): {u32 record_len, u32 flags, u32 bytes, s32 type,
 * data, name, NUL, padding}.
 *
 * @param each gets the offsets of the handle {u32 bytes, s32 type, data} and of the name in `bytes`, and
 *   whether another filesystem is mounted there, and whether it is a directory: what is none has no handle (its
 *   length is 8, without data)
 * @throws {DecodeError} when a record runs past the end
 */
export function decodeScan(
  bytes: Buffer,
  length: number,
  each: (
    handleAt: number,
    handleBytes: number,
    nameAt: number,
    nameBytes: number,
    mounted: boolean,
    directory: boolean,
  ) => void,
): void {
  let at = 0;
  while (at < length) {
    const available = length - at;
    const size = available >= HEADER_BYTES ? bytes.readUInt32LE(at) : HEADER_BYTES;
    if (size < HEADER_BYTES || size > available) throw new DecodeError("scan record", at, size, available);
    const handleBytes = 8 + bytes.readUInt32LE(at + 8);
    const nameAt = at + 8 + handleBytes;
    const nameEnd = nameAt >= at + size ? -1 : bytes.indexOf(0, nameAt);
    if (nameEnd < 0 || nameEnd >= at + size)
      throw new DecodeError("scan record's name", nameAt, size, available);
    const flags = bytes.readUInt32LE(at + 4);
    const mounted = (flags & FLAG_MOUNTED) !== 0;
    each(at + 8, handleBytes, nameAt, nameEnd - nameAt, mounted, (flags & FLAG_NO_DIRECTORY) === 0);
    at += size;
  }
}
