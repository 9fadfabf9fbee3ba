// Merges sorted runs into one stream in time order. Runs go in, spans of lines leave in order; where one run alone is due, its
// lines pass in long spans and cost no comparison with the others. Linear in the lines, logarithmic in the runs.
import type { LineOutput } from "./output.ts";
import type { LineRun } from "./run.ts";

/**
 * @param pause waited for after each block, by whoever can't take everything at once
 * @returns false when the output was closed before the end
 */
export async function mergeRuns(
  runs: readonly LineRun[],
  output: LineOutput,
  pause: (() => Promise<void>) | null = null,
): Promise<boolean> {
  const heap: LineRun[] = [];
  for (const run of runs) push(heap, run);
  try {
    for (let run = heap[0]; run !== undefined; run = heap[0]) {
      if (!run.loaded) {
        if (pause !== null) await pause();
        const loading = run.load();
        if (loading !== undefined) await loading;
        if (run.loaded) siftDown(heap);
        else dropFirst(heap);
        continue;
      }
      const next = second(heap);
      const open =
        next === undefined
          ? run.emit(Number.POSITIVE_INFINITY, true, output)
          : run.emit(next.headMs, run.order < next.order, output);
      if (!open) return false;
      if (run.loaded) siftDown(heap);
      // An empty block keeps its last headMs as a lower bound; the next turn loads it.
    }
    return output.flush();
  } finally {
    for (const run of runs) run.close();
  }
}

function isBefore(a: LineRun, b: LineRun): boolean {
  return a.headMs < b.headMs || (a.headMs === b.headMs && a.order < b.order);
}

function push(heap: LineRun[], run: LineRun): void {
  let at = heap.push(run) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!isBefore(run, heap[parent]!)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = run;
}

/** Puts the first run, whose head has moved on, to its place. */
function siftDown(heap: LineRun[]): void {
  const run = heap[0]!;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
    if (!isBefore(heap[child]!, run)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = run;
}

function dropFirst(heap: LineRun[]): void {
  const last = heap.pop()!;
  if (heap.length === 0) return;
  heap[0] = last;
  siftDown(heap);
}

function second(heap: LineRun[]): LineRun | undefined {
  const left = heap[1];
  const right = heap[2];
  if (left === undefined || right === undefined) return left;
  return isBefore(right, left) ? right : left;
}
