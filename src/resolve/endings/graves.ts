// What names had that are gone: a file that was unlinked while somebody held it open dies later, and its
// DELETE_SELF carries no name; a file open in a directory that was removed still reports with that
// directory's handle. Bounded; the oldest go first.
import type { Place } from "../watch.ts";

/** Where a removed object was. */
export interface Grave {
  places: readonly Place[];
  /** Name in the places' directory; empty for a directory whose places are its own. */
  name: Uint8Array;
  directory: boolean;
  /** Who removed it. Its death can come by our own hand: we hold a file for the moment in which its size is asked for. */
  pid: number;
}

/**
 * Objects remembered. A file's entry costs about 300 bytes, so 5 MB at the most; unlinked files that are still open number
 * hundreds on a busy machine.
 */
const GRAVES_MAX = 16384;
/**
 * Of them directories, which keep their places with the path in several forms, some 4 KB each (measured): 8 MB. They are needed
 * only while something in them is held open, but nothing ever says that it isn't any more.
 */
const DIRECTORY_GRAVES_MAX = 2048;

export class Graves {
  private readonly graves = new Map<string, Grave>();
  /** Their keys, the oldest first. */
  private readonly directories = new Set<string>();
  /**
   * One flag per handle hash: says cheaply that a directory can't be here, which is the answer for nearly all
   * that is out of scope.
   */
  private readonly directoryFlags = new Uint8Array(FLAGS);

  bury(key: string, grave: Grave): void {
    this.forget(key);
    this.graves.set(key, grave);
    if (this.graves.size > GRAVES_MAX) this.forgetOldest(this.graves.keys());
  }

  /** @param handle the directory's handle record, of which `key` is made */
  buryDirectory(handle: Uint8Array, key: string, places: readonly Place[], pid: number): void {
    this.directoryFlags[flagOf(handle, 0)] = 1;
    this.bury(key, { places, name: NO_NAME, directory: true, pid });
    this.directories.add(key);
    if (this.directories.size > DIRECTORY_GRAVES_MAX) this.forgetOldest(this.directories);
  }

  /** Hot. False when no directory with this handle was buried. */
  mayHoldDirectory(bytes: Uint8Array, handleAt: number): boolean {
    return this.directoryFlags[flagOf(bytes, handleAt)] !== 0;
  }

  find(key: string): Grave | undefined {
    return this.graves.size === 0 ? undefined : this.graves.get(key);
  }

  forget(key: string): void {
    this.graves.delete(key);
    if (this.directories.size > 0) this.directories.delete(key);
  }

  private forgetOldest(keys: Iterable<string>): void {
    for (const oldest of keys) {
      this.forget(oldest);
      return;
    }
  }

  get empty(): boolean {
    return this.graves.size === 0;
  }

  clear(): void {
    this.graves.clear();
    this.directories.clear();
  }
}

const NO_NAME = new Uint8Array(0);
const FLAGS = 1 << 16;

function flagOf(bytes: Uint8Array, handleAt: number): number {
  let h = 0x811c9dc5;
  const end = handleAt + 8 + bytes[handleAt]!;
  for (let i = handleAt + 8; i < end; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  return (h ^ (h >>> 16)) & (FLAGS - 1);
}
