// One sorted run of lines on its way into the merge: reads a block, keeps the lines that are wanted, and hands them on in
// spans as long as possible. Bytes come from an input, spans of whole lines leave; a block is the whole memory of a run. Hot.
import type { Block, BlockPool } from "./block-pool.ts";
import type { ByteInput } from "./input.ts";
import { type LineTable, scanLines } from "./line-table.ts";
import { LONG_LINE_BYTES } from "./long-line.ts";
import { parseKeys, readOddLine } from "./odd-line.ts";
import type { LineOutput } from "./output.ts";
import type { Progress } from "./progress.ts";
import { SpooledLine } from "./spooled-line.ts";
import { gapTouches, type PathFilter, stateTypeOf, type TimeRange } from "./wanted.ts";

const NEWLINE = 10;

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

export interface LineVisitor {
  /** A line in [start, end) of a block that is only valid during the call; `offset` is its place in the input. */
  line(bytes: Buffer, start: number, end: number, offset: number, timeMs: number): void;
  /** A line that is too long for a block. */
  long(line: SpooledLine): void;
}

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
  /** The line that the block is too small for, as far as it was read. */
  private unfinished: SpooledLine | null = null;
  /** Such a line, whole and wanted; it comes before everything in the block. */
  private long: SpooledLine | null = null;
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
    return this.long !== null || (this.block !== null && this.next < this.block.table.count);
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
      if (this.long !== null) {
        this.headMs = this.long.timeMs;
        return;
      }
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
    const newline = added.lastIndexOf(NEWLINE);
    if (newline >= 0) this.wholeEnd = this.have + newline + 1;
    this.have += count;
    if (this.unfinished !== null) this.goOn(this.unfinished, added);
  }

  /** The block begins with more of a long line. */
  private goOn(line: SpooledLine, block: Buffer): void {
    const newline = block.indexOf(NEWLINE);
    line.push(newline < 0 ? block : block.subarray(0, newline));
    if (newline >= 0) {
      this.scanned = newline + 1;
      if (!this.endLong(line)) this.options.onBadLine?.();
      return;
    }
    this.base += this.have;
    this.have = 0;
  }

  /** @returns false for a line that is no event, though no hole explains it */
  private endLong(line: SpooledLine): boolean {
    this.unfinished = null;
    const verdict = line.end();
    if (verdict.kind === "event" && this.wantsOdd(verdict)) this.long = line;
    else line.close();
    return verdict.kind !== "bad";
  }

  /**
   * At the end of the input: a last line that lacks nothing but its newline gets it. What is not a whole event is being written, or
   * was torn: no fault.
   *
   * @returns false when there is no such line
   */
  private endLastLine(): boolean {
    const { bytes } = this.block!;
    if (this.unfinished !== null) {
      this.endLong(this.unfinished);
      this.exhausted = true;
      return this.long !== null;
    }
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

  /** Moves an unfinished line to the block's beginning. A line longer than the block makes it grow, until it is a long line. */
  private makeRoom(block: Block): void {
    if (this.scanned > 0) {
      block.bytes.copyWithin(0, this.scanned, this.have);
      this.have -= this.scanned;
      this.base += this.scanned;
      this.scanned = 0;
      this.wholeEnd = 0;
    }
    if (this.have < block.bytes.length) return;
    if (block.bytes.length < LONG_LINE_BYTES) {
      block.grow();
      return;
    }
    this.unfinished = new SpooledLine(this.base);
    this.goOn(this.unfinished, block.bytes);
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
    if (line.kind !== "event" || !this.wantsOdd(line)) return false;
    table.starts[kept] = line.start;
    table.ends[kept] = line.end;
    table.timesMs[kept] = line.timeMs;
    return true;
  }

  private wantsOdd({ timeMs, keys }: { timeMs: number; keys: Record<string, unknown> }): boolean {
    const { range, paths } = this.options;
    const inRange = timeMs >= range.sinceMs && timeMs < range.untilMs;
    return (inRange || gapTouches(keys, range)) && (paths?.wantsKeys(keys) ?? true);
  }

  /**
   * Hands on the waiting lines up to a time, in spans. Hot.
   *
   * @param inclusive lines of exactly `limitMs` too
   * @returns false when the output is closed
   */
  emit(limitMs: number, inclusive: boolean, output: LineOutput): boolean {
    if (this.long !== null) return this.emitLong(this.long, limitMs, inclusive, output);
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

  private emitLong(line: SpooledLine, limitMs: number, inclusive: boolean, output: LineOutput): boolean {
    if (line.timeMs > limitMs || (line.timeMs === limitMs && !inclusive)) return true;
    this.long = null;
    const open = line.copyTo((bytes) => output.write(bytes, 0, bytes.length, null)) && output.newline();
    line.close();
    return open;
  }

  /** Where the block's bytes stand for good. A newline that was put behind the last line doesn't. */
  private lasting(): { fd: number; from: number } | null {
    const lasting = this.input?.lasting ?? null;
    if (lasting === null || this.exhausted) return null;
    return { fd: lasting.fd, from: lasting.from + this.base };
  }

  /** Hands the waiting lines to `visit` instead. Hot. */
  visit(visitor: LineVisitor): void {
    if (this.long !== null) {
      visitor.long(this.long);
      this.long.close();
      this.long = null;
      return;
    }
    const { bytes, table } = this.block!;
    const { starts, ends, timesMs, count } = table;
    for (let i = this.next; i < count; i++)
      visitor.line(bytes, starts[i]!, ends[i]!, this.base + starts[i]!, timesMs[i]!);
    this.next = count;
  }

  close(): void {
    this.long?.close();
    this.unfinished?.close();
    this.long = null;
    this.unfinished = null;
    if (this.block !== null) this.options.pool.give(this.block);
    this.block = null;
    this.input?.close();
    this.input = null;
    this.ended = true;
    this.headMs = Number.POSITIVE_INFINITY;
  }
}
