// A batch of kernel events → occurrences with places, in kernel order; on the way the directory trees follow
// what happened to directories. Hot: runs for every event of every marked filesystem. What is out of scope leaves after one look-up.

import * as fan from "../decode/fan.ts";
import * as abi from "../kernel/abi.ts";
import { rideOf, tellTaken } from "./carried.ts";
import { EarlyEvents } from "./early.ts";
import { Endings } from "./endings/endings.ts";
import { Graves } from "./endings/graves.ts";
import { LinkedAgain } from "./endings/linked-again.ts";
import { Nameless } from "./endings/nameless.ts";
import { entryPlaces, ownPlaces } from "./entry.ts";
import type { Filesystem } from "./filesystems/filesystem.ts";
import { tellFilesystemError } from "./filesystems/filesystem-error.ts";
import type { Filesystems } from "./filesystems/filesystems.ts";
import { appeared, left, mention, mentionRename, settleNewborns } from "./filesystems/newborn.ts";
import { NOT_FOUND } from "./filesystems/tree.ts";
import { handleKey, isItself, objectKey } from "./keys.ts";
import { Learner } from "./learn.ts";
import { Limbo } from "./limbo.ts";
import type { Occurrences } from "./occurrence.ts";
import { isMergedRemoval, LINE_BITS } from "./order.ts";
import type { ReadAhead } from "./read-ahead.ts";
import { RenameResolver } from "./renames.ts";
import {
  Deferred,
  directoryAppeared,
  entryGone,
  fileAppeared,
  isExpected,
  type StructureListener,
} from "./structure.ts";
import type { Place } from "./watch.ts";

type Batch = fan.EventBatch;

/** An entry is there from now on, or isn't any more. */
const MADE = abi.FAN_CREATE | abi.FAN_MOVED_TO;
const GONE = abi.FAN_DELETE | abi.FAN_MOVED_FROM;

export class Resolver {
  readonly limbo = new Limbo();
  private readonly graves = new Graves();
  private readonly renames: RenameResolver;
  private readonly nameless: Nameless;
  private readonly endings: Endings;
  private readonly early = new EarlyEvents();
  readonly learner: Learner;
  private readonly structure: Deferred;
  /** The batch that was read, as opposed to one that is taken out of limbo. */
  private live: Batch | null = null;
  /** True once the kernel said in the last batch that it dropped events. */
  overflowed = false;
  constructor(
    private readonly filesystems: Filesystems,
    listener: StructureListener,
    /** Our own process: its work shapes the tree and is never reported. */
    private readonly selfPid: number,
    private readonly ahead: ReadAhead,
  ) {
    this.learner = new Learner(filesystems, ahead, (fs, node, madeAt) =>
      this.early.madeAt(fs, node, this.live!.rowAt(madeAt)),
    );
    this.structure = new Deferred(listener);
    this.endings = new Endings(this.graves, this.structure, selfPid);
    this.renames = new RenameResolver(this.learner, this.structure, this.endings);
    const again = new LinkedAgain(this.renames.journeys, this.learner, this.endings, this.structure, selfPid);
    this.nameless = new Nameless(this.graves, this.endings, again, this.learner, selfPid);
  }

  /**
   * Everything the batch tells, appended to `out`.
   *
   * @param complete the queue was read to its end
   */
  resolve(batch: Batch, out: Occurrences, complete: boolean): void {
    this.overflowed = false;
    this.live = batch;
    this.learner.place = batch.startsAt;
    this.learner.out = out;
    this.renames.begin(batch);
    this.nameless.begin(batch, complete);
    this.early.putCreated(batch, (i) => this.filesystemOf(batch, i));
    const held = this.early.take((early, i) => this.filesystemOf(early, i));
    if (held !== null) this.dispatchAll(held, out);
    this.dispatchAll(batch, out);
    this.nameless.end(batch, (i) => this.filesystemOf(batch, i));
    this.learner.place = batch.endsAt;
    this.renames.finish(out);
    this.structure.attach(out);
    this.endings.burials.bury();
  }

  /** Directories were looked at on the disk, which is ahead of the queue: takes the trees back to the end of the batch. */
  takeBack(): void {
    for (const fs of this.filesystems.all()) this.learner.takeBack(fs);
  }

