// The renames of each object since the queue was last seen empty: what the kernel can have merged with what came later. In: renames
// that some managed path sees. Out: which objects came back to where they had been, and which names files have left.
import { DIR_AT, type EventBatch, NEW_DIR_AT, NUMBER, OBJECT_AT, OBJECT_BYTES } from "../decode/fan.ts";
import type { Filesystem } from "./filesystems/filesystem.ts";
import { entryKey, objectKey } from "./keys.ts";
import type { Occurrence } from "./occurrence.ts";
import type { Watch } from "./watch.ts";

/** The renames of one object. */
export interface Journey {
  fs: Filesystem;
  directory: boolean;
  handle: Uint8Array;
  /** Managed paths that it is, or leads to. */
  led: Set<Watch>;
  /** Each entry that it left (entryKey) → the number of the process that did it. */
  left: Map<string, number>;
  /** The entry that the last rename gave it. */
  at: string;
  /** What was told of it in this batch. */
  occurrences: Occurrence[];
  /** It came back to a place it had left: the kernel merges equal renames, so how often and which one last isn't known. */
  circular: boolean;
}

export class Journeys {
  private readonly journeys = new Map<string, Journey>();

  /** Another batch. */
  begin(): void {
    for (const journey of this.journeys.values()) journey.occurrences.length = 0;
  }

  /** The queue was read to its end: what is done from now on isn't merged with what was. */
  clear(): void {
    if (this.journeys.size > 0) this.journeys.clear();
  }

  /** Hot. The renames of this event's object; undefined for none. */
  of(fs: Filesystem, batch: EventBatch, i: number): Journey | undefined {
    return this.journeys.size === 0 ? undefined : this.journeys.get(objectKey(fs, batch, i));
  }

  /** A rename is told. */
  travel(fs: Filesystem, batch: EventBatch, i: number, directory: boolean): Journey {
    const key = objectKey(fs, batch, i);
    let journey = this.journeys.get(key);
    if (journey === undefined) {
      const at = batch.get(i, OBJECT_AT);
      const handle = Uint8Array.from(batch.bytes.subarray(at, at + batch.get(i, OBJECT_BYTES)));
      const [led, left] = [new Set<Watch>(), new Map<string, number>()];
      journey = { fs, directory, handle, led, left, at: "", occurrences: [], circular: false };
      this.journeys.set(key, journey);
    }
    journey.at = entryKey(batch, i, NEW_DIR_AT);
    if (journey.left.has(journey.at)) journey.circular = true;
    journey.left.set(entryKey(batch, i, DIR_AT), batch.get(i, NUMBER));
    return journey;
  }

  /** Those of this batch that came back. */
  *circular(): Iterable<Journey> {
    for (const journey of this.journeys.values())
      if (journey.circular && journey.occurrences.length > 0) yield journey;
  }
}
