// fanotify events as bytes, for every test that needs a batch.
import { decodeFanEvents, EventBatch } from "../../src/decode/fan.ts";
import * as abi from "../../src/kernel/abi.ts";
import { Bytes } from "../support/bytes.ts";

export interface Fsid {
  low: number;
  high: number;
}

export const FSID: Fsid = { low: 0x11111111, high: 0x22222222 };

/** {u32 bytes, s32 type, data}. */
export function handle(data: readonly number[], type = 1): Buffer {
  return new Bytes().u32("handle_bytes", data.length).s32("handle_type", type).raw("f_handle", data).done();
}

/** A handle of the kind that ext4 makes: inode and generation. */
export function inode(number: number): Buffer {
  return handle([number & 0xff, (number >> 8) & 0xff, (number >> 16) & 0xff, 0, 0xab, 0xcd, 0xef, 0x01]);
}

/** A record with a handle; with a name behind it unless that is null. */
export function handleRecord(
  infoType: number,
  fileHandle: Uint8Array,
  name: string | Uint8Array | null,
  fsid = FSID,
): Buffer {
  const record = new Bytes()
    .u8("info_type", infoType)
    .u8("pad", 0)
    .u16("len", 0)
    .u32("fsid[0]", fsid.low)
    .u32("fsid[1]", fsid.high)
    .raw("file_handle", fileHandle);
  if (name !== null) record.raw("name", name).u8("NUL", 0);
  record.alignTo(4);
  return record.set("len", record.length).done();
}

/** {directory, name}: where the event happened. */
export function at(directory: Uint8Array, name: string | Uint8Array, fsid = FSID): Buffer {
  return handleRecord(abi.INFO_TYPE_DFID_NAME, directory, name, fsid);
}

/** The directory itself. */
export function itself(directory: Uint8Array, fsid = FSID): Buffer {
  return at(directory, ".", fsid);
}

export function from(directory: Uint8Array, name: string | Uint8Array, fsid = FSID): Buffer {
  return handleRecord(abi.INFO_TYPE_OLD_DFID_NAME, directory, name, fsid);
}

export function to(directory: Uint8Array, name: string | Uint8Array, fsid = FSID): Buffer {
  return handleRecord(abi.INFO_TYPE_NEW_DFID_NAME, directory, name, fsid);
}

export function object(fileHandle: Uint8Array, fsid = FSID): Buffer {
  return handleRecord(abi.INFO_TYPE_FID, fileHandle, null, fsid);
}

export function errorRecord(error: number, count: number): Buffer {
  return new Bytes()
    .u8("info_type", abi.INFO_TYPE_ERROR)
    .u8("pad", 0)
    .u16("len", 12)
    .s32("error", error)
    .u32("error_count", count)
    .done();
}

export function event(mask: number, pid: number, ...records: readonly Uint8Array[]): Buffer {
  const bytes = new Bytes()
    .u32("event_len", 0)
    .u8("vers", abi.METADATA_VERSION)
    .u8("reserved", 0)
    .u16("metadata_len", abi.METADATA_BYTES)
    .u32("mask, low half", mask)
    .u32("mask, high half", 0)
    .s32("fd", -1)
    .s32("pid", pid);
  for (const record of records) bytes.raw("info record", record);
  return bytes.set("event_len", bytes.length).done();
}

/** A buffer that holds these bytes; what lies behind them is garbage. */
export function bufferOf(bytes: Uint8Array): EventBatch {
  const batch = new EventBatch(((bytes.length + 3) & ~3) + 64);
  batch.bytes.fill(0xa5);
  batch.bytes.set(bytes);
  return batch;
}

/** The batch of these events, decoded. */
export function batchOf(...events: readonly Uint8Array[]): EventBatch {
  const bytes = Buffer.concat(events);
  const batch = bufferOf(bytes);
  decodeFanEvents(batch, 0, bytes.length);
  return batch;
}
