// The most frequent of any number of names, in bounded memory. Names go in one by one; the largest counts come out, exact as long as
// the names have room, and with a bound for the error after that (Space-Saving, with the smallest dropped in batches). Hot.

export interface Counted {
  name: string;
  /** Never too low; too high by `errorMax` at most. */
  count: number;
  /** Bytes that were added with it, since the name has had a place. */
  bytes: number;
  errorMax: number;
}

export class TopNames {
  private readonly capacity: number;
  private readonly names = new Map<string, Counted>();
  /** What a name may have been counted before it lost its place. */
  private droppedMax = 0;

  /** @param capacity names that may be kept when their number has reached twice as much */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  add(name: string, bytes: number): void {
    const known = this.names.get(name);
    if (known !== undefined) {
      known.count++;
      known.bytes += bytes;
      return;
    }
    if (this.names.size >= 2 * this.capacity) this.dropSmallest();
    this.names.set(name, { name, count: this.droppedMax + 1, bytes, errorMax: this.droppedMax });
  }

  /** Largest first. */
  top(count: number): Counted[] {
    return this.sorted().slice(0, count);
  }

  /** How many names there were; null when they were too many to know. */
  get distinct(): number | null {
    return this.droppedMax === 0 ? this.names.size : null;
  }

  private sorted(): Counted[] {
    return [...this.names.values()].sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
  }

  /** Those with the smallest counts, all of the same count at once; without sorting, because this is hot. */
  private dropSmallest(): void {
    const namesByCount = new Map<number, number>();
    for (const { count } of this.names.values()) namesByCount.set(count, (namesByCount.get(count) ?? 0) + 1);
    let dropMax = 0;
    let kept = this.names.size;
    for (const count of [...namesByCount.keys()].sort((a, b) => a - b)) {
      if (kept <= this.capacity) break;
      kept -= namesByCount.get(count) ?? 0;
      dropMax = count;
    }
    for (const [name, { count }] of this.names) if (count <= dropMax) this.names.delete(name);
    this.droppedMax = Math.max(this.droppedMax, dropMax);
  }
}
