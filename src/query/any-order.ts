// The runs of a file whose lines may stand in any order: the stretches that happen to be sorted, where they are few (logs put
// one after the other), or else sorted chunks in a temporary file. Memory stays the same whatever the size.
import type { ByteInput } from "./input.ts";
import { LineRun, type LineVisitor, type RunOptions } from "./run.ts";
import { SortChunk } from "./sort-chunk.ts";
import { Spool, type Stored } from "./spool.ts";

const NEWLINE = 10;
/** More sorted stretches than this and reading to and fro between them costs more than sorting. */
const STRETCHES_MAX = 64;
/** Sorted in memory at a time. */
const CHUNK_BYTES = 4 * 1024 * 1024;

interface Stretch {
  headMs: number;
  from: number;
  to: number;
}

export interface AnyOrder {
  runs: LineRun[];
  /**
   * The whole answer, as it stands in one piece and in order, but perhaps for the last newline; null when it isn't so simple.
   */
  verbatim: (() => ByteInput) | null;
  close(): void;
}

/**
 * @param order of the first run; further runs get slightly larger ones
 * @param options bad lines are counted once, though lines may be read twice
 */
export async function runsInAnyOrder(stored: Stored, order: number, options: RunOptions): Promise<AnyOrder> {
  let bad = 0;
  options.progress.expect(2 * stored.sizeBytes);
  const counting = { ...options, onBadLine: () => bad++ };
  const sorted = await sortedStretches(stored, counting);
  if (sorted === null) {
    const spool = new Spool();
    const chunks = await sortedChunks(stored, options, spool);
    const runs = asRuns(chunks, order, options, (from, to) => spool.input(from, to));
    return { runs, verbatim: null, close: () => spool.close() };
  }
  for (let i = 0; i < bad; i++) options.onBadLine?.();
  const { stretches, wantedBytes, end } = sorted;
  const [only, second] = stretches;
  const inOnePiece = only !== undefined && second === undefined && end - only.from === wantedBytes;
  return {
    runs: asRuns(stretches, order, options, (from, to) => stored.input(from, to)),
    verbatim: inOnePiece ? () => stored.input(only.from, Math.min(end, stored.sizeBytes)) : null,
    close: () => {},
  };
}

function asRuns(
  parts: readonly Stretch[],
  order: number,
  options: RunOptions,
  open: (from: number, to: number) => ByteInput,
): LineRun[] {
  const again = { ...options, onBadLine: null };
  return parts.map(({ headMs, from, to }, i) => {
    return new LineRun(order + i / (parts.length + 1), headMs, () => open(from, to), again);
  });
}

interface SortedStretches {
  stretches: Stretch[];
  /** Of the wanted lines, their newlines included; NaN when they don't stand there as they are to be printed. */
  wantedBytes: number;
  /** Behind the last wanted line; one behind the input's end when that line lacks its newline. */
  end: number;
}

/** Null when there are too many of them. */
async function sortedStretches(stored: Stored, options: RunOptions): Promise<SortedStretches | null> {
  const stretches: Stretch[] = [];
  let lastMs = Number.POSITIVE_INFINITY;
  let wantedBytes = 0;
  let end = 0;
  const goOnAt = (offset: number, timeMs: number) => {
    if (timeMs < lastMs) {
      const last = stretches.at(-1);
      if (last !== undefined) last.to = offset;
      stretches.push({ headMs: timeMs, from: offset, to: stored.sizeBytes });
    }
    lastMs = timeMs;
  };
  await eachLine(stored, options, {
    line(bytes, from, to, offset, timeMs) {
      goOnAt(offset, timeMs);
      // White space or zeros before the newline are not printed, so what stands there is not the answer.
      wantedBytes += bytes[to] === NEWLINE ? to - from + 1 : Number.NaN;
      end = offset + (to - from) + 1;
    },
    long({ offset, timeMs }) {
      goOnAt(offset, timeMs);
      wantedBytes = Number.NaN;
    },
    enough: () => stretches.length > STRETCHES_MAX,
  });
  return stretches.length <= STRETCHES_MAX ? { stretches, wantedBytes, end } : null;
}

async function sortedChunks(stored: Stored, options: RunOptions, spool: Spool): Promise<Stretch[]> {
  const chunks: Stretch[] = [];
  const chunk = new SortChunk(CHUNK_BYTES);
  const flush = () => {
    const from = spool.sizeBytes;
    const headMs = chunk.flush(spool);
    if (headMs !== null) chunks.push({ headMs, from, to: spool.sizeBytes });
  };
  await eachLine(stored, options, {
    line(bytes, from, to, _offset, timeMs) {
      if (chunk.add(bytes, from, to, timeMs)) return;
      flush();
      chunk.add(bytes, from, to, timeMs);
    },
    // A chunk by itself.
    long(line) {
      flush();
      const from = spool.sizeBytes;
      line.copyTo((bytes) => {
        spool.write(bytes);
        return true;
      });
      spool.write(Uint8Array.of(NEWLINE));
      chunks.push({ headMs: line.timeMs, from, to: spool.sizeBytes });
    },
    enough: () => false,
  });
  flush();
  return chunks;
}

/** Every wanted line, in the file's order, until the visitor has had enough. */
async function eachLine(
  stored: Stored,
  options: RunOptions,
  visitor: LineVisitor & { enough(): boolean },
): Promise<void> {
  const whole = new LineRun(0, Number.NEGATIVE_INFINITY, () => stored.input(0, stored.sizeBytes), options);
  try {
    while (!visitor.enough()) {
      const loading = whole.load();
      if (loading !== undefined) await loading;
      if (!whole.loaded) return;
      whole.visit(visitor);
    }
  } finally {
    whole.close();
  }
}
