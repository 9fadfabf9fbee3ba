// Gives events without a name (orphans.ts) theirs: from the event that belongs to them, from what was removed before, or from the
// rename that overwrote the file. Across the boundary of two batches, too.
import * as fan from "../../decode/fan.ts";
import * as abi from "../../kernel/abi.ts";
import { entryPlaces } from "../entry.ts";
import type { Queued } from "../exchanges.ts";
import type { Filesystem } from "../filesystems/filesystem.ts";
import { entryKey, entryOf, objectKey } from "../keys.ts";
import type { Occurrence, Occurrences } from "../occurrence.ts";
import { LINE_BITS } from "../order.ts";
import type { Place } from "../watch.ts";
import type { Graves } from "./graves.ts";
import type { LinkedAgain } from "./linked-again.ts";
import { isNamedNext } from "./named-next.ts";
import { ObjectRows } from "./object-rows.ts";
import { isDeath, isMate, isOrphan, nextOfProcess, sameHandle } from "./orphans.ts";
import { Overwritten, type Target } from "./overwritten.ts";

type Batch = fan.EventBatch;

/** Where a mate nearly always is: other CPUs' events come in between, a few within one system call. */
const NEAR = 16;
/** Rows of a batch that late removals have room for at the start. */
const START_ROWS = 1024;

/** Batches that an orphan waits for its mate: other processes' events that come in between seldom fill one. */
const HELD_BATCHES = 2;

/** An orphan whose mate can only be in a later batch. */
interface Held {
  types: number;
  fs: Filesystem;
  handle: Uint8Array;
  batches: number;
}

/** Names whose removal waits to be told (endings.ts). */
export interface HeldNames {
  /** Hot. Whether there are any that this nameless event tells of. */
  hasNames(fs: Filesystem, batch: Batch, i: number): boolean;
  /** Tells them, and these types of the object with the last of them. */
  tellNames(fs: Filesystem, batch: Batch, i: number, types: number, out: Occurrences): void;
  /** The same, once the event at that place is told. */
  tellNamesBehind(fs: Filesystem, batch: Batch, i: number, types: number, place: number): void;
}

export class Nameless {
  private held: Held[] = [];
  private readonly deaths = new ObjectRows();
  private readonly orphans = new ObjectRows();
  private readonly mates = new ObjectRows();
  private readonly overwritten = new Overwritten();
  /**
   * Files whose removal is merged into an older event: it is told with the nameless event that the same unlinking queued. By the row
   * of that one: the row of the older event + 1, 0 for none, and the node of the directory that held it.
   */
  private removalRow = new Int32Array(START_ROWS);
  private removalParent = new Int32Array(START_ROWS);
  /** By row: 1 where the directory isn't known, so that nothing below any managed path is meant. */
  private outside = new Uint8Array(START_ROWS);
  private live: Batch | null = null;
  private complete = false;

  constructor(
    private readonly graves: Graves,
    private readonly names: HeldNames,
    private readonly linkedAgain: LinkedAgain,
    private readonly queued: Queued,
    private readonly selfPid: number,
  ) {}

  /** @param complete nothing was queued behind the batch */
  begin(batch: Batch, complete: boolean): void {
    this.complete = complete;
    const { held } = this;
    this.held = [];
    this.live = batch;
    if (batch.count > this.removalRow.length) {
      this.removalRow = new Int32Array(batch.count * 2);
      this.removalParent = new Int32Array(batch.count * 2);
      this.outside = new Uint8Array(batch.count * 2);
    } else {
      this.removalRow.fill(0);
      this.outside.fill(0);
    }
    this.deaths.begin(batch, isDeath);
    this.orphans.begin(batch, isOrphan);
    this.mates.begin(batch, isMate);
    this.overwritten.begin(batch);
    // What finds no mate here either was unlinked before it was watched: its name can't be known.
    for (const one of held) {
      const mate = this.mates.firstOf(one.fs, one.handle);
      if (mate >= 0) addExtra(batch, mate, one.types);
      else if (++one.batches < HELD_BATCHES) this.held.push(one);
    }
  }