  /** The queue was read to its end. */
  caughtUp(out: Occurrences): void {
    for (const fs of this.filesystems.all()) {
      settleNewborns(fs, out);
      // Learned or moved since the scan was done: what is in them may have been nowhere that it came by.
      if (fs.unscanned.length === 0) fs.unscanned.push(...fs.unread);
      if (fs.unscanned.length === 0) fs.settling = false;
    }
    this.renames.caughtUp();
    this.learner.caughtUp();
    if (!this.limbo.empty) this.limbo.caughtUp();
    this.endings.caughtUp(out);
  }

  private filesystemOf(batch: Batch, i: number): Filesystem | null {
    return this.filesystems.find(batch.get(i, fan.FSID_LOW), batch.get(i, fan.FSID_HIGH));
  }

  private dispatchAll(batch: Batch, out: Occurrences): void {
    const live = batch === this.live;
    for (let i = 0; i < batch.count; i++) {
      if (live) this.learner.place = batch.placeOf(i);
      if (!live || !this.early.wasTold(i)) this.dispatch(batch, i, out);
      if (live) this.endings.tellDue(batch.placeOf(i), out);
    }
  }

  /** Hot. One event. */
  private dispatch(batch: Batch, i: number, out: Occurrences): void {
    const mask = batch.get(i, fan.MASK);
    if ((mask & abi.FAN_Q_OVERFLOW) !== 0) {
      this.overflowed = true;
      return;
    }
    const fs = this.filesystemOf(batch, i);
    if (fs === null) return;
    if ((mask & abi.FAN_FS_ERROR) !== 0) tellFilesystemError(fs, batch, i, out);
    else if (batch.get(i, fan.DIR_AT) < 0) this.nameless.resolve(fs, batch, i, out);
    else if ((mask & abi.FAN_RENAME) !== 0) this.rename(fs, batch, i, out);
    else if (isItself(batch, i)) this.directoryItself(fs, batch, i, out);
    else if (!this.endings.unnamed.takes(fs, batch, i, out)) this.entry(fs, batch, i, out);
    if (this.structure.isEmpty && fs.fresh.size === 0) return;
    if (batch === this.live) this.learner.place += batch.get(i, fan.EVENT_BYTES);
    this.structure.attach(out);
    this.learner.takeBack(fs);
  }

  /** An event's place in the queue: for one that had to wait, that of the event which it waited for. */
  private placeOf(batch: Batch, i: number): number {
    return batch === this.live ? batch.placeOf(i) : this.learner.place;
  }

  /** An event about an entry of a directory: CREATE, DELETE, or anything a file itself does. */
  private entry(fs: Filesystem, batch: Batch, i: number, out: Occurrences): void {
    let mask = batch.get(i, fan.MASK);
    const isDirectory = (mask & abi.FAN_ONDIR) !== 0;
    const nameAt = batch.get(i, fan.NAME_AT);
    const nameBytes = batch.get(i, fan.NAME_BYTES);
    const node = this.directory(fs, batch, i, fan.DIR_AT);
    if (node === WAITING) return;
    let places: readonly Place[];
    if (node === NOT_FOUND) {
      // A subdirectory may be known though its parent isn't: it was moved out of scope and is removed there.
      if (isDirectory && (mask & abi.FAN_DELETE) !== 0) this.endings.burials.laterObject(fs, batch, i);
      places = this.endings.burials.placesOf(fs, batch, i, fan.DIR_AT);
      if (places.length === 0) {
        this.noteUnknown(batch, i);
        return;
      }
    } else {
      if ((mask & MADE) !== 0) this.learner.comparison.vacate(fs, node, batch.bytes, nameAt, nameBytes);
      places = fs.placesOf(node);
      if ((mask & abi.FAN_CREATE) !== 0) this.endings.freeName(fs, batch, i, node, fan.NAME_AT, out);
      if (isDirectory) mask = this.followDirectory(fs, batch, i, node, places, out);
      else if ((mask & GONE) !== 0) entryGone(fs, node, batch.bytes, nameAt, nameBytes, this.structure);
      else if ((mask & MADE) !== 0) fileAppeared(fs, node, batch.bytes, nameAt, nameBytes, this.structure);
      if (fs.inodeMarks !== null) mention(fs, node, batch, i, out);
    }
    places = entryPlaces(places, batch.bytes, nameAt, nameBytes);
    if (places.length === 0 || batch.get(i, fan.PID) === this.selfPid) return;
    let types = (mask | batch.get(i, fan.EXTRA)) & LINE_BITS;
    let gone = false;
    if (isDirectory) types |= this.endings.takeDying(mask, objectKey(fs, batch, i));
    else if (isMergedRemoval(mask) && node !== NOT_FOUND && batch === this.live) {
      const told = this.nameless.whereRemoved(batch, i, node);
      if (told === "later") this.endings.hold(fs, batch, i, NOT_FOUND, node, places, 0);
      if (told !== "here") types &= ~abi.FAN_DELETE;
      gone = told === "near";
    }
    if (types === 0) return;
    const one = out.add(types, batch.get(i, fan.PID), places, isDirectory);
    one.concerns(fs, batch, i, nameAt, nameBytes);
    if (isDirectory) return;
    one.gone = gone || this.nameless.diesInBatch(batch, i);
    one.unlinked = isMergedRemoval(mask);
    if ((types & abi.FAN_DELETE) === 0 || (types & abi.FAN_DELETE_SELF) !== 0) return;
    // The file was linked and unlinked, in an order that the disk decides.
    one.merged = (mask & abi.FAN_CREATE) !== 0;
    this.endings.remember(fs, batch, i, places);
  }

