// Where the bytes of a query come from: a range of a file, or something that is unpacked on the way. One interface, pulled
// block by block, so that the merge needs to know no more.
import { readSync } from "node:fs";

export interface ByteInput {
  /** Fills `into` from `at` on with at least one byte; 0 at the end. Only unpacking needs a promise. */
  read(into: Uint8Array, at: number): number | Promise<number>;
  close(): void;
  /** Where these bytes stand for good: `from` is the offset of the first. Null where they may still change, or are in no file. */
  readonly lasting: { fd: number; from: number } | null;
}

/** The bytes [from, to) of an open file. Ends early when the file has been cut. */
export class FileInput implements ByteInput {
  readonly #fd: number;
  #at: number;
  readonly #to: number;
  readonly #onClose: () => void;
  readonly lasting: { fd: number; from: number } | null;

  /**
   * @param lasting the file is never written to again
   * @param onClose told once, so that whoever opened the descriptor may close it
   */
  constructor(fd: number, from: number, to: number, lasting: boolean, onClose: () => void) {
    this.#fd = fd;
    this.lasting = lasting ? { fd, from } : null;
    this.#at = from;
    this.#to = to;
    this.#onClose = onClose;
  }

  read(into: Uint8Array, at: number): number {
    const wanted = Math.min(into.length - at, this.#to - this.#at);
    if (wanted <= 0) return 0;
    const got = readSync(this.#fd, into, at, wanted, this.#at);
    this.#at += got;
    return got;
  }

  close(): void {
    this.#onClose();
  }
}

export class MemoryInput implements ByteInput {
  readonly lasting = null;
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #to: number;

  constructor(bytes: Uint8Array, from = 0, to = bytes.length) {
    this.#bytes = bytes;
    this.#at = from;
    this.#to = to;
  }

  read(into: Uint8Array, at: number): number {
    const count = Math.min(into.length - at, this.#to - this.#at);
    into.set(this.#bytes.subarray(this.#at, this.#at + count), at);
    this.#at += count;
    return count;
  }

  close(): void {}
}
