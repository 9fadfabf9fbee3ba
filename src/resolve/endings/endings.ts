// The ends of things: removals that the kernel tells too early, by merging them into an older event, are told where they happened, and
// directories leave the tree when nothing of them can come any more. What waits for what: brief.ts and dying.ts.
import * as fan from "../../decode/fan.ts";
import * as abi from "../../kernel/abi.ts";
import { entryPlaces } from "../entry.ts";
import type { Filesystem } from "../filesystems/filesystem.ts";
import { NOT_FOUND } from "../filesystems/tree.ts";
import { objectKey } from "../keys.ts";
import type { Occurrences } from "../occurrence.ts";
import { entryGone, type StructureListener } from "../structure.ts";
import type { Place } from "../watch.ts";
import { BriefLives, type Held } from "./brief.ts";
import { Burials } from "./burial.ts";
import { DyingDirectories } from "./dying.ts";
import type { Graves } from "./graves.ts";
import type { HeldNames } from "./nameless.ts";
import { Unnamed } from "./unnamed.ts";

type Batch = fan.EventBatch;

/** The removal of a file's held names, and what is told of the file with the last of them. */
interface FileEnd {
  key: string;
  types: number;
}

export class Endings implements HeldNames {
  readonly burials: Burials;
  readonly dying: DyingDirectories;
  readonly unnamed: Unnamed;
  private readonly brief = new BriefLives();
  /** Files whose names are told behind the event at a place. */
  private readonly filesDue = new Map<number, FileEnd>();

  constructor(
    private readonly graves: Graves,
    private readonly listener: StructureListener,
    private readonly selfPid: number,
  ) {
    this.burials = new Burials(graves);
    this.unnamed = new Unnamed(graves);
    this.dying = new DyingDirectories(this.burials, selfPid);
  }

  /**
   * A directory or file that was made and removed within one event: its DELETE waits.
   *
   * @param node of the directory that it is; NOT_FOUND for a file
   * @param due place in the queue of the last event inside; a file's death comes by itself
   */
  hold(
    fs: Filesystem,
    batch: Batch,
    i: number,
    node: number,
    parent: number,
    places: readonly Place[],
    due: number,
  ): void {
    const at = batch.get(i, fan.NAME_AT);
    const name = Uint8Array.from(batch.bytes.subarray(at, at + batch.get(i, fan.NAME_BYTES)));
    const key = objectKey(fs, batch, i);
    const [pid, number] = [batch.get(i, fan.PID), batch.get(i, fan.NUMBER)];
    const one = { fs, node, parent, name, key, pid, number, places };
    if (node === NOT_FOUND) this.brief.holdFile(one);
    else this.brief.hold(one, due);
  }

  /** Hot. Tells what was waiting for the event at this place. */
  tellDue(place: number, out: Occurrences): void {
    this.unnamed.tellDue(place, out);
    if (this.filesDue.size > 0) {
      const due = this.filesDue.get(place);
      this.filesDue.delete(place);
      if (due !== undefined) this.tellFile(due, out);
    }
    if (this.brief.empty) return;
    for (const one of this.brief.takeDue(place)) {
      for (const file of this.brief.takeFilesIn(one.fs, one.node)) this.tell(file, out);
      this.tell(one, out);
    }
  }

  /** A directory is about to go: what was made and removed below it, or replaced, ended before. */
  tellBelow(fs: Filesystem, node: number, out: Occurrences): void {
    if (!this.brief.empty) for (const one of this.brief.takeBelow(fs, node)) this.tell(one, out);
    this.dying.tellBelow(fs, node, out);
  }

  /** The directory of this rename is about to leave every managed path, at that place in the queue. */
  tellLeaving(fs: Filesystem, batch: Batch, i: number, place: number, out: Occurrences): void {
    if (this.brief.empty) return;
    const node = fs.tree.find(batch.bytes, batch.get(i, fan.OBJECT_AT));
    if (node === NOT_FOUND) return;
    for (const one of this.brief.takeLeaving(fs, node, place)) this.tell(one, out);
  }

  /** An event's object takes its name: what had it before, and was removed in one breath, ended before. */
  freeName(fs: Filesystem, batch: Batch, i: number, node: number, column: number, out: Occurrences): void {
    if (column === fan.NAME_AT) this.unnamed.made(fs, batch, i, node);
    if (this.brief.empty) return;
    const key = () => objectKey(fs, batch, i);
    this.freeEntry(fs, node, batch.bytes, batch.get(i, column), batch.get(i, column + 1), key, out);
  }

  /**
   * The same of a name that stands elsewhere.
   *
   * @param key of the object that takes it
   */
  freeEntry(
    fs: Filesystem,
    node: number,
    bytes: Uint8Array,
    nameAt: number,
    nameBytes: number,
    key: () => string,
    out: Occurrences,
  ): void {
    const one = this.brief.takeNamed(fs, node, bytes, nameAt, nameBytes, key);
    if (one === null) return;
    this.tellBelow(fs, one.node, out);
    this.tell(one, out);
  }

