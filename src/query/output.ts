// Gathers the spans of a merge: small ones are copied together, large ones pass through. Bytes go to the sink in the order in
// which they came. Hot.

export interface ByteSink {
  /**
   * Takes bytes that are only valid during the call.
   *
   * @returns false when nobody reads any more (a closed pipe): the query then stops quietly
   */
  write(bytes: Uint8Array): boolean;
  /**
   * Takes bytes straight from a file that never changes, where that is possible.
   *
   * @returns how many it has taken; the rest is to be written. -1 when nobody reads any more
   */
  take?(fd: number, at: number, sizeBytes: number): number;
}

/** 64 KiB: what a pipe holds, and where write(2) is at its best (reference: 64 KiB 3.0 GB/s, 1 MiB 2.4 GB/s). */
const GATHER_BYTES = 64 * 1024;
const NEWLINE = 10;

export class LineOutput {
  private readonly sink: ByteSink;
  private readonly gathered = Buffer.allocUnsafeSlow(GATHER_BYTES);
  private used = 0;
  private open = true;

  constructor(sink: ByteSink) {
    this.sink = sink;
  }

  /**
   * @param lasting where `bytes` stand in a file that never changes, if they do: `from` is the offset of their beginning
   * @returns false when the sink is closed
   */
  write(bytes: Buffer, start: number, end: number, lasting: { fd: number; from: number } | null): boolean {
    const sizeBytes = end - start;
    if (this.used + sizeBytes > GATHER_BYTES) {
      if (!this.flush()) return false;
      if (sizeBytes >= GATHER_BYTES) {
        const taken =
          lasting === null ? 0 : (this.sink.take?.(lasting.fd, lasting.from + start, sizeBytes) ?? 0);
        this.open =
          taken >= 0 && (taken === sizeBytes || this.sink.write(bytes.subarray(start + taken, end)));
        return this.open;
      }
    }
    bytes.copy(this.gathered, this.used, start, end);
    this.used += sizeBytes;
    return true;
  }

  newline(): boolean {
    if (this.used === GATHER_BYTES && !this.flush()) return false;
    this.gathered[this.used++] = NEWLINE;
    return true;
  }

  flush(): boolean {
    if (this.used > 0 && this.open) this.open = this.sink.write(this.gathered.subarray(0, this.used));
    this.used = 0;
    return this.open;
  }
}
