// How many events came when, in bounded memory and without knowing the range before: buckets that grow with it. Times go in; counts
// for spans that people think in (a minute, an hour, a day), in local time, come out. Hot.

const SECOND_MS = 1000;
/** Each divides the next, so that fine buckets can be added up to coarse ones. */
const SPANS_MS = [
  1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800, 6_048_000, 60_480_000,
  1_209_600_000,
].map((seconds) => seconds * SECOND_MS);
/** More fine buckets than this and they are added up; ten times what is shown at the end. */
const BUCKETS_MAX = 1024;
const MINUTE_MS = 60_000;

export interface Bucket {
  fromMs: number;
  toMs: number;
  count: number;
}

export class Histogram {
  private counts = new Map<number, number>();
  private level = 0;
  /** Of the first event: days and hours begin when they do for people here. */
  private offsetMs: number | null = null;
  private known = { index: Number.NaN, count: 0 };

  add(timeMs: number): void {
    this.offsetMs ??= -new Date(timeMs).getTimezoneOffset() * MINUTE_MS;
    if (this.indexOf(timeMs) !== this.known.index) {
      // May make the buckets coarser, so the place is looked up again.
      this.store();
      this.known.index = this.indexOf(timeMs);
    }
    this.known.count++;
  }

  private indexOf(timeMs: number): number {
    return Math.floor((timeMs + (this.offsetMs ?? 0)) / SPANS_MS[this.level]!);
  }

  /** Without a hole from the first event to the last, empty ones included. */
  buckets(countMax: number): Bucket[] {
    this.store();
    if (this.counts.size === 0) return [];
    let indices = [...this.counts.keys()];
    while (Math.max(...indices) - Math.min(...indices) >= countMax && this.level < SPANS_MS.length - 1) {
      this.coarsen();
      indices = [...this.counts.keys()];
    }
    const spanMs = SPANS_MS[this.level]!;
    const first = Math.min(...indices);
    const length = Math.min(Math.max(...indices) - first + 1, BUCKETS_MAX);
    return Array.from({ length }, (_, i) => {
      const fromMs = (first + i) * spanMs - (this.offsetMs ?? 0);
      return { fromMs, toMs: fromMs + spanMs, count: this.counts.get(first + i) ?? 0 };
    });
  }

  private store(): void {
    const { index, count } = this.known;
    this.known = { index: Number.NaN, count: 0 };
    if (count === 0) return;
    this.counts.set(index, (this.counts.get(index) ?? 0) + count);
    while (this.counts.size > BUCKETS_MAX && this.level < SPANS_MS.length - 1) this.coarsen();
  }

  private coarsen(): void {
    const times = SPANS_MS[this.level + 1]! / SPANS_MS[this.level]!;
    this.level++;
    const coarse = new Map<number, number>();
    for (const [index, count] of this.counts) {
      const at = Math.floor(index / times);
      coarse.set(at, (coarse.get(at) ?? 0) + count);
    }
    this.counts = coarse;
  }
}