  /** ATTRIB or DELETE_SELF of a file. */
  resolve(fs: Filesystem, batch: Batch, i: number, out: Occurrences): void {
    let types = batch.get(i, fan.MASK) & LINE_BITS;
    if (batch.get(i, fan.OBJECT_AT) < 0 || types === 0) return;
    const mate = this.mates.after(batch, i);
    if (mate < 0) {
      if (this.tellRemovals(fs, batch, i, types, out)) return;
    } else {
      // The kernel merged what came of several names: it is dead once the last one is gone.
      types = this.leaveDeath(fs, batch, i, types);
      if (types === 0) return;
    }
    if (this.isLinkedAgain(fs, batch, i, types, out)) return;
    if (mate >= 0 && mate <= i + NEAR) {
      addExtra(batch, mate, types);
      return;
    }
    if (this.fromGrave(fs, batch, i, types, out)) return;
    if (this.fromRename(fs, batch, i, types, true, out)) return;
    if (mate >= 0) {
      addExtra(batch, mate, types);
      return;
    }
    if (this.fromRename(fs, batch, i, types, false, out)) return;
    const earlier = this.mates.before(batch, i);
    // Made and removed within one event, in a directory that nobody watches.
    if (earlier >= 0 && this.outside[earlier] === 1) return;
    this.hold(fs, batch, i, types);
  }

  private hold(fs: Filesystem, batch: Batch, i: number, types: number): void {
    const at = batch.get(i, fan.OBJECT_AT);
    const handle = Uint8Array.from(batch.bytes.subarray(at, at + batch.get(i, fan.OBJECT_BYTES)));
    this.held.push({ types, fs, handle, batches: 0 });
  }

  /** Hot. The directory of this event is outside: so is what belongs to it. */
  noteOutside(batch: Batch, i: number): void {
    if (batch === this.live) this.outside[i] = 1;
  }

  /**
   * Hot. Where the removal of a file is told that is merged into an older event: with the nameless event that the same unlinking
   * queued, if that is near, or when it comes.
   *
   * @param parent the node of the directory
   */
  whereRemoved(batch: Batch, i: number, parent: number): "here" | "near" | "later" {
    // All that there was to come has come before.
    if ((batch.get(i, fan.EXTRA) & abi.FAN_DELETE_SELF) !== 0) return "here";
    const orphan = this.orphanOf(batch, i);
    if (orphan >= 0) return this.leaveTo(orphan, batch, i, parent) ? "near" : "later";
    // What is renamed was removed later than that, or before.
    if ((batch.get(i, fan.MASK) & abi.FAN_CREATE) !== 0 && this.overwritten.renames.after(batch, i) >= 0)
      return "later";
    const before = this.orphans.before(batch, i);
    const isMergedToo = before >= 0 && batch.get(before, fan.NUMBER) === batch.get(i, fan.NUMBER);
    return this.complete || isMergedToo ? "here" : "later";
  }

  /** The first nameless event behind this one that can be of the unlinking which is merged into it; -1 for none. */
  private orphanOf(batch: Batch, i: number): number {
    for (let row = this.orphans.after(batch, i); row >= 0; row = this.orphans.after(batch, row)) {
      if ((batch.get(row, fan.MASK) & abi.FAN_DELETE_SELF) !== 0) return row;
      if (batch.get(row, fan.NUMBER) === batch.get(i, fan.NUMBER)) return row;
    }
    return -1;
  }

  /** Hot. Whether the object of this event has died by the end of the batch: nothing can be asked about it any more. */
  diesInBatch(batch: Batch, i: number): boolean {
    return this.deaths.after(batch, i) >= 0;
  }

