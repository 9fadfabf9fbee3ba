// The sizes that files had when they were last looked at, for what is gone: so that --min-size can judge a deleted file, and
// its line can say how large it was. Kept only for managed paths with a size filter, in a table of fixed size in which a new
// size may take the place of an older one: a file that isn't in it has no known size, and passes.
//
// A file is known by the place of its directory and its name. A directory that is renamed gets new places, so what was
// remembered below it is forgotten rather than taken for something else.

/** 65,536 files, 16 B each: 1 MiB, made when the first size is remembered. */
const SETS = 1 << 14;
const WAYS = 4;

const UNKNOWN = -1;

/** Hot: one look costs a hash of the name and four comparisons. */
export class LastSizes {
  /** Two halves of a 64-bit hash; 0, 0 is an empty way. */
  private low = new Uint32Array(0);
  private high = new Uint32Array(0);
  private sizes = new Float64Array(0);
  private next = 0;
  private hashLow = 0;
  private hashHigh = 0;

  /**
   * @param place number of the place of the file's directory
   * @returns bytes, or -1 when it isn't known
   */
  get(place: number, bytes: Uint8Array, nameAt: number, nameBytes: number): number {
    if (this.low.length === 0) return UNKNOWN;
    const at = this.find(place, bytes, nameAt, nameBytes);
    return at < 0 ? UNKNOWN : this.sizes[at]!;
  }

  /** Remembers a size; an unknown one (negative) forgets what was known. */
  set(place: number, bytes: Uint8Array, nameAt: number, nameBytes: number, sizeBytes: number): void {
    if (this.low.length === 0) {
      if (sizeBytes < 0) return;
      this.low = new Uint32Array(SETS * WAYS);
      this.high = new Uint32Array(SETS * WAYS);
      this.sizes = new Float64Array(SETS * WAYS);
    }
    let at = this.find(place, bytes, nameAt, nameBytes);
    if (sizeBytes < 0) {
      if (at >= 0) this.empty(at);
      return;
    }
    if (at < 0) {
      at = this.room();
      this.low[at] = this.hashLow;
      this.high[at] = this.hashHigh;
    }
    this.sizes[at] = sizeBytes;
  }

  private find(place: number, bytes: Uint8Array, nameAt: number, nameBytes: number): number {
    this.hash(place, bytes, nameAt, nameBytes);
    const first = this.firstWay();
    for (let at = first; at < first + WAYS; at++) {
      if (this.low[at] === this.hashLow && this.high[at] === this.hashHigh) return at;
    }
    return -1;
  }

  /** An empty way of the set, or else one that takes its turn. */
  private room(): number {
    const first = this.firstWay();
    for (let at = first; at < first + WAYS; at++) if (this.low[at] === 0 && this.high[at] === 0) return at;
    this.next = (this.next + 1) % WAYS;
    return first + this.next;
  }

  private empty(at: number): void {
    this.low[at] = 0;
    this.high[at] = 0;
  }

  private firstWay(): number {
    return (this.hashHigh & (SETS - 1)) * WAYS;
  }

  /** FNV-1a twice, with two bases, and murmur3's last mixing: two names in 65,536 are alike once in 2^33 tables. */
  private hash(place: number, bytes: Uint8Array, nameAt: number, nameBytes: number): void {
    let low = Math.imul(place ^ 0x811c9dc5, 0x01000193);
    let high = Math.imul(place ^ 0x9e3779b9, 0x85ebca6b);
    const end = nameAt + nameBytes;
    for (let i = nameAt; i < end; i++) {
      const byte = bytes[i]!;
      low = Math.imul(low ^ byte, 0x01000193);
      high = Math.imul(high ^ byte, 0x5bd1e995) ^ (high >>> 15);
    }
    this.hashLow = mixed(low) || 1;
    this.hashHigh = mixed(high);
  }
}

function mixed(hash: number): number {
  let mixing = hash ^ (hash >>> 16);
  mixing = Math.imul(mixing, 0x85ebca6b);
  mixing ^= mixing >>> 13;
  mixing = Math.imul(mixing, 0xc2b2ae35);
  return (mixing ^ (mixing >>> 16)) >>> 0;
}
