// The subdirectories of one directory, opened by its handle so that neither its depth nor a rename in the meantime
// matters; or all entries of one that is open. Bytes go out in the shape that decode/scan.ts reads.
import { helper } from "./helper.ts";

export class DirectoryScanner {
  /**
   * One directory's worth; 64 KiB hold at least 200 of the longest names. Larger directories come in several
   * pieces.
   */
  readonly buffer = new Uint8Array(65536);
  private readonly position = new Uint32Array(2);

  /**
   * Reads the subdirectories of a directory, piece by piece.
   *
   * @param mountFd any directory on the same filesystem, not O_PATH
   * @param eachPiece gets the number of bytes in `buffer`
   * @returns 0, or -errno: ESTALE when the directory is gone, EACCES …
   */
  scan(mountFd: number, handle: Uint8Array, eachPiece: (bytes: number) => void): number {
    const { buffer, position } = this;
    return this.pieces(eachPiece, () =>
      helper().fh_scan(mountFd, handle, handle.length, buffer, buffer.length, position),
    );
  }

  /** Reads all entries of an open directory, what is no directory included. Returns 0 or -errno. */
  scanOpen(directoryFd: number, eachPiece: (bytes: number) => void): number {
    const { buffer, position } = this;
    return this.pieces(eachPiece, () => helper().fh_scan_open(directoryFd, buffer, buffer.length, position));
  }

  private pieces(eachPiece: (bytes: number) => void, next: () => number): number {
    this.position.fill(0);
    do {
      const got = next();
      if (got < 0) return got;
      if (got > 0) eachPiece(got);
    } while (this.position[0] !== 0 || this.position[1] !== 0);
    return 0;
  }
}
