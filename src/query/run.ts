// One sorted run of lines on its way into the merge: reads a block, keeps the lines that are wanted, and hands them on in
// spans as long as possible. Bytes come from an input, spans of whole lines leave; a block is the whole memory of a run. Hot.
import type { Block, BlockPool } from "./block-pool.ts";
import type { ByteInput } from "./input.ts";
import { type LineTable, scanLines } from "./line-table.ts";
import { LINE_MAX_BYTES, parseKeys, readOddLine } from "./odd-line.ts";
import type { LineOutput } from "./output.ts";
import type { Progress } from "./progress.ts";
import { gapTouches, type PathFilter, stateTypeOf, type TimeRange } from "./wanted.ts";

const NEWLINE = 10;
const ZEROS = Buffer.alloc(64 * 1024);

export interface RunOptions {
  range: TimeRange;
  /** Null for everything in the log. */
  paths: PathFilter | null;
  pool: BlockPool;
  progress: Progress;
  /** Told of a complete line that is no event; null when somebody has counted it already. */
  onBadLine: (() => void) | null;
  /** Told when the run ends early because its bytes can't be read (a broken disk, a damaged archive). */
  onUnreadable: (error: unknown) => void;
}

/** A line in [start, end) of a block that is only valid during the call; `offset` is its place in the input. */
export type LineVisitor = (bytes: Buffer, start: number, end: number, offset: number, timeMs: number) => void;

export class LineRun {
  /** Decides between lines of the same time: the run that was named first goes first. */
  readonly order: number;
  /** No line of this run is earlier; the time of the next line once a block is loaded. Infinity at the end. */
  headMs: number;
  private readonly open: () => ByteInput | null;
  private readonly options: RunOptions;
  private input: ByteInput | null = null;
  private block: Block | null = null;
  /** Offset in the input of the block's first byte. */
  private base = 0;
  private have = 0;
  /** Behind the last newline of the block. */
  private wholeEnd = 0;
  private scanned = 0;
  private skipping = false;
  private exhausted = false;
  private next = 0;
  private ended = false;

  /**
   * @param headMs a lower bound for the first line's time; -Infinity when it isn't known
   * @param open called when the first line is needed, so that later segments cost nothing until then; null: it is gone
   */
  constructor(order: number, headMs: number, open: () => ByteInput | null, options: RunOptions) {
    this.order = order;
    this.headMs = headMs;
    this.open = open;
    this.options = options;
  }

  /** True while lines wait in the block; otherwise load() must be called. */
  get loaded(): boolean {
    return this.block !== null && this.next < this.block.table.count;
  }

  /** Loads the next block with wanted lines and sets headMs. */
  load(): void | Promise<void> {
    if (this.block === null) {
      if (this.ended) return;
      this.block = this.options.pool.take();
      try {
        this.input = this.open();
      } catch (error) {
        this.options.onUnreadable(error);
      }
    }
    return this.loadOn();
  }

  private loadOn(): void | Promise<void> {
    while (!this.ended) {
      const block = this.block!;
      if (this.scanBlock(block)) {
        this.headMs = block.table.timesMs[0]!;
        return;
      }
      this.makeRoom(block);
      const got = this.read(block.bytes);
      if (typeof got !== "number") return this.loadFrom(got);
      this.add(got);
    }
  }

  private async loadFrom(reading: Promise<number>): Promise<void> {
    try {
      this.add(await reading);
    } catch (error) {
      this.options.onUnreadable(error);
      this.close();
    }
    await this.loadOn();
  }

  private read(into: Uint8Array): number | Promise<number> {
    if (this.exhausted) return 0;
    try {
      return this.input?.read(into, this.have) ?? 0;
    } catch (error) {
      this.options.onUnreadable(error);
      return 0;
    }
  }

  private add(count: number): void {
    if (count === 0) {
      if (!this.endLastLine()) this.close();
      return;
    }
    this.options.progress.read(count);
    const { bytes } = this.block!;
    const added = bytes.subarray(this.have, this.have + count);
    if (this.skipping) {
      const rest = added.subarray(added.indexOf(NEWLINE) + 1);
      const skipped = added.length - rest.length;
      this.base += skipped === 0 ? added.length : skipped;
      if (skipped === 0 || rest.length === 0) {
        this.skipping = skipped === 0;
        return;
      }
      this.skipping = false;
      bytes.set(rest, this.have);
      this.add(rest.length);
      return;
    }
    const newline = added.lastIndexOf(NEWLINE);
    if (newline >= 0) this.wholeEnd = this.have + newline + 1;
    this.have += count;
  }

  /**
   * At the end of the input: a last line that lacks nothing but its newline gets it. What is not a whole event is being written, or
   * was torn: no fault.
   *
   * @returns false when there is no such line
   */
  private endLastLine(): boolean {
    const { bytes } = this.block!;
    if (this.exhausted || readOddLine(bytes, this.scanned, this.have).kind !== "event") return false;
    this.exhausted = true;
    // There is room: makeRoom() was called before the read that found the end.
    bytes[this.have++] = NEWLINE;
    this.wholeEnd = this.have;
    return true;
  }

  /** Scans what is there; false when there is no wanted line among the whole ones. */
  private scanBlock(block: Block): boolean {
    const { bytes, table } = block;
    table.count = 0;
    this.next = 0;
    while (this.scanned < this.wholeEnd) {
      table.count = 0;
      this.scanned = scanLines(bytes, this.scanned, this.wholeEnd, table);
      this.keepWanted(bytes, table);
      if (table.count > 0) return true;
    }
    return false;
  }

