// Where the bytes of a query come from: a range of a file, or something that is unpacked on the way. One interface, pulled
// block by block, so that the merge needs to know no more.
import { readSync } from "node:fs";
import { Failure } from "../failure.ts";

export interface ByteInput {
  /** Fills `into` from `at` on with at least one byte; 0 at the end. Only unpacking needs a promise. */
  read(into: Uint8Array, at: number): number | Promise<number>;
  close(): void;
  /** Where these bytes stand for good: `from` is the offset of the first. Null where they may still change, or are in no file. */
  readonly lasting: { fd: number; from: number } | null;
}

/** An open file, or one that is opened when it is needed. */
export interface Descriptor {
  /** @returns null when the file is gone, or another one has its name */
  fd(): number | null;
  /** Its lines, or some of them, still matter, but aren't in a file that could be found: fd() came too late. */
  readonly replaced: boolean;
  /** The descriptor isn't needed for the moment. */
  release(): void;
}

/** A descriptor that stays open. */
export function heldOpen(fd: number): Descriptor {
  return { fd: () => fd, replaced: false, release: () => {} };
}

/** The file's descriptor; null when it was cleaned away. */
export function descriptorOf(file: Descriptor): number | null {
  const fd = file.fd();
  // It could not be held open all the time, and is another one now: its lines must not be missing silently.
  if (fd === null && file.replaced) throw new Failure("replaced or compressed meanwhile; ask again");
  return fd;
}

/** The bytes [from, to) of a file. Ends early when the file has been cut. */
export class FileInput implements ByteInput {
  private readonly file: Descriptor;
  private at: number;
  private readonly to: number;
  readonly lasting: { fd: number; from: number } | null;

  /** @param lastingFd a descriptor that stays, of a file that is never written to again; null for any other */
  constructor(file: Descriptor, from: number, to: number, lastingFd: number | null) {
    this.file = file;
    this.lasting = lastingFd === null ? null : { fd: lastingFd, from };
    this.at = from;
    this.to = to;
  }

  read(into: Uint8Array, at: number): number {
    const wanted = Math.min(into.length - at, this.to - this.at);
    if (wanted <= 0) return 0;
    const fd = descriptorOf(this.file);
    if (fd === null) return 0;
    const got = readSync(fd, into, at, wanted, this.at);
    this.at += got;
    this.file.release();
    return got;
  }

  close(): void {
    this.file.release();
  }
}

export class MemoryInput implements ByteInput {
  readonly lasting = null;
  private readonly bytes: Uint8Array;
  private at: number;
  private readonly to: number;

  constructor(bytes: Uint8Array, from = 0, to = bytes.length) {
    this.bytes = bytes;
    this.at = from;
    this.to = to;
  }

  read(into: Uint8Array, at: number): number {
    const count = Math.min(into.length - at, this.to - this.at);
    into.set(this.bytes.subarray(this.at, this.at + count), at);
    this.at += count;
    return count;
  }

  close(): void {}
}
