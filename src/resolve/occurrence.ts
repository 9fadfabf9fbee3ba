// What happened to which object, as the resolver hands it on: one occurrence for one kernel event (two for a
// rename), from which the writer makes a line per type and managed path. Pooled: a batch of thousands
// allocates none.
import { type EventBatch, OBJECT_AT, OBJECT_BYTES } from "../decode/fan.ts";
import type { Filesystem } from "./filesystems/filesystem.ts";
import type { Rescan } from "./filesystems/rescan.ts";
import { NO_PLACES, type Place } from "./watch.ts";

export class Occurrence {
  /** Type bits (src/event.ts); order.ts says in which order they become lines. */
  mask = 0;
  pid = 0;
  /** Places of the directory that holds the object, or of the directory itself when nameBytes is 0. */
  places: readonly Place[] = NO_PLACES;
  /** The name, raw bytes, inside `bytes`; valid until the next batch is read. */
  bytes: Uint8Array = NO_BYTES;
  nameAt = 0;
  nameBytes = 0;
  directory = false;
  /** The kernel had merged operations whose order or number can't be known. */
  merged = false;
  exchange = false;
  /** A rename gave the object this name. */
  moved = false;
  /** The object has lost this name: whatever the name stands for now is something else, and its size another's. */
  gone = false;
  /** The kernel has merged its removal into this event: whatever its name stands for now may be something else. */
  unlinked = false;
  /**
   * Absolute path of a rename's other end: `to` for MOVED_FROM, `from` for MOVED_TO; null where unknown or no
   * rename.
   */
  otherEnd: Uint8Array | null = null;
  /** Found by reading a directory: nobody knows who did it, nor when. */
  found = false;
  /** After which loss it was found; it bounds how much is told. */
  rescan: Rescan | null = null;
  /** FS_ERROR: errno and count. */
  error = 0;
  errorCount = 0;
  /** The object's filesystem and its handle in `bytes`; -1 where the event carries none. */
  filesystem: Filesystem | null = null;
  objectAt = -1;
  objectBytes = 0;
  /** A file that was renamed later in the batch: where it is now, for its size. */
  renamedTo: Occurrence | null = null;
  /** Takes the object from an event, and the name that it is told under. */
  concerns(fs: Filesystem, batch: EventBatch, i: number, nameAt: number, nameBytes: number): void {
    this.bytes = batch.bytes;
    this.nameAt = nameAt;
    this.nameBytes = nameBytes;
    this.filesystem = fs;
    this.objectAt = batch.get(i, OBJECT_AT);
    this.objectBytes = batch.get(i, OBJECT_BYTES);
  }

  /** The pipeline's own: index of the size in the batch's SizeBatch; -1 where none was asked for. */
  sizeIndex = -1;
}

const NO_BYTES = new Uint8Array(0);

/** The occurrences of one batch, in kernel order. */
export class Occurrences {
  private readonly pool: Occurrence[] = [];
  count = 0;

  clear(): void {
    this.count = 0;
  }

  at(index: number): Occurrence {
    return this.pool[index]!;
  }

  /** A fresh occurrence at the end. */
  add(mask: number, pid: number, places: readonly Place[], directory: boolean): Occurrence {
    let one = this.pool[this.count];
    if (one === undefined) {
      one = new Occurrence();
      this.pool.push(one);
    }
    this.count++;
    one.mask = mask;
    one.pid = pid;
    one.places = places;
    one.directory = directory;
    one.bytes = NO_BYTES;
    one.nameAt = 0;
    one.nameBytes = 0;
    one.merged = false;
    one.exchange = false;
    one.gone = false;
    one.moved = false;
    one.unlinked = false;
    one.otherEnd = null;
    one.found = false;
    one.rescan = null;
    one.error = 0;
    one.filesystem = null;
    one.objectAt = -1;
    one.renamedTo = null;
    one.sizeIndex = -1;
    return one;
  }
}