  /** What an entry event of a subdirectory means for the tree. Returns the types that are to be told now. */
  private followDirectory(
    fs: Filesystem,
    batch: Batch,
    i: number,
    node: number,
    places: readonly Place[],
    out: Occurrences,
  ): number {
    const mask = batch.get(i, fan.MASK);
    const nameAt = batch.get(i, fan.NAME_AT);
    const nameBytes = batch.get(i, fan.NAME_BYTES);
    const { bytes } = batch;
    const key = objectKey(fs, batch, i);
    const expected = isExpected(fs, node, bytes, nameAt, nameBytes);
    // MOVED_* alone: the other end of the rename isn't marked (inode marks).
    const created = (mask & MADE) !== 0;
    let child = fs.tree.find(bytes, batch.get(i, fan.OBJECT_AT));
    if (created && child !== NOT_FOUND) this.early.inItsTurn(fs, child);
    else this.learner.comparison.verify(fs, child);
    // Known from its removal at the latest, if something of it waits to be told.
    if ((created || this.limbo.has(key)) && (expected || fs.followsChildren(places))) {
      const name = bytes.subarray(nameAt, nameAt + nameBytes);
      child = fs.tree.put(bytes, batch.get(i, fan.OBJECT_AT), node, name);
      fs.verified?.add(child);
      const isFull = created && appeared(fs, batch, i, child);
      const ride = rideOf(fs, batch, i);
      if (created && expected)
        directoryAppeared(fs, node, bytes, nameAt, nameBytes, child, isFull, ride, this.structure);
    }
    if (child !== NOT_FOUND && !created) this.release(key, out);
    if ((mask & abi.FAN_MOVED_FROM) !== 0) {
      tellTaken(fs, node, batch, i, this.structure, out);
      if (child !== NOT_FOUND) left(fs, child);
      entryGone(fs, node, bytes, nameAt, nameBytes, this.structure);
    }
    if ((mask & abi.FAN_DELETE) === 0) return mask;
    if (created && child !== NOT_FOUND) {
      const wanted = entryPlaces(places, bytes, nameAt, nameBytes);
      const inside = this.ahead.lastIn(bytes, batch.get(i, fan.OBJECT_AT));
      this.endings.hold(fs, batch, i, child, node, wanted, Math.max(inside, this.placeOf(batch, i)));
      return mask & ~abi.FAN_DELETE;
    }
    if (child !== NOT_FOUND) this.learner.comparison.empty(fs, child);
    if (child !== NOT_FOUND) this.endings.tellBelow(fs, child, out);
    this.endings.burials.laterObject(fs, batch, i);
    tellTaken(fs, node, batch, i, this.structure, out);
    entryGone(fs, node, bytes, nameAt, nameBytes, this.structure);
    return mask;
  }

  /** An event about a directory itself, which the kernel names by its own handle and ".". */
  private directoryItself(fs: Filesystem, batch: Batch, i: number, out: Occurrences): void {
    const node = this.directory(fs, batch, i, fan.DIR_AT);
    if (node === WAITING) return;
    let pid = batch.get(i, fan.PID);
    let types = batch.get(i, fan.MASK) & LINE_BITS;
    let places: readonly Place[];
    if (node === NOT_FOUND) {
      const grave = this.endings.burials.graveOf(fs, batch, i, fan.DIR_AT);
      if (grave === null) {
        this.noteUnknown(batch, i);
        return;
      }
      places = grave.places;
      if (pid === this.selfPid && (types & abi.FAN_DELETE_SELF) !== 0) {
        pid = grave.pid;
        types = abi.FAN_DELETE_SELF;
      }
    } else {
      places = fs.placesOf(node);
      if ((types & abi.FAN_DELETE_SELF) !== 0 && places.length > 0) {
        const key = handleKey(fs, batch.bytes, batch.get(i, fan.DIR_AT), batch.get(i, fan.DIR_BYTES));
        this.endings.dying.hold(key, fs, node, pid, out);
        types &= ~abi.FAN_DELETE_SELF;
      }
    }
    places = ownPlaces(places);
    if (places.length === 0 || types === 0 || pid === this.selfPid) return;
    out.add(types, pid, places, true);
  }

