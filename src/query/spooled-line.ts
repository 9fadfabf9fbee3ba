// A line too long for memory on its way through a query: its pieces go in and stand in a temporary file until its turn comes; then they come
// out again. Whoever has one closes it.
import { LongLine, type LongVerdict } from "./long-line.ts";
import { Spool } from "./spool.ts";

export class SpooledLine {
  /** Of its first byte in the input. */
  readonly offset: number;
  timeMs = Number.NaN;
  private readonly spool = new Spool();
  private readonly line = new LongLine((bytes) => this.spool.write(bytes));

  constructor(offset: number) {
    this.offset = offset;
    // It won't stay in memory anyway.
    this.spool.file();
  }

  push(piece: Buffer): void {
    this.line.push(piece);
  }

  /** Every piece is there. */
  end(): LongVerdict {
    const verdict = this.line.end();
    if (verdict.kind === "event") this.timeMs = verdict.timeMs;
    return verdict;
  }

  /** The event without its newline, in blocks that are valid until the next one. @returns false as soon as `write` does */
  copyTo(write: (bytes: Buffer) => boolean): boolean {
    return this.spool.copyTo(write);
  }

  close(): void {
    this.spool.close();
  }
}
