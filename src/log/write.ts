// Writes bytes to a log file: one write(2) where the kernel takes them all, and a failure that says how far it came.
// Never returns before everything is written. Hot.
import { writeSync } from "node:fs";

/** A write that stopped half-way: `writtenBytes` are in the file. */
export class WriteStopped extends Error {
  readonly writtenBytes: number;
  override readonly cause: unknown;

  constructor(writtenBytes: number, cause: unknown) {
    super(`write stopped after ${writtenBytes} bytes`);
    this.name = "WriteStopped";
    this.writtenBytes = writtenBytes;
    this.cause = cause;
  }
}

/** @throws {WriteStopped} with the system's error as `cause` */
export function writeWhole(fd: number, bytes: Uint8Array, from = 0, to = bytes.length): void {
  let at = from;
  while (at < to) {
    try {
      const wrote = writeSync(fd, bytes, at, to - at);
      // write(2) never returns 0 for a file, but a loop must not depend on it.
      if (wrote === 0) throw Object.assign(new Error("write returned 0"), { code: "EIO" });
      at += wrote;
    } catch (error) {
      throw new WriteStopped(at - from, error);
    }
  }
}