  private rename(fs: Filesystem, batch: Batch, i: number, out: Occurrences): void {
    const oldNode = this.directory(fs, batch, i, fan.DIR_AT);
    if (oldNode === WAITING) return;
    const newNode = this.directory(fs, batch, i, fan.NEW_DIR_AT);
    if (newNode === WAITING) return;
    if (oldNode === NOT_FOUND && newNode === NOT_FOUND) this.noteUnknown(batch, i);
    if (fs.inodeMarks !== null) mentionRename(fs, oldNode, newNode, batch, i, out);
    if ((batch.get(i, fan.MASK) & abi.FAN_ONDIR) !== 0 && oldNode !== NOT_FOUND) {
      this.releaseRenamed(fs, batch, i, oldNode, out);
      const leaves = newNode === NOT_FOUND || !fs.followsChildren(fs.placesOf(newNode));
      if (leaves) this.endings.tellLeaving(fs, batch, i, this.placeOf(batch, i), out);
    }
    this.renames.resolve(fs, batch, i, oldNode, newNode, batch.get(i, fan.PID) === this.selfPid, out);
  }

  /** What happened in a directory before its renaming, if it waited for somebody to say where the directory was. */
  private releaseRenamed(fs: Filesystem, batch: Batch, i: number, oldNode: number, out: Occurrences): void {
    const key = objectKey(fs, batch, i);
    if (!this.limbo.has(key) || !fs.followsChildren(fs.placesOf(oldNode))) return;
    const nameAt = batch.get(i, fan.NAME_AT);
    const name = batch.bytes.subarray(nameAt, nameAt + batch.get(i, fan.NAME_BYTES));
    // What is in it isn't known.
    fs.unread.add(fs.tree.put(batch.bytes, batch.get(i, fan.OBJECT_AT), oldNode, name));
    this.release(key, out);
  }

  private release(key: string, out: Occurrences): void {
    const waiting = this.limbo.empty ? null : this.limbo.take(key);
    if (waiting !== null) this.dispatchAll(waiting, out);
  }

  /** Hot. The tree's node of a directory, or WAITING. One that isn't known is outside, unless something is unscanned. */
  private directory(fs: Filesystem, batch: Batch, i: number, column: number): number {
    const at = batch.get(i, column);
    const node = fs.tree.find(batch.bytes, at);
    if (node !== NOT_FOUND) {
      this.learner.comparison.verify(fs, node);
      if (fs.isIncomplete && fs.placesOf(node).length === 0) this.learner.reattach(fs, node);
      if (this.early.untold) this.tellMaking(fs, node);
      return node;
    }
    if (!fs.isIncomplete) return NOT_FOUND;
    const length = batch.get(i, column + 1);
    const key = handleKey(fs, batch.bytes, at, length);
    if (this.graves.find(key) !== undefined) return NOT_FOUND;
    if (!this.limbo.has(key)) {
      const handle = Uint8Array.from(batch.bytes.subarray(at, at + length));
      const learned = this.learner.learn(fs, handle);
      if (learned !== null && this.early.untold) this.tellMaking(fs, learned);
      if (learned !== null) return learned;
    }
    this.limbo.hold(key, batch, i);
    return WAITING;
  }

  /** Something happens in a directory whose CREATE stands further back in the batch: that comes first in the log. */
  private tellMaking(fs: Filesystem, node: number): void {
    const row = this.early.takeUntold(fs, node);
    if (row >= 0) this.entry(fs, this.live!, row, this.learner.out);
  }

  private noteUnknown(batch: Batch, i: number): void {
    this.nameless.noteOutside(batch, i);
    if (batch === this.live) this.early.noteUnknown(batch, i);
  }
}

/** Only a later event can tell an event's directory: the event waits in limbo. */
const WAITING = -2;
