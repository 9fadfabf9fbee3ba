// The entries of one directory, opened by its handle so that neither its depth nor a rename in the meantime matters; or
// of one that is open. Bytes go out in the shape that decode/scan.ts reads, piece by piece: one directory may hold a
// million entries, and nobody may wait for all of them.
import { helper } from "./helper.ts";

/** Milliseconds since 1970, both ends included. */
export interface TimeSpan {
  fromMs: number;
  toMs: number;
}

export class DirectoryScanner {
  /** One piece's worth; 64 KiB hold at least 200 of the longest names. */
  readonly buffer = new Uint8Array(65536);
  /** Where in its directory the next piece begins: the two halves of a number that means something to the kernel only. */
  private readonly position = new Uint32Array(2);

  /** Where the piece after the last one begins; all 0 when that was the last. A copy. */
  get next(): Uint32Array | null {
    return this.position[0] === 0 && this.position[1] === 0 ? null : Uint32Array.from(this.position);
  }

  /** Begins a directory, or goes on in one. */
  startAt(position: Uint32Array | null): void {
    if (position === null) this.position.fill(0);
    else this.position.set(position);
  }

  /**
   * The next piece: subdirectories, and with a span whatever else was made, written or changed within it.
   *
   * @param mountFd any directory on the same filesystem, not O_PATH
   * @returns bytes in `buffer`, or -errno: ESTALE when the directory is gone, EACCES …
   */
  scan(mountFd: number, handle: Uint8Array, span: TimeSpan | null): number {
    const { buffer, position } = this;
    const from = span === null ? 0 : span.fromMs;
    const to = span === null ? 0 : span.toMs;
    return helper().fh_scan(mountFd, handle, handle.length, from, to, buffer, buffer.length, position);
  }

  /** The next piece of all entries of an open directory, what is no directory included. The same result. */
  scanOpen(directoryFd: number, withTimes: boolean): number {
    const { buffer, position } = this;
    return helper().fh_scan_open(directoryFd, withTimes ? 1 : 0, buffer, buffer.length, position);
  }
}
