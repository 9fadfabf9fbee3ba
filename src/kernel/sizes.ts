// Sizes of many files by one call: a stat costs 1 µs, a call of the helper from cold code as much again.
// Files are never opened (a FIFO would block) and final symlinks never followed.
import { helper } from "./helper.ts";
import type { Probe } from "./probe.ts";
import { checked } from "./syscall.ts";

/** Room at the start; grows to the largest batch that was seen. */
const START_PATHS = 512;
const START_BYTES = 65536;

/** Collects paths, then asks for all their sizes at once. Hot. */
export class SizeBatch {
  private paths = Buffer.allocUnsafe(START_BYTES);
  private used = 0;
  private count = 0;
  private sizes = new Float64Array(START_PATHS);

  /** @param probe asks in our place, where a server may hang */
  constructor(private readonly probe: Probe | null = null) {}

  clear(): void {
    this.used = 0;
    this.count = 0;
  }

  /** Adds directory + "/" + name (raw bytes); returns the index under which sizeAt() answers. */
  add(directory: Uint8Array, bytes: Uint8Array, nameAt: number, nameBytes: number): number {
    const needed = this.used + directory.length + nameBytes + 2;
    if (needed > this.paths.length) {
      const larger = Buffer.allocUnsafe(needed * 2);
      larger.set(this.paths.subarray(0, this.used));
      this.paths = larger;
    }
    const paths = this.paths;
    paths.set(directory, this.used);
    let at = this.used + directory.length;
    if (nameBytes > 0) {
      paths[at++] = 0x2f;
      for (let i = 0; i < nameBytes; i++) paths[at++] = bytes[nameAt + i]!;
    }
    paths[at++] = 0;
    this.used = at;
    if (this.count === this.sizes.length) this.sizes = new Float64Array(this.sizes.length * 2);
    return this.count++;
  }

  /** Asks the kernel for everything that was added. */
  run(): void {
    if (this.count === 0) return;
    if (this.probe !== null) this.probe.sizes(this.paths, this.used, this.count, this.sizes);
    else checked("statx", helper().fh_sizes(this.paths, this.used, this.count, this.sizes));
  }

  /** Bytes; 0 for a directory; -1 for what is gone or can't be asked. */
  sizeAt(index: number): number {
    const size = this.sizes[index]!;
    return size < 0 ? -1 : size;
  }
}
