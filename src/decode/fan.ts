// One read from a fanotify group → a table of events. Hot: no object per event, only offsets into the bytes
// that were read; they are valid until the next read into the same buffer. No I/O, no clock.
// linux/fanotify.h, fanotify(7).
import * as abi from "../kernel/abi.ts";
import { DecodeError } from "./error.ts";

/** Columns of one event's row. Offsets are -1 where the event carries no such record. */
export const MASK = 0;
/** Who did it: the kernel's number, or an alias in its place where that number means several (pipeline/reused.ts). */
export const PID = 1;
export const FSID_LOW = 2;
export const FSID_HIGH = 3;
/**
 * Directory: offset of its handle {u32 bytes, s32 type, data} and that record's length. For a rename the old
 * directory.
 */
export const DIR_AT = 4;
export const DIR_BYTES = 5;
/** Name in that directory; "." when the event is about the directory itself. */
export const NAME_AT = 6;
export const NAME_BYTES = 7;
/** The object's own handle. */
export const OBJECT_AT = 8;
export const OBJECT_BYTES = 9;
/** A rename's new directory and name. */
export const NEW_DIR_AT = 10;
export const NEW_DIR_BYTES = 11;
export const NEW_NAME_AT = 12;
export const NEW_NAME_BYTES = 13;
/** FS_ERROR: errno and how often it happened. */
export const ERROR = 14;
export const ERROR_COUNT = 15;
/** Type bits that the event gets besides its own: the resolver's (orphans.ts). 0 as decoded. */
export const EXTRA = 16;
/** Where the whole event stands in `bytes`, and its length. */
export const EVENT_AT = 17;
export const EVENT_BYTES = 18;
/** The kernel's number in any case: tells which events belong to one system call, whoever made it. */
export const NUMBER = 19;
export const COLUMNS = 20;

/** The events of one batch. Row i starts at rows[i * COLUMNS]. */
export class EventBatch {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
  /** Bytes of `bytes` that are filled. */
  usedBytes = 0;
  /** Bytes of the queue that came before this batch: tells places in the queue apart, whichever batch they are in. */
  startsAt = 0;
  rows: Int32Array;
  count = 0;

  /**
   * @param capacityBytes a multiple of 4; one event is at most 656 bytes (a rename with two 255-byte names on
   *   btrfs)
   */
  constructor(capacityBytes: number) {
    const memory = new ArrayBuffer(capacityBytes);
    this.bytes = Buffer.from(memory);
    this.words = new Uint32Array(memory);
    this.rows = new Int32Array(1024 * COLUMNS);
  }

  /** Empties it, for what comes behind it in the queue. */
  clear(): void {
    this.startsAt = this.endsAt;
    this.usedBytes = 0;
    this.count = 0;
  }

  /** An event's place in the queue. */
  placeOf(event: number): number {
    return this.startsAt + this.get(event, EVENT_AT);
  }

  /** The event at a place in the queue. */
  rowAt(place: number): number {
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.placeOf(middle) <= place) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The place behind its last event. */
  get endsAt(): number {
    return this.startsAt + this.usedBytes;
  }

  /** A copy of one event's bytes, as decodeFanEvents() takes them. */
  copyEvent(event: number): Uint8Array {
    const at = this.get(event, EVENT_AT);
    return Uint8Array.from(this.bytes.subarray(at, at + this.get(event, EVENT_BYTES)));
  }

  set(event: number, column: number, value: number): void {
    this.rows[event * COLUMNS + column] = value;
  }

  get(event: number, column: number): number {
    return this.rows[event * COLUMNS + column]!;
  }

  /** A new row with every record absent; its index in `rows`. */
  addRow(): number {
    const at = this.count * COLUMNS;
    if (at === this.rows.length) {
      const larger = new Int32Array(this.rows.length * 2);
      larger.set(this.rows);
      this.rows = larger;
    }
    this.rows.fill(-1, at, at + COLUMNS);
    this.rows[at + EXTRA] = 0;
    this.count++;
    return at;
  }
}

/**
 * Decodes bytes[from, to) of the batch's buffer, exactly what one read(2) returned, and appends the events in
 * kernel order.
 *
 * Everything is 4-byte aligned, no more (event lengths of 84, 92, 108 occur), so the 64-bit mask is read as
 * two words; its upper half has no bits yet. Info records of unknown type are passed over, unknown mask bits
 * survive.
 *
 * @throws {DecodeError} when a length is shorter than its header or runs past the end
 */
