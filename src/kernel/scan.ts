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
  private readonly at = new Uint32Array(2);

  /** True when the last piece was the directory's end. */
  get isDone(): boolean {
    return this.at[0] === 0 && this.at[1] === 0;
  }

  /** Where the piece after the last one begins; a copy. */
  position(): Uint32Array {
    return Uint32Array.from(this.at);
  }

  /** Begins a directory, or goes on in one. */
  startAt(position: Uint32Array | null): void {
    if (position === null) this.at.fill(0);
    else this.at.set(position);
  }

  /**
   * The next piece: subdirectories, and with a span whatever else was made, written or changed within it.
   *
   * @param mountFd any directory on the same filesystem, not O_PATH
   * @returns bytes in `buffer`, or -errno: ESTALE when the directory is gone, EACCES …
   */
  scan(mountFd: number, handle: Uint8Array, span: TimeSpan | null): number {
    const { buffer, at } = this;
    const from = span === null ? 0 : span.fromMs;
    const to = span === null ? 0 : span.toMs;
    return helper().fh_scan(mountFd, handle, handle.length, from, to, buffer, buffer.length, at);
  }

  /** The next piece of all entries of an open directory, what is no directory included. The same result. */
  scanOpen(directoryFd: number, withTimes: boolean): number {
    const { buffer, at } = this;
    return helper().fh_scan_open(directoryFd, withTimes ? 1 : 0, buffer, buffer.length, at);
  }
}
