// A handle record {u32 bytes, s32 type, data} as text, for what is remembered of few objects on one filesystem.

export function bytesKey(handle: Uint8Array): string {
  return Buffer.from(handle.buffer, handle.byteOffset, handle.length).toString("latin1");
}

export function bytesOfKey(key: string): Uint8Array {
  return Buffer.from(key, "latin1");
}