export function decodeFanEvents(batch: EventBatch, from: number, to: number): void {
  const words = batch.words;
  let at = from;
  while (at < to) {
    const available = to - at;
    if (available < abi.METADATA_BYTES) {
      throw new DecodeError("fanotify event", at, abi.METADATA_BYTES, available);
    }
    const length = words[at >> 2]!;
    const metadataBytes = words[(at + 4) >> 2]! >>> 16;
    if (
      length < metadataBytes ||
      metadataBytes < abi.METADATA_BYTES ||
      length > available ||
      length % 4 !== 0 ||
      metadataBytes % 4 !== 0
    ) {
      throw new DecodeError("fanotify event", at, length, available);
    }
    const row = batch.addRow();
    const rows = batch.rows;
    rows[row + MASK] = words[(at + abi.METADATA_MASK) >> 2]!;
    rows[row + PID] = words[(at + abi.METADATA_PID) >> 2]!;
    rows[row + NUMBER] = rows[row + PID]!;
    rows[row + EVENT_AT] = at;
    rows[row + EVENT_BYTES] = length;
    decodeInfo(batch, row, at + metadataBytes, at + length);
    if ((rows[row + MASK]! & abi.FAN_RENAME) !== 0) oneEnd(rows, row);
    at += length;
  }
  batch.usedBytes = to;
}

/**
 * A rename of which only one end's directory is marked (inode marks) names that end alone: it becomes the move into or
 * out of that directory that it is.
 */
function oneEnd(rows: Int32Array, row: number): void {
  const left = rows[row + DIR_AT]! >= 0;
  if (left === rows[row + NEW_DIR_AT]! >= 0) return;
  const end = left ? abi.FAN_MOVED_FROM : abi.FAN_MOVED_TO;
  rows[row + MASK] = (rows[row + MASK]! & abi.FAN_ONDIR) | end | abi.FAN_MOVE_SELF;
  if (left) return;
  for (let column = 0; column < 4; column++) {
    rows[row + DIR_AT + column] = rows[row + NEW_DIR_AT + column]!;
    rows[row + NEW_DIR_AT + column] = -1;
  }
}

function decodeInfo(batch: EventBatch, row: number, from: number, to: number): void {
  const { words, rows } = batch;
  let at = from;
  while (at < to) {
    const available = to - at;
    const head = words[at >> 2]!;
    const type = head & 0xff;
    const length = head >>> 16;
    if (length < abi.INFO_HEADER_BYTES || length > available || length % 4 !== 0) {
      throw new DecodeError(`fanotify info record of type ${type}`, at, length, available);
    }
    switch (type) {
      case abi.INFO_TYPE_DFID_NAME:
      case abi.INFO_TYPE_OLD_DFID_NAME:
      case abi.INFO_TYPE_DFID:
        decodeHandle(batch, row, at, length, DIR_AT, type === abi.INFO_TYPE_DFID ? -1 : NAME_AT);
        break;
      case abi.INFO_TYPE_NEW_DFID_NAME:
        decodeHandle(batch, row, at, length, NEW_DIR_AT, NEW_NAME_AT);
        break;
      case abi.INFO_TYPE_FID:
        decodeHandle(batch, row, at, length, OBJECT_AT, -1);
        break;
      case abi.INFO_TYPE_ERROR:
        if (length < abi.INFO_ERROR_BYTES) {
          throw new DecodeError("fanotify error record", at, length, abi.INFO_ERROR_BYTES);
        }
        rows[row + ERROR] = words[(at + abi.INFO_ERROR_ERROR) >> 2]!;
        rows[row + ERROR_COUNT] = words[(at + abi.INFO_ERROR_COUNT) >> 2]!;
        break;
      default:
        break;
    }
    at += length;
  }
}

/**
 * A record with a handle, and a name behind it where nameColumn isn't -1. Columns of offset and length stand
 * side by side.
 */
function decodeHandle(
  batch: EventBatch,
  row: number,
  at: number,
  length: number,
  handleColumn: number,
  nameColumn: number,
): void {
  const { bytes, words, rows } = batch;
  const handleAt = at + abi.INFO_HANDLE;
  if (length < abi.INFO_HANDLE + abi.HANDLE_HEADER_BYTES) {
    throw new DecodeError("fanotify handle record", at, length, abi.INFO_HANDLE + abi.HANDLE_HEADER_BYTES);
  }
  const handleBytes = abi.HANDLE_HEADER_BYTES + words[handleAt >> 2]!;
  const end = at + length;
  if (handleBytes > end - handleAt)
    throw new DecodeError("file handle", handleAt, handleBytes, end - handleAt);
  rows[row + FSID_LOW] = words[(at + abi.INFO_FSID) >> 2]!;
  rows[row + FSID_HIGH] = words[(at + abi.INFO_FSID + 4) >> 2]!;
  rows[row + handleColumn] = handleAt;
  rows[row + handleColumn + 1] = handleBytes;
  if (nameColumn < 0) return;
  const nameAt = handleAt + handleBytes;
  let nameEnd = nameAt;
  while (nameEnd < end && bytes[nameEnd] !== 0) nameEnd++;
  if (nameEnd === end) throw new DecodeError("name without its NUL", nameAt, end - nameAt + 1, end - nameAt);
  rows[row + nameColumn] = nameAt;
  rows[row + nameColumn + 1] = nameEnd - nameAt;
}
