// The memory of a query: blocks that runs read into, used again when a run has ended. The sum stays the same however many
// logs are merged and however large they are; only a line that is longer than a block makes its block grow.
import { LineTable } from "./line-table.ts";

/** All blocks together; a single run doesn't read faster with more than BLOCK_MAX_BYTES. */
const TOTAL_BYTES = 12 * 1024 * 1024;
const BLOCK_MAX_BYTES = 256 * 1024;
const BLOCK_MIN_BYTES = 8 * 1024;
/** Our shortest line is about 150 bytes; for shorter ones a block is scanned in several goes. */
const BYTES_PER_LINE = 96;

export class Block {
  bytes: Buffer;
  readonly table: LineTable;

  constructor(sizeBytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(sizeBytes);
    this.table = new LineTable(Math.ceil(sizeBytes / BYTES_PER_LINE));
  }

  grow(): void {
    const larger = Buffer.allocUnsafeSlow(this.bytes.length * 2);
    this.bytes.copy(larger);
    this.bytes = larger;
  }
}

export class BlockPool {
  private blockBytes = BLOCK_MAX_BYTES;
  private free: Block[] = [];

  /** @param runs how many may be read at the same time from now on */
  expect(runs: number): void {
    const share = Math.floor(TOTAL_BYTES / Math.max(1, runs));
    this.blockBytes = Math.min(BLOCK_MAX_BYTES, Math.max(BLOCK_MIN_BYTES, share));
    this.free = this.free.filter((block) => block.bytes.length === this.blockBytes);
  }

  take(): Block {
    return this.free.pop() ?? new Block(this.blockBytes);
  }

  give(block: Block): void {
    if (block.bytes.length === this.blockBytes) this.free.push(block);
  }
}
