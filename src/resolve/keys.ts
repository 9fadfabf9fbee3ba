// Handles as Map keys, for what is remembered of few objects; directories have their own table (tree.ts).
import { type EventBatch, NAME_AT, NAME_BYTES, OBJECT_AT, OBJECT_BYTES } from "../decode/fan.ts";
import type { Filesystem } from "./filesystems/filesystem.ts";

/** Filesystem and handle (type and data) of the record {u32 bytes, s32 type, data} at `at`. */
export function handleKey(fs: Filesystem, bytes: Uint8Array, at: number, length: number): string {
  return `${fs.id}:${Buffer.from(bytes.buffer, bytes.byteOffset + at + 4, length - 4).toString("latin1")}`;
}

/** The same of an event's object. */
export function objectKey(fs: Filesystem, batch: EventBatch, i: number): string {
  return handleKey(fs, batch.bytes, batch.get(i, OBJECT_AT), batch.get(i, OBJECT_BYTES));
}

/** Hot. True for an event about the directory itself, which the kernel names by its own handle and ".". */
export function isItself(batch: EventBatch, i: number): boolean {
  return batch.get(i, NAME_BYTES) === 1 && batch.bytes[batch.get(i, NAME_AT)] === 0x2e;
}

/** An entry: the record of its directory's handle and its name, whose columns stand in a row. */
export function entryKey(batch: EventBatch, i: number, directoryColumn: number): string {
  const dirAt = batch.get(i, directoryColumn);
  const nameAt = batch.get(i, directoryColumn + 2);
  const dir = batch.bytes.toString("latin1", dirAt, dirAt + batch.get(i, directoryColumn + 1));
  return `${dir}/${batch.bytes.toString("latin1", nameAt, nameAt + batch.get(i, directoryColumn + 3))}`;
}

/** The entry that such a key was made of. */
export function entryOf(key: string): { parent: Uint8Array; name: Uint8Array } {
  const bytes = Buffer.from(key, "latin1");
  const end = 8 + bytes.readUInt32LE(0);
  return { parent: bytes.subarray(0, end), name: bytes.subarray(end + 1) };
}
