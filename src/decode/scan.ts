// What the helper's scan of a directory returns → its entries. The other side is fh_scan in c/fanhelp.c.
import { DecodeError } from "./error.ts";

/** {u32 record_len, u32 flags}. */
const HEADER_BYTES = 8;
/** {f64 born, written, changed, size} of a record with FLAG_TIMED. */
const TIMES_BYTES = 32;
/** {u32 bytes, s32 type} in front of a handle's data. */
const HANDLE_HEAD_BYTES = 8;
const FLAG_MOUNTED = 1;
const FLAG_NO_DIRECTORY = 2;
const FLAG_TIMED = 4;
const FLAG_REGULAR = 8;

/** One entry; the same object for all of a scan, which allocates nothing for a million of them. */
export class ScanEntry {
  /** Offset of the handle {u32 bytes, s32 type, data}; what is no directory has none (8 bytes, without data). */
  handleAt = 0;
  handleBytes = 0;
  nameAt = 0;
  nameBytes = 0;
  /** Another filesystem is mounted there. */
  mounted = false;
  directory = false;
  /** A file, as opposed to a symlink, a fifo … Known of timed entries only, as is what follows. */
  regular = false;
  timed = false;
  /** Milliseconds since 1970; NaN where the filesystem doesn't keep it. */
  bornMs = Number.NaN;
  writtenMs = Number.NaN;
  changedMs = Number.NaN;
  sizeBytes = 0;
}

/**
 * Hot. Calls `each` for every entry in bytes[0, length).
 *
 * @param entry is filled anew for each call
 * @throws {DecodeError} when a record runs past the end
 */
export function decodeScan(bytes: Buffer, length: number, entry: ScanEntry, each: () => void): void {
  let at = 0;
  while (at < length) {
    const available = length - at;
    const least = HEADER_BYTES + HANDLE_HEAD_BYTES;
    const size = available >= least ? bytes.readUInt32LE(at) : least;
    if (size < least || size > available) throw new DecodeError("scan record", at, size, available);
    const flags = bytes.readUInt32LE(at + 4);
    const timed = (flags & FLAG_TIMED) !== 0;
    const handleAt = at + HEADER_BYTES + (timed ? TIMES_BYTES : 0);
    if (handleAt + HANDLE_HEAD_BYTES > at + size)
      throw new DecodeError("scan record's times", at, size, available);
    const handleBytes = HANDLE_HEAD_BYTES + bytes.readUInt32LE(handleAt);
    const nameAt = handleAt + handleBytes;
    const nameEnd = nameAt >= at + size ? -1 : bytes.indexOf(0, nameAt);
    if (nameEnd < 0 || nameEnd >= at + size)
      throw new DecodeError("scan record's name", nameAt, size, available);
    entry.handleAt = handleAt;
    entry.handleBytes = handleBytes;
    entry.nameAt = nameAt;
    entry.nameBytes = nameEnd - nameAt;
    entry.mounted = (flags & FLAG_MOUNTED) !== 0;
    entry.directory = (flags & FLAG_NO_DIRECTORY) === 0;
    entry.regular = (flags & FLAG_REGULAR) !== 0;
    entry.timed = timed;
    if (timed) {
      entry.bornMs = bytes.readDoubleLE(at + HEADER_BYTES);
      entry.writtenMs = bytes.readDoubleLE(at + HEADER_BYTES + 8);
      entry.changedMs = bytes.readDoubleLE(at + HEADER_BYTES + 16);
      entry.sizeBytes = bytes.readDoubleLE(at + HEADER_BYTES + 24);
    }
    each();
    at += size;
  }
}