  /**
   * Leaves the removal of a file that is merged into an older event to the nameless event of the same unlinking: the merged event
   * stands at the place of the older one, and the directory may have been renamed in between.
   *
   * @param parent the node of the directory
   * @returns false when that isn't near, or has a removal, or something needs this one before it
   */
  private leaveTo(orphan: number, batch: Batch, i: number, parent: number): boolean {
    if (orphan > i + NEAR || this.removalRow[orphan] !== 0 || this.mates.after(batch, orphan) >= 0)
      return false;
    for (let between = i + 1; between < orphan; between++) if (needsRemoval(batch, between, i)) return false;
    this.removalRow[orphan] = i + 1;
    this.removalParent[orphan] = parent;
    return true;
  }

  /** Tells the removals that were left to this event, and its own types with the last of them. False when there is none. */
  private tellRemovals(fs: Filesystem, batch: Batch, i: number, types: number, out: Occurrences): boolean {
    const removal = batch === this.live ? this.removalRow[i]! - 1 : -1;
    const others = this.names.hasNames(fs, batch, i);
    if (removal >= 0) this.tellRemoval(fs, batch, i, removal, others ? 0 : types, out);
    if (others) this.names.tellNames(fs, batch, i, types, out);
    return removal >= 0 || others;
  }

  private tellRemoval(
    fs: Filesystem,
    batch: Batch,
    i: number,
    removal: number,
    types: number,
    out: Occurrences,
  ): void {
    const nameAt = batch.get(removal, fan.NAME_AT);
    const nameBytes = batch.get(removal, fan.NAME_BYTES);
    const pid = batch.get(removal, fan.PID);
    const places = entryPlaces(fs.placesOf(this.removalParent[i]!), batch.bytes, nameAt, nameBytes);
    const again = this.linkedAgain.wasRenamedAway(fs, batch, removal);
    const made = again ? abi.FAN_CREATE : 0;
    const one = this.tell(pid, types | made | abi.FAN_DELETE, places, batch.bytes, nameAt, nameBytes, out);
    if (one !== null) one.merged = again;
    if ((types & abi.FAN_DELETE_SELF) !== 0) return;
    const name = Uint8Array.from(batch.bytes.subarray(nameAt, nameAt + nameBytes));
    this.graves.bury(objectKey(fs, batch, i), { places, name, directory: false, pid });
  }

  /** Names of this event's file are told behind it: its death comes with the last one. Returns the types that are left. */
  private leaveDeath(fs: Filesystem, batch: Batch, i: number, types: number): number {
    const last = this.mates.lastAfter(batch, i);
    const death = types & abi.FAN_DELETE_SELF;
    if (this.names.hasNames(fs, batch, i))
      this.names.tellNamesBehind(fs, batch, i, death, batch.placeOf(last));
    else addExtra(batch, last, death);
    return types & ~death;
  }

  /** The batch was told. */
  end(batch: Batch, fsOf: (i: number) => Filesystem | null): void {
    this.overwritten.end(batch, fsOf);
  }

  private fromGrave(fs: Filesystem, batch: Batch, i: number, types: number, out: Occurrences): boolean {
    if (this.graves.empty) return false;
    const key = objectKey(fs, batch, i);
    const grave = this.graves.find(key);
    if (grave === undefined || grave.directory) return false;
    if ((types & abi.FAN_DELETE_SELF) !== 0) this.graves.forget(key);
    const pid = batch.get(i, fan.PID);
    const { places, name } = grave;
    this.tell(pid === this.selfPid ? grave.pid : pid, types, places, name, 0, name.length, out);
    return true;
  }

  /**
   * @param adjacent only the rename that is the process's event right before: then there is no doubt, unless the batch ends before what
   *   names the file. Otherwise its last one, which another thread's event may have come behind; that is said by `merged`
   */
  private fromRename(
    fs: Filesystem,
    batch: Batch,
    i: number,
    types: number,
    adjacent: boolean,
    out: Occurrences,
  ): boolean {
    const target = this.overwritten.find(fs, batch, i, adjacent);
    if (target === null) return false;
    if (this.mates.after(batch, i) < 0 && this.isNamedLater(fs, batch, i, target)) {
      this.hold(fs, batch, i, types);
      return true;
    }
    this.overwritten.spend(batch, i, target);
    const pid = batch.get(i, fan.PID);
    const one = this.tell(pid, types, target.places, target.name, 0, target.name.length, out);
    if (one !== null && !adjacent) one.merged = true;
    if (one !== null && (types & abi.FAN_DELETE_SELF) === 0) {
      // It has other names, or is held open.
      const { places, name } = target;
      this.graves.bury(objectKey(fs, batch, i), { places, name, directory: false, pid });
    }
    return true;
  }

