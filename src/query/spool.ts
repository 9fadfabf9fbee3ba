// Bytes that must be read twice but come only once (stdin, a FIFO, something packed): kept in memory while they are few, in a
// temporary file without a name once they are many.
import { closeSync, constants, openSync, readSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { causeOf, errorCode, Failure } from "../failure.ts";
import { waitReadable } from "../kernel/poll.ts";
import { readRange } from "../log/tail.ts";
import { writeWhole } from "../log/write.ts";
import { type ByteInput, FileInput, heldOpen, MemoryInput } from "./input.ts";
import type { NamedFile } from "./named-file.ts";

const BLOCK_BYTES = 256 * 1024;
/** Up to here no file is made. */
const MEMORY_MAX_BYTES = 4 * 1024 * 1024;

/** Bytes that can be read from any place, as often as needed. */
export interface Stored {
  readonly sizeBytes: number;
  input(from: number, to: number): ByteInput;
  close(): void;
}

export function storedFile(file: NamedFile): Stored {
  return {
    sizeBytes: file.stat.size,
    input: (from, to) => new FileInput(file, from, to, null),
    close: () => file.close(),
  };
}

/** A place for bytes that are written once, front to back, and then read. */
export class Spool implements Stored {
  private memory = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  private memoryBytes = 0;
  private fd = -1;
  sizeBytes = 0;

  write(bytes: Uint8Array): void {
    this.sizeBytes += bytes.length;
    if (this.fd < 0 && this.sizeBytes <= MEMORY_MAX_BYTES) {
      while (this.memory.length < this.sizeBytes) {
        this.memory = Buffer.concat([this.memory], this.memory.length * 2);
      }
      this.memory.set(bytes, this.memoryBytes);
      this.memoryBytes = this.sizeBytes;
      return;
    }
    if (this.fd < 0) {
      this.fd = nameless();
      this.append(this.memory.subarray(0, this.memoryBytes));
      this.memory = Buffer.alloc(0);
    }
    this.append(bytes);
  }

  head(sizeBytes: number): Uint8Array {
    return this.fd < 0 ? this.memory.subarray(0, sizeBytes) : readRange(this.fd, 0, sizeBytes);
  }

  /** A descriptor with everything in it. */
  file(): number {
    if (this.fd < 0) {
      this.fd = nameless();
      this.append(this.memory.subarray(0, this.memoryBytes));
    }
    return this.fd;
  }

  input(from: number, to: number): ByteInput {
    if (this.fd < 0) return new MemoryInput(this.memory, from, to);
    return new FileInput(heldOpen(this.fd), from, to, null);
  }

  /** Hands on all of it in blocks that are valid until the next one. @returns false as soon as `write` does */
  copyTo(write: (bytes: Buffer) => boolean): boolean {
    if (this.fd < 0) return write(this.memory.subarray(0, this.memoryBytes));
    const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    for (let at = 0; at < this.sizeBytes; ) {
      const got = readSync(this.fd, block, 0, block.length, at);
      if (got === 0 || !write(block.subarray(0, got))) return false;
      at += got;
    }
    return true;
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
    this.memory = Buffer.alloc(0);
  }

  private append(bytes: Uint8Array): void {
    try {
      writeWhole(this.fd, bytes);
    } catch (error) {
      throw new Failure(
        `Cannot keep the input in "${tmpdir()}": ${causeOf(error)}`,
        "set TMPDIR to a directory with room",
      );
    }
  }
}

/** A file that nobody else can open and that is gone when this process is. */
function nameless(): number {
  const path = join(tmpdir(), `fsmon-query-${crypto.randomUUID()}`);
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  try {
    const fd = openSync(path, flags, 0o600);
    unlinkSync(path);
    return fd;
  } catch (error) {
    throw new Failure(`Cannot make a temporary file in "${tmpdir()}": ${causeOf(error)}`, "set TMPDIR");
  }
}

/**
 * Reads a pipe, a terminal or the like to its end; `onRead` is told how many bytes came.
 *
 * @param name as a person knows it
 */
export function spoolStream(fd: number, name: string, onRead: (bytes: number) => void): Spool {
  const spool = new Spool();
  const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  for (;;) {
    let got: number;
    try {
      got = readSync(fd, block, 0, block.length, null);
    } catch (error) {
      const code = errorCode(error);
      if (code === "EISDIR")
        throw new Failure(`Cannot read ${name}: it is a directory`, "fsmon query --file FILE… reads files");
      if (code !== "EAGAIN") throw new Failure(`Cannot read ${name}: ${causeOf(error)}`);
      // Somebody made our standard input non-blocking.
      waitReadable(fd, 1000);
      continue;
    }
    if (got === 0) return spool;
    onRead(got);
    spool.write(block.subarray(0, got));
  }
}

/** Unpacks an input to its end, or up to where it is damaged; `onRead` is told how many plain bytes came. */
export async function spoolInput(
  input: ByteInput,
  onRead: (bytes: number) => void,
  onDamage: (error: unknown) => void,
): Promise<Spool> {
  const spool = new Spool();
  const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  try {
    for (
      let got = await readOrEnd(input, block, onDamage);
      got > 0;
      got = await readOrEnd(input, block, onDamage)
    ) {
      onRead(got);
      spool.write(block.subarray(0, got));
    }
    return spool;
  } finally {
    input.close();
  }
}

async function readOrEnd(
  input: ByteInput,
  block: Buffer,
  onDamage: (error: unknown) => void,
): Promise<number> {
  try {
    return await input.read(block, 0);
  } catch (error) {
    onDamage(error);
    return 0;
  }
}