  /** Moves an unfinished line to the block's beginning; a line longer than the block makes the block grow. */
  private makeRoom(block: Block): void {
    if (this.scanned > 0) {
      block.bytes.copyWithin(0, this.scanned, this.have);
      this.have -= this.scanned;
      this.base += this.scanned;
      this.scanned = 0;
      this.wholeEnd = 0;
    }
    if (this.have < block.bytes.length) return;
    if (isAllZero(block.bytes)) {
      // Zeros of a punched hole may be gigabytes; one of them is enough to know what they were.
      this.base += this.have - 1;
      this.have = 1;
    } else if (block.bytes.length < LINE_MAX_BYTES) {
      block.grow();
    } else {
      this.options.onBadLine?.();
      this.base += this.have;
      this.have = 0;
      this.skipping = true;
    }
  }

  /** Leaves the wanted lines in the table. Hot. */
  private keepWanted(bytes: Buffer, table: LineTable): void {
    const { starts, ends, timesMs, count } = table;
    const { range, paths } = this.options;
    const { sinceMs, untilMs } = range;
    paths?.beginBlock();
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const timeMs = timesMs[i]!;
      const inRange = timeMs >= sinceMs && timeMs < untilMs;
      if (inRange && paths === null) {
        if (kept !== i) {
          starts[kept] = starts[i]!;
          ends[kept] = ends[i]!;
          timesMs[kept] = timeMs;
        }
        kept++;
        continue;
      }
      if (Number.isNaN(timeMs)) {
        if (this.keepOdd(bytes, table, i, kept)) kept++;
      } else if (this.wantsOurs(bytes, starts[i]!, ends[i]!, inRange)) {
        starts[kept] = starts[i]!;
        ends[kept] = ends[i]!;
        timesMs[kept++] = timeMs;
      }
    }
    table.count = kept;
  }

  private wantsOurs(bytes: Buffer, start: number, end: number, inRange: boolean): boolean {
    if (!inRange) {
      if (stateTypeOf(bytes, start) !== "GAP") return false;
      const keys = parseKeys(bytes, start, end);
      return keys !== null && gapTouches(keys, this.options.range);
    }
    return this.options.paths?.wants(bytes, start, end) ?? true;
  }

  /** Looks at a line that isn't written as ours are, and puts it into the table's place `kept` when it is wanted. */
  private keepOdd(bytes: Buffer, table: LineTable, i: number, kept: number): boolean {
    const line = readOddLine(bytes, table.starts[i]!, table.ends[i]!);
    if (line.kind === "bad") this.options.onBadLine?.();
    if (line.kind !== "event") return false;
    const { range, paths } = this.options;
    const inRange = line.timeMs >= range.sinceMs && line.timeMs < range.untilMs;
    if (!inRange && !gapTouches(line.keys, range)) return false;
    if (paths !== null && !paths.wantsKeys(line.keys)) return false;
    table.starts[kept] = line.start;
    table.ends[kept] = line.end;
    table.timesMs[kept] = line.timeMs;
    return true;
  }

  /**
   * Hands on the waiting lines up to a time, in spans. Hot.
   *
   * @param inclusive lines of exactly `limitMs` too
   * @returns false when the output is closed
   */
  emit(limitMs: number, inclusive: boolean, output: LineOutput): boolean {
    const { bytes, table } = this.block!;
    const { starts, ends, timesMs, count } = table;
    const lasting = this.lasting();
    let i = this.next;
    while (i < count && (timesMs[i]! < limitMs || (inclusive && timesMs[i]! === limitMs))) {
      const start = starts[i]!;
      let end = ends[i]!;
      i++;
      while (
        i < count &&
        starts[i] === end + 1 &&
        bytes[end] === NEWLINE &&
        (timesMs[i]! < limitMs || (inclusive && timesMs[i]! === limitMs))
      ) {
        end = ends[i]!;
        i++;
      }
      // A line out of a hole ends before its newline.
      const open =
        bytes[end] === NEWLINE
          ? output.write(bytes, start, end + 1, lasting)
          : output.write(bytes, start, end, lasting) && output.newline();
      if (!open) return false;
    }
    this.next = i;
    if (i < count) this.headMs = timesMs[i]!;
    return true;
  }

  /** Where the block's bytes stand for good. A newline that was put behind the last line doesn't. */
  private lasting(): { fd: number; from: number } | null {
    const lasting = this.input?.lasting ?? null;
    if (lasting === null || this.exhausted) return null;
    return { fd: lasting.fd, from: lasting.from + this.base };
  }

  /** Hands the waiting lines to `visit` instead. Hot. */
  visit(visit: LineVisitor): void {
    const { bytes, table } = this.block!;
    const { starts, ends, timesMs, count } = table;
    for (let i = this.next; i < count; i++)
      visit(bytes, starts[i]!, ends[i]!, this.base + starts[i]!, timesMs[i]!);
    this.next = count;
  }

  close(): void {
    if (this.block !== null) this.options.pool.give(this.block);
    this.block = null;
    this.input?.close();
    this.input = null;
    this.ended = true;
    this.headMs = Number.POSITIVE_INFINITY;
  }
}

function isAllZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const to = Math.min(bytes.length, at + ZEROS.length);
    if (bytes.compare(ZEROS, 0, to - at, at, to) !== 0) return false;
  }
  return true;
}