  /** Whether this nameless event is of an unlinking, whose DELETE is in the next batch, and not of the rename that gave this name. */
  private isNamedLater(fs: Filesystem, batch: Batch, i: number, { entry }: Target): boolean {
    if (batch !== this.live || (i < batch.count - NEAR && nextOfProcess(batch, i) >= 0)) return false;
    return isNamedNext(this.queued, fs, batch, i, [entryOf(entry).parent], NEAR);
  }

  private isLinkedAgain(fs: Filesystem, batch: Batch, i: number, types: number, out: Occurrences): boolean {
    if ((types & abi.FAN_DELETE_SELF) !== 0) return false;
    const journey = this.linkedAgain.journeyOf(fs, batch, i);
    if (journey === undefined || this.overwritten.mayHaveTaken(batch, i, journey.at)) return false;
    const rename = this.overwritten.renameBefore(batch, i);
    if (rename >= 0 && this.mayHaveHad(batch, i, rename)) return false;
    return this.linkedAgain.tell(journey, batch, i, this.mates.before(batch, i), types, out);
  }

  /** Whether the file of a nameless event may have had the name that a rename gave: not if it was made in the batch and never got it. */
  private mayHaveHad(batch: Batch, i: number, rename: number): boolean {
    const name = entryKey(batch, rename, fan.NEW_DIR_AT);
    let made = false;
    for (let row = this.mates.before(batch, i); row >= 0; row = this.mates.before(batch, row)) {
      if (entryKey(batch, row, fan.DIR_AT) === name) return true;
      // A link would have a nameless event before it.
      if (this.orphans.before(batch, row) < 0) made ||= (batch.get(row, fan.MASK) & abi.FAN_CREATE) !== 0;
    }
    const { renames } = this.overwritten;
    for (let row = renames.before(batch, i); row >= 0; row = renames.before(batch, row))
      if (entryKey(batch, row, fan.NEW_DIR_AT) === name) return true;
    return !made;
  }

  private tell(
    pid: number,
    types: number,
    places: readonly Place[],
    bytes: Uint8Array,
    nameAt: number,
    nameBytes: number,
    out: Occurrences,
  ): Occurrence | null {
    if (places.length === 0 || pid === this.selfPid) return null;
    const one = out.add(types, pid, places, false);
    one.bytes = bytes;
    one.nameAt = nameAt;
    one.nameBytes = nameBytes;
    one.gone = true;
    return one;
  }
}

/** Whether an event may stand for something that can only be done once the entry of another one is gone. */
function needsRemoval(batch: Batch, i: number, entry: number): boolean {
  const mask = batch.get(i, fan.MASK);
  if ((mask & abi.FAN_ONDIR) !== 0)
    return (mask & (abi.FAN_DELETE | abi.FAN_RENAME | abi.FAN_MOVED_FROM)) !== 0;
  if ((mask & (abi.FAN_CREATE | abi.FAN_RENAME | abi.FAN_MOVED_TO)) === 0) return false;
  const column = (mask & abi.FAN_RENAME) === 0 ? fan.NAME_AT : fan.NEW_NAME_AT;
  const length = batch.get(entry, fan.NAME_BYTES);
  if (batch.get(i, column + 1) !== length) return false;
  return sameHandle(batch.bytes, batch.get(i, column), batch.bytes, batch.get(entry, fan.NAME_AT), length);
}

function addExtra(batch: Batch, event: number, types: number): void {
  batch.set(event, fan.EXTRA, batch.get(event, fan.EXTRA) | types);
}
