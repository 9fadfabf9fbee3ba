// What a filesystem needs that lets only single directories be marked (default overlayfs, FUSE). A directory that was
// just made is marked a moment later, and what happened in it before sent no event: it is marked, then read, and what
// was found there without an event is told as found.
//
// Marking the layer below an overlay instead was weighed: one mark, no such race. But its events carry the layer's
// names (copies under "#5", whiteouts, renames in the work directory), reads of a file that was never changed are in
// another layer, and inside a container that layer can't be reached at all.
import type { Place, Watch } from "../watch.ts";
import { isTold, type Newborn } from "./newborn.ts";
import type { Survey } from "./survey.ts";

/** A directory that wasn't where the tree has it: renamed since, and the event still queued. */
const ATTEMPTS_MAX = 3;

export class InodeMarks {
  /** Directories whose beginning isn't settled yet, the older first, so that parents are told before children. */
  readonly newborns = new Map<number, Newborn>();
  /** Known directories that left a marked one for one that wasn't, while there were such ones. */
  readonly strayed = new Set<number>();
  /** Where reading has shown directories that the tree has where the event of their leaving, still queued, takes them from. */
  readonly seen = new Map<number, { parent: number; name: Uint8Array }>();
  /** While the tree is compared with the disk after a loss: what the disk had. */
  survey: Survey | null = null;
  private readonly missed = new Map<number, number>();
  /** Managed paths with directories that can't be marked or read, and the first of these, in words. */
  private readonly unmarked = new Map<Watch, string>();

  /** A directory was made: whatever is in it was made since. */
  born(node: number): void {
    if (this.newborns.has(node)) return;
    this.newborns.set(node, { told: new Set(), found: new Map(), read: false });
  }

  /** What reading a newborn directory showed. */
  found(node: number, name: string, directory: boolean): void {
    const newborn = this.newborns.get(node);
    if (newborn !== undefined && !isTold(newborn, name)) newborn.found.set(name, directory);
  }

  /** It was marked before and read now: once all events that are queued by then are told, the rest is settled. */
  read(node: number): void {
    const newborn = this.newborns.get(node);
    if (newborn !== undefined) newborn.read = true;
    this.missed.delete(node);
  }

  /** It wasn't there. Returns whether to try again once the queue was read. */
  miss(node: number): boolean {
    const attempts = (this.missed.get(node) ?? 0) + 1;
    this.missed.set(node, attempts);
    if (attempts < ATTEMPTS_MAX) return true;
    this.forget(node);
    return false;
  }

  /** It is there and can't be marked, or not be read. */
  lost(place: Place, reason: string): void {
    if (this.unmarked.has(place.watch)) return;
    const path = Buffer.from(place.path).toString();
    this.unmarked.set(place.watch, `${path} can't be watched, nor perhaps others: ${reason}`);
  }

  get hasLost(): boolean {
    return this.unmarked.size > 0;
  }

  /** What was lost since this was asked last. */
  takeLost(): Map<Watch, string> {
    const lost = new Map(this.unmarked);
    this.unmarked.clear();
    return lost;
  }

  /** True when some wait for nothing but the end of the queue. */
  get hasUnsettled(): boolean {
    for (const { read } of this.newborns.values()) if (read) return true;
    return false;
  }

  forget(node: number): void {
    this.newborns.delete(node);
    this.missed.delete(node);
  }

  /** The directory is gone. */
  remove(node: number): void {
    this.forget(node);
    this.strayed.delete(node);
    this.seen.delete(node);
  }

  /** The queue was read to its end. `whole`: nothing is to be marked or read, so what went astray is outside. */
  caughtUp(whole: boolean): void {
    this.seen.clear();
    if (whole) this.strayed.clear();
  }

  /** Events were lost: what is known of beginnings is worth nothing. */
  clear(): void {
    this.newborns.clear();
    this.missed.clear();
    this.strayed.clear();
    this.seen.clear();
  }
}