  /**
   * A rename: the name that it takes must be free, and the one that it leaves is. NOT_FOUND for directories outside.
   *
   * @param swaps the second half of the exchange will take from the new name what has it
   */
  freeRenamed(
    fs: Filesystem,
    batch: Batch,
    i: number,
    oldNode: number,
    newNode: number,
    swaps: boolean,
    out: Occurrences,
  ): void {
    this.unnamed.renamed(fs, batch, i, newNode);
    if (this.brief.empty) return;
    if (oldNode !== NOT_FOUND) {
      const key = () => objectKey(fs, batch, i);
      const at = batch.get(i, fan.NAME_AT);
      this.brief.vacate(fs, oldNode, batch.bytes, at, batch.get(i, fan.NAME_BYTES), key);
    }
    if (newNode !== NOT_FOUND && !swaps) this.freeName(fs, batch, i, newNode, fan.NEW_NAME_AT, out);
  }

  hasNames(fs: Filesystem, batch: Batch, i: number): boolean {
    if (!this.brief.holdsFiles) return false;
    const names = this.brief.namesOf(objectKey(fs, batch, i));
    if ((batch.get(i, fan.MASK) & abi.FAN_DELETE_SELF) !== 0) return names.length > 0;
    // The number of links changed by another process's doing says nothing of this one's.
    return names.some(({ number }) => number === batch.get(i, fan.NUMBER));
  }

  tellNames(fs: Filesystem, batch: Batch, i: number, types: number, out: Occurrences): void {
    this.tellFile({ key: objectKey(fs, batch, i), types }, out);
  }

  tellNamesBehind(fs: Filesystem, batch: Batch, i: number, types: number, place: number): void {
    const death = types | (this.filesDue.get(place)?.types ?? 0);
    this.filesDue.set(place, { key: objectKey(fs, batch, i), types: death });
  }

  private tellFile({ key, types }: FileEnd, out: Occurrences): void {
    const names = this.brief.takeFile(key);
    for (const [k, one] of names.entries()) this.tell(one, out, k === names.length - 1 ? types : 0, true);
    const grave = names.length > 0 || types === 0 ? undefined : this.graves.find(key);
    if (grave === undefined) return;
    // Something needed the last of its names to be free.
    this.graves.forget(key);
    if (grave.places.length === 0 || grave.pid === this.selfPid) return;
    const told = out.add(types, grave.pid, grave.places, false);
    told.bytes = grave.name;
    told.nameBytes = grave.name.length;
    told.gone = true;
  }

  /** A file was removed that has other names or is held open: it will die under this one. */
  remember(fs: Filesystem, batch: Batch, i: number, places: readonly Place[]): void {
    const at = batch.get(i, fan.NAME_AT);
    const name = Uint8Array.from(batch.bytes.subarray(at, at + batch.get(i, fan.NAME_BYTES)));
    this.graves.bury(objectKey(fs, batch, i), { places, name, directory: false, pid: batch.get(i, fan.PID) });
  }

  /** DELETE_SELF of a directory that was held back until its DELETE, which is there now. */
  takeDying(mask: number, key: string): number {
    if (this.dying.empty || (mask & abi.FAN_DELETE) === 0) return 0;
    return this.dying.take(key) ? abi.FAN_DELETE_SELF : 0;
  }

  /** The queue was read to its end: nothing is left to wait for. */
  caughtUp(out: Occurrences): void {
    for (const one of this.brief.takeAll()) this.tell(one, out);
    this.dying.finish(out);
    this.burials.bury();
  }

  /**
   * @param types of the file's number of links or its death, which may come with it
   * @param isKnown it is told where it happened
   */
  private tell(one: Held, out: Occurrences, types = 0, isKnown = false): void {
    const { fs, node, parent, name, key, pid } = one;
    // Where its parent is by now: it may have been renamed since the making.
    const places = fs.tree.has(parent) ? entryPlaces(fs.placesOf(parent), name, 0, name.length) : one.places;
    entryGone(fs, parent, name, 0, name.length, this.listener);
    const directory = node !== NOT_FOUND;
    if (directory) {
      this.dying.tellBelow(fs, node, out);
      this.burials.later(fs, node, pid);
    }
    // Renamed away, it can only have come back by a link, whose CREATE is merged as well.
    const made = one.vacated ? abi.FAN_CREATE : 0;
    const all = abi.FAN_DELETE | made | types | this.takeDying(abi.FAN_DELETE, key);
    if (places.length === 0 || pid === this.selfPid) return;
    const told = out.add(all, pid, places, directory);
    told.bytes = name;
    told.nameBytes = name.length;
    told.gone = true;
    told.merged = made !== 0;
    if (directory || (all & abi.FAN_DELETE_SELF) !== 0) return;
    // Still open, or linked elsewhere: when it was removed isn't known.
    told.merged ||= !isKnown;
    this.graves.bury(key, { places, name, directory: false, pid });
  }
}
