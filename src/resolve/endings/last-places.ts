// Where in the event queue the last thing happened in a directory. For directories that were made and removed before anybody read: the
// kernel tells of both at the place of the making, and the removal is told behind everything that happened inside. By a hash of the
// handle: two directories with the same one end late at worst.
import { DIR_AT, type EventBatch, MASK, NEW_DIR_AT, OBJECT_AT } from "../../decode/fan.ts";
import { FAN_CREATE, FAN_DELETE, FAN_DELETE_SELF } from "../../kernel/abi.ts";
import { handleHash } from "../filesystems/tree.ts";

const MADE_AND_REMOVED = FAN_CREATE | FAN_DELETE;

export class LastPlaces {
  private readonly places = new Map<number, number>();
  /** Files that were made and removed within one event → their directories: the removal is told with the file's death. */
  private readonly directories = new Map<number, number>();
  indexedTo = 0;

  clear(): void {
    this.places.clear();
    this.directories.clear();
  }

  /** Takes in what a batch tells, from where the index ends on. */
  index(batch: EventBatch): void {
    if (this.indexedTo >= batch.endsAt) return;
    for (let i = 0; i < batch.count; i++) {
      const place = batch.placeOf(i);
      if (place < this.indexedTo) continue;
      const at = batch.get(i, DIR_AT);
      const objectAt = batch.get(i, OBJECT_AT);
      const mask = batch.get(i, MASK);
      if (at >= 0) {
        const directory = handleHash(batch.bytes, at);
        this.places.set(directory, place);
        if ((mask & MADE_AND_REMOVED) === MADE_AND_REMOVED && objectAt >= 0)
          this.directories.set(handleHash(batch.bytes, objectAt), directory);
      } else if (objectAt >= 0 && (mask & FAN_DELETE_SELF) !== 0) {
        const directory = this.directories.get(handleHash(batch.bytes, objectAt));
        if (directory !== undefined) this.places.set(directory, place);
      }
      const newAt = batch.get(i, NEW_DIR_AT);
      if (newAt >= 0) this.places.set(handleHash(batch.bytes, newAt), place);
    }
    this.indexedTo = batch.endsAt;
  }

  /** @returns -1 when nothing is known to have happened in it */
  of(handle: Uint8Array, at: number): number {
    return this.places.get(handleHash(handle, at)) ?? -1;
  }
}
