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
  await eachLine(stored, options, (bytes, from, to, offset, timeMs) => {
    if (timeMs < lastMs) {
      const last = stretches.at(-1);
      if (last !== undefined) last.to = offset;
      stretches.push({ headMs: timeMs, from: offset, to: stored.sizeBytes });
    }
    lastMs = timeMs;
    // White space or zeros before the newline are not printed, so what stands there is not the answer.
    wantedBytes += bytes[to] === NEWLINE ? to - from + 1 : Number.NaN;
    end = offset + (to - from) + 1;
    return stretches.length <= STRETCHES_MAX;
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
  await eachLine(stored, options, (bytes, from, to, _offset, timeMs) => {
    if (!chunk.add(bytes, from, to, timeMs)) {
      flush();
      if (!chunk.add(bytes, from, to, timeMs)) {
        // Longer than a chunk: one by itself.
        const at = spool.sizeBytes;
        spool.write(bytes.subarray(from, to));
        spool.write(Uint8Array.of(10));
        chunks.push({ headMs: timeMs, from: at, to: spool.sizeBytes });
      }
    }
    return true;
  });
  flush();
  return chunks;
}

/** Every wanted line, in the file's order, until `visit` has had enough. */
async function eachLine(
  stored: Stored,
  options: RunOptions,
  visit: (...line: Parameters<LineVisitor>) => boolean,
): Promise<void> {
  const whole = new LineRun(0, Number.NEGATIVE_INFINITY, () => stored.input(0, stored.sizeBytes), options);
  try {
    for (let more = true; more; ) {
      const loading = whole.load();
      if (loading !== undefined) await loading;
      if (!whole.loaded) return;
      whole.visit((bytes, from, to, offset, timeMs) => {
        if (more) more = visit(bytes, from, to, offset, timeMs);
      });
    }
  } finally {
    whole.close();
  }
}
