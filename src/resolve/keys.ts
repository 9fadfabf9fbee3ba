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
