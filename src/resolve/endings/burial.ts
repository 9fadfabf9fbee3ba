// Directories that are gone leave the tree after the batch, because events of what was in them may still come; where they were is
// remembered for a while, because files in them may still be open.
import type { EventBatch } from "../../decode/fan.ts";
import { OBJECT_AT, PID } from "../../decode/fan.ts";
import type { Filesystem } from "../filesystems/filesystem.ts";
import { NOT_FOUND } from "../filesystems/tree.ts";
import { handleKey } from "../keys.ts";
import { NO_PLACES, type Place } from "../watch.ts";
import type { Grave, Graves } from "./graves.ts";

export class Burials {
  private readonly gone: { fs: Filesystem; node: number; pid: number }[] = [];

  constructor(private readonly graves: Graves) {}

  /** The directory that this event says is gone, if the tree knows it. */
  laterObject(fs: Filesystem, batch: EventBatch, event: number): void {
    const at = batch.get(event, OBJECT_AT);
    const node = at < 0 ? NOT_FOUND : fs.tree.find(batch.bytes, at);
    if (node !== NOT_FOUND) this.later(fs, node, batch.get(event, PID));
  }

  /** @param pid who removed it */
  later(fs: Filesystem, node: number, pid: number): void {
    this.gone.push({ fs, node, pid });
  }

  /** After the batch. */
  bury(): void {
    for (const { fs, node, pid } of this.gone) {
      if (!fs.tree.has(node)) continue;
      const places = fs.placesOf(node).filter((place) => place.onlyName === null);
      const handle = fs.tree.handleOf(node);
      if (places.length > 0) {
        this.graves.buryDirectory(handle, handleKey(fs, handle, 0, handle.length), places, pid);
      }
      fs.forgetNode(node);
    }
    this.gone.length = 0;
  }

  /** Who removed a directory in this batch; undefined for one that nobody has. */
  removerOf(fs: Filesystem, node: number): number | undefined {
    return this.gone.findLast((one) => one.fs === fs && one.node === node)?.pid;
  }

  /** Hot. Places of a directory that is gone, by the handle in a column of the event; none when it isn't remembered. */
  placesOf(fs: Filesystem, batch: EventBatch, event: number, column: number): readonly Place[] {
    return this.graveOf(fs, batch, event, column)?.places ?? NO_PLACES;
  }

  /** Hot. The same with who removed it. */
  graveOf(fs: Filesystem, batch: EventBatch, event: number, column: number): Grave | null {
    const at = batch.get(event, column);
    if (!this.graves.mayHoldDirectory(batch.bytes, at)) return null;
    const grave = this.graves.find(handleKey(fs, batch.bytes, at, batch.get(event, column + 1)));
    return grave?.directory === true ? grave : null;
  }
}
