// Follows the sizes of files below managed paths with a size filter, event by event in the kernel's order, and tells how large
// a file was that is gone. Never tells the size of another file that had the name before or has it now: what can't be known is
// not known, and passes.
import { TYPE_BITS } from "../event.ts";
import type { Occurrence } from "../resolve/occurrence.ts";
import { LastSizes } from "./last-size.ts";

/** After these the file under the name has another size than was known. */
const CHANGES = TYPE_BITS.CREATE | TYPE_BITS.MODIFY | TYPE_BITS.CLOSE_WRITE;
const TELLS = CHANGES | TYPE_BITS.MOVED_TO;
const GONE = TYPE_BITS.DELETE | TYPE_BITS.DELETE_SELF | TYPE_BITS.MOVED_FROM;

/** What the batch has learned: the disk was asked after all of it, so it says nothing of events within it. */
interface Learned {
  place: number;
  name: Uint8Array;
  sizeBytes: number;
}

/** Whether an occurrence is of use for the sizes of files, wanted or not. Hot. */
export function tellsSize(one: Occurrence): boolean {
  return !one.directory && one.error === 0 && (one.mask & (TELLS | TYPE_BITS.DELETE)) !== 0;
}

export class SizeFilter {
  /** By name; and, with the place's number inverted, of the last file that lost the name and may die under it later. */
  private readonly known = new LastSizes();
  private readonly learned = new Map<string, Learned>();

  /**
   * Takes notice of an occurrence; call it in order, for each that concerns a path with a size filter. Hot.
   *
   * @param place number of the place of its directory
   * @param sizeBytes what the disk says of the name now; -1 when it isn't known
   * @returns the last known size of what is gone by this occurrence; -1 when it isn't known, or nothing is gone
   */
  follow(one: Occurrence, place: number, sizeBytes: number): number {
    const { mask, bytes, nameAt, nameBytes } = one;
    if (one.directory || one.error !== 0 || (mask & (TELLS | GONE)) === 0) return -1;
    // The death of what has lost its name before, held open or overwritten by a rename: the name may be another file's by now.
    if (one.gone && (mask & (TELLS | GONE)) === TYPE_BITS.DELETE_SELF) {
      return this.known.get(~place, bytes, nameAt, nameBytes);
    }
    const beforeBytes = this.known.get(place, bytes, nameAt, nameBytes);
    // Changed and gone within one event: the size in between was never seen.
    const lastBytes = (mask & GONE) !== 0 && (mask & CHANGES) === 0 ? beforeBytes : -1;
    if ((mask & TYPE_BITS.DELETE) !== 0) this.known.set(~place, bytes, nameAt, nameBytes, lastBytes);
    else if ((mask & TYPE_BITS.MOVED_TO) !== 0) this.known.set(~place, bytes, nameAt, nameBytes, beforeBytes);
    const key = keyOf(one, place);
    this.learned.delete(key);
    if ((mask & TELLS) === 0) return lastBytes;
    this.known.set(place, bytes, nameAt, nameBytes, -1);
    if (sizeBytes >= 0) {
      this.learned.set(key, { place, name: bytes.slice(nameAt, nameAt + nameBytes), sizeBytes });
    }
    return lastBytes;
  }

  /** What was learned counts from the next batch on. */
  endBatch(): void {
    if (this.learned.size === 0) return;
    for (const { place, name, sizeBytes } of this.learned.values()) {
      this.known.set(place, name, 0, name.length, sizeBytes);
    }
    this.learned.clear();
  }
}

function keyOf({ bytes, nameAt, nameBytes }: Occurrence, place: number): string {
  return `${place}:${Buffer.from(bytes.buffer, bytes.byteOffset + nameAt, nameBytes).toString("latin1")}`;
}
