// Reads what somebody packed with zstd or gzip. Packed bytes go in, plain bytes come out, never more than a block at a time.
import { readSync } from "node:fs";
import type { Packing } from "../log/names.ts";
import { readRange } from "../log/tail.ts";
import type { ByteInput } from "./input.ts";

const PACKED_BLOCK_BYTES = 64 * 1024;
const PLAIN_BLOCK_BYTES = 256 * 1024;
/** zstd yields nothing before its first block is whole: 128 KiB at most, and a header. */
const HEAD_PACKED_BYTES = 160 * 1024;
/** Few packed bytes may stand for gigabytes; no head is worth that. */
const HEAD_PLAIN_MAX_BYTES = 64 * 1024 * 1024;

/** Loaded when something packed is met: loading takes 6 ms, a third of what a whole query may take. */
const zlib = () => process.getBuiltinModule("node:zlib");
const stream = () => process.getBuiltinModule("node:stream");

/** The packing that these first bytes of a file are the mark of; null for anything else. */
export function packingOf(head: Uint8Array): Packing | null {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gz";
  // zstd's frame magic 0xFD2FB528, little endian (RFC 8878, 3.1.1).
  const zstd = head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd;
  // A skippable frame (3.1.2) may come first: pzstd begins with one.
  const skippable = head[0]! >> 4 === 5 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18;
  return zstd || skippable ? "zst" : null;
}

/** The first plain bytes of a packed file, unpacked at once; none when it is damaged there. */
export function packedHead(fd: number, packing: Packing): Buffer {
  const head = readRange(fd, 0, HEAD_PACKED_BYTES);
  const { constants, gunzipSync, zstdDecompressSync } = zlib();
  const maxOutputLength = HEAD_PLAIN_MAX_BYTES;
  try {
    // The flush mode says that the input may end early.
    if (packing === "gz") return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength });
    return zstdDecompressSync(head, { finishFlush: constants.ZSTD_e_flush, maxOutputLength });
  } catch {
    return Buffer.alloc(0);
  }
}

/** The plain bytes of a packed file, read from its beginning. */
export class PackedInput implements ByteInput {
  readonly lasting = null;
  private readonly plain: AsyncIterator<Uint8Array>;
  private readonly onClose: () => void;
  private chunk: Uint8Array = new Uint8Array(0);

  constructor(fd: number, packing: Packing, onClose: () => void) {
    this.onClose = onClose;
    const options = { chunkSize: PLAIN_BLOCK_BYTES };
    const decoder = packing === "zst" ? zlib().createZstdDecompress(options) : zlib().createGunzip(options);
    const packed = stream().Readable.from(packedBlocks(fd), { objectMode: false });
    packed.on("error", (error) => decoder.destroy(error));
    this.plain = packed.pipe(decoder)[Symbol.asyncIterator]();
  }

  read(into: Uint8Array, at: number): number | Promise<number> {
    return this.chunk.length > 0 ? this.take(into, at) : this.readOn(into, at);
  }

  private async readOn(into: Uint8Array, at: number): Promise<number> {
    while (this.chunk.length === 0) {
      const next = await this.plain.next();
      if (next.done === true) return 0;
      this.chunk = next.value;
    }
    return this.take(into, at);
  }

  private take(into: Uint8Array, at: number): number {
    const part = this.chunk.subarray(0, into.length - at);
    into.set(part, at);
    this.chunk = this.chunk.subarray(part.length);
    return part.length;
  }

  close(): void {
    void this.plain.return?.();
    this.onClose();
  }
}

function* packedBlocks(fd: number): Generator<Buffer> {
  for (let at = 0; ; ) {
    const block = Buffer.allocUnsafeSlow(PACKED_BLOCK_BYTES);
    const got = readSync(fd, block, 0, block.length, at);
    if (got === 0) return;
    at += got;
    yield block.subarray(0, got);
  }
}
