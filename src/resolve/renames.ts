// Renames: each tells both ends, moves one node of the tree whatever lies below it, and may bring a managed
// path into being or take it away.

import * as fan from "../decode/fan.ts";
import * as abi from "../kernel/abi.ts";
import { type Ride, tellCarriedAway } from "./carried.ts";
import type { Endings } from "./endings/endings.ts";
import { sameHandle } from "./endings/orphans.ts";
import { entryPath, entryPlaces } from "./entry.ts";
import { Exchanges, type Half } from "./exchanges.ts";
import type { Filesystem } from "./filesystems/filesystem.ts";
import { NOT_FOUND, NOWHERE } from "./filesystems/tree.ts";
import { type Journey, Journeys } from "./journeys.ts";
import type { Learner } from "./learn.ts";
import type { Occurrences } from "./occurrence.ts";
import {
  directoryAppeared,
  entryExchanged,
  entryGone,
  fileAppeared,
  isExpected,
  type StructureListener,
  watchesExpecting,
} from "./structure.ts";
import { joinPath, type Place } from "./watch.ts";

type Batch = fan.EventBatch;

/** How far back such events are looked for: a program renames what it has just written. */
const EARLIER_MAX = 64;

/** One end of a rename: an entry of a directory. */
interface End {
  /** The directory's; NOT_FOUND where the tree doesn't have it. */
  readonly node: number;
  readonly directoryColumn: number;
  /** As managed paths see the directory, and the entry in it. */
  readonly places: readonly Place[];
  readonly entries: readonly Place[];
  readonly nameAt: number;
  readonly nameBytes: number;
}

export class RenameResolver {
  readonly journeys = new Journeys();
  private readonly exchanges: Exchanges;

  constructor(
    private readonly learner: Learner,
    private readonly listener: StructureListener,
    private readonly endings: Endings,
  ) {
    this.exchanges = new Exchanges(learner);
  }

  /** @param batch that was read, as opposed to one that is taken out of limbo */
  begin(batch: Batch): void {
    this.journeys.begin();
    this.exchanges.begin(batch);
  }

  /** The queue was read to its end: what is renamed from now on isn't merged with what was. */
  caughtUp(): void {
    this.journeys.clear();
  }

  /** @param quiet true for our own renames: the tree follows them, nothing is reported */
  resolve(
    fs: Filesystem,
    batch: Batch,
    i: number,
    oldNode: number,
    newNode: number,
    quiet: boolean,
    out: Occurrences,
  ): void {
    const directory = (batch.get(i, fan.MASK) & abi.FAN_ONDIR) !== 0;
    const inScope = oldNode !== NOT_FOUND || newNode !== NOT_FOUND;
    if (directory) this.compare(fs, batch.bytes, batch.get(i, fan.OBJECT_AT), batch.get(i, fan.OBJECT_BYTES));
    if (newNode !== NOT_FOUND) this.vacate(fs, newNode, batch, i);
    const half = inScope ? this.exchanges.halfOf(fs, batch, i) : null;
    const { other } = this.exchanges;
    if (half === "first" && other !== null) this.compare(fs, other, 0, other.length);
    this.endings.freeRenamed(fs, batch, i, oldNode, newNode, half === "first", out);
    const from = this.endOf(fs, batch, i, oldNode, fan.DIR_AT, fan.NAME_AT);
    const to = this.endOf(fs, batch, i, newNode, fan.NEW_DIR_AT, fan.NEW_NAME_AT);
    const rides = quiet ? null : this.tell(fs, batch, i, from, to, half, out);
    const { bytes } = batch;
    if (oldNode !== NOT_FOUND && half === null)
      entryGone(fs, oldNode, bytes, from.nameAt, from.nameBytes, this.listener);
    if (directory) this.moveNode(fs, batch, i, from, to, half !== null, rides?.there ?? null);
    else if (newNode !== NOT_FOUND) fileAppeared(fs, newNode, bytes, to.nameAt, to.nameBytes, this.listener);
    // Each half gives a name away that the other one takes: managed paths are looked for when both are done.
    if (half !== "second") return;
    if (oldNode !== NOT_FOUND)
      entryExchanged(fs, oldNode, bytes, from.nameAt, from.nameBytes, rides?.back ?? null, this.listener);
    if (newNode !== NOT_FOUND)
      entryExchanged(fs, newNode, bytes, to.nameAt, to.nameBytes, rides?.there ?? null, this.listener);
  }

  /** What the tree has under the new name leaves it first, where it is compared with the disk. */
  private vacate(fs: Filesystem, newNode: number, batch: Batch, i: number): void {
    const nameAt = batch.get(i, fan.NEW_NAME_AT);
    this.learner.comparison.vacate(fs, newNode, batch.bytes, nameAt, batch.get(i, fan.NEW_NAME_BYTES));
  }

  private endOf(
    fs: Filesystem,
    batch: Batch,
    i: number,
    node: number,
    directoryColumn: number,
    nameColumn: number,
  ): End {
    const nameAt = batch.get(i, nameColumn);
    const nameBytes = batch.get(i, nameColumn + 1);
    const { burials } = this.endings;
    const places = node === NOT_FOUND ? burials.placesOf(fs, batch, i, directoryColumn) : fs.placesOf(node);
    const entries = entryPlaces(places, batch.bytes, nameAt, nameBytes);
    return { node, directoryColumn, places, entries, nameAt, nameBytes };
  }

  /**
   * The lines of a rename, at whichever end a managed path sees it.
   *
   * @returns how managed paths below it go along, to its new place and, where two are exchanged, to the old one; null for none
   */
  private tell(
    fs: Filesystem,
    batch: Batch,
    i: number,
    from: End,
    to: End,
    half: Half | null,
    out: Occurrences,
  ): { there: Ride; back: Ride } | null {
    const { bytes } = batch;
    const directory = (batch.get(i, fan.MASK) & abi.FAN_ONDIR) !== 0;
    // A directory on the way to managed paths, which go and come with it.
    const led = directory
      ? [from, to].flatMap(({ node, nameAt, nameBytes }) =>
          watchesExpecting(fs, node, bytes, nameAt, nameBytes),
        )
      : [];
    if (from.entries.length === 0 && to.entries.length === 0 && led.length === 0) return null;
    const fromPath = this.endPath(fs, batch, i, from);
    const toPath = this.endPath(fs, batch, i, to);
    // One of two that are exchanged may be no directory: the first half stands for both.
    if (fromPath !== null && toPath !== null && (half === null ? directory : half === "first"))
      this.listener.directoryRenamed(fromPath, toPath, half !== null);
    const journey = this.journeys.travel(fs, batch, i, directory);
    const told = journey.occurrences;
    const pid = batch.get(i, fan.PID);
    const add = (mask: number, places: readonly Place[], end: End, otherEnd: Uint8Array | null) => {
      if (places.length === 0) return;
      const one = out.add(mask, pid, places, directory);
      one.concerns(fs, batch, i, end.nameAt, end.nameBytes);
      one.otherEnd = otherEnd;
      one.exchange = half !== null;
      one.moved = (mask & abi.FAN_MOVED_TO) !== 0;
      told.push(one);
    };
    const comes = abi.FAN_MOVED_TO | abi.FAN_MOVE_SELF;
    const goes = abi.FAN_MOVED_FROM | abi.FAN_MOVE_SELF;
    // MOVE_SELF is the object's own event: under its new name where a managed path sees that, else under the old one.
    const staying = from.entries.filter((place) => to.entries.some((other) => other.watch === place.watch));
    const leaving = from.entries.filter((place) => !staying.includes(place));
    add(abi.FAN_MOVED_FROM, staying, from, toPath);
    add(goes, leaving, from, toPath);
    add(comes, to.entries, to, fromPath);
    if (!directory && to.entries.length > 0) this.tellEarlier(batch, i, out);
    if (led.length === 0) return null;
    for (const watch of led) journey.led.add(watch);
    const away = { types: goes, pid, otherEnd: toPath, told };
    if (from.node !== NOT_FOUND)
      tellCarriedAway(fs, from.node, bytes, from.nameAt, from.nameBytes, away, this.listener, out);
    const there = { types: comes, pid, otherEnd: fromPath, told };
    return { there, back: { ...there, otherEnd: toPath } };
  }

  /** A directory was lost sight of: first what brought it to where this rename takes it from. */
  private compare(fs: Filesystem, bytes: Uint8Array, handleAt: number, handleBytes: number): void {
    if (fs.verified === null) return;
    const known = fs.tree.find(bytes, handleAt);
    if (known !== NOT_FOUND) this.learner.comparison.verify(fs, known);
    else this.learner.learn(fs, Uint8Array.from(bytes.subarray(handleAt, handleAt + handleBytes)));
  }

  private moveNode(
    fs: Filesystem,
    batch: Batch,
    i: number,
    from: End,
    { node: newNode, places: newPlaces, nameAt, nameBytes }: End,
    exchange: boolean,
    ride: Ride | null,
  ): void {
    const { bytes } = batch;
    const objectAt = batch.get(i, fan.OBJECT_AT);
    const wasInScope = from.entries.length > 0;
    const known = fs.tree.find(bytes, objectAt);
    const name = bytes.subarray(nameAt, nameAt + nameBytes);
    const expected = newNode !== NOT_FOUND && isExpected(fs, newNode, bytes, nameAt, nameBytes);
    if (newNode === NOT_FOUND || !(expected || fs.followsChildren(newPlaces))) {
      // Out of scope from now on. What lies below it stays in the tree, reachable again if it is moved back.
      if (known !== NOT_FOUND) {
        fs.tree.move(known, newNode === NOT_FOUND ? NOWHERE : newNode, name);
        fs.placesChanged();
      }
      return;
    }
    const before = known === NOT_FOUND ? [] : fs.placesOf(known);
    const node = fs.tree.put(bytes, objectAt, newNode, name);
    fs.verified?.add(node);
    fs.placesChanged();
    // From outside, or from under an exclude pattern or a non-recursive path: its inside was never told. While the tree is compared
    // with the disk, it may have left the part that is still to be read for the one that was.
    const wasFollowed = known !== NOT_FOUND && (wasInScope || exchange) && fs.followsChildren(before);
    if (!wasFollowed || fs.verified !== null) fs.unscanned.push(node);
    // Nor does a scan that is on its way to where it was find it here.
    else if (fs.isIncomplete) fs.unread.add(node);
    if (expected && !exchange)
      directoryAppeared(fs, newNode, bytes, nameAt, nameBytes, node, true, ride, this.listener);
  }

  /** Absolute path of one end: from its place, else from the disk when it lies outside every managed path. */
  private endPath(fs: Filesystem, batch: Batch, i: number, end: End): Uint8Array | null {
    const { entries, directoryColumn, nameAt, nameBytes } = end;
    const [seen] = entries;
    if (seen !== undefined) return entryPath(seen, batch.bytes, nameAt, nameBytes);
    const at = batch.get(i, directoryColumn);
    const handle = batch.bytes.subarray(at, at + batch.get(i, directoryColumn + 1));
    const path = this.learner.pathAt(fs, handle);
    if (path === null) return null;
    const directory = path.length === 1 ? new Uint8Array(0) : path;
    return joinPath(directory, batch.bytes.subarray(nameAt, nameAt + nameBytes));
  }

  /**
   * What happened to the file before in this batch finds its size under its new name: a save by rename is
   * write, close, rename.
   */
  private tellEarlier(batch: Batch, i: number, out: Occurrences): void {
    const now = out.at(out.count - 1);
    const at = batch.get(i, fan.OBJECT_AT);
    const length = batch.get(i, fan.OBJECT_BYTES);
    for (let k = out.count - 2, end = Math.max(0, out.count - EARLIER_MAX); k >= end; k--) {
      const one = out.at(k);
      if (one.objectAt < 0 || one.objectBytes !== length || one.renamedTo !== null) continue;
      if (sameHandle(one.bytes, one.objectAt, batch.bytes, at, length)) one.renamedTo = now;
    }
  }

  /** Marks what can't be known as such, and looks where a directory is that went to and fro. */
  finish(out: Occurrences): void {
    if (out.count === 0) return;
    for (const journey of this.journeys.circular()) {
      for (const one of journey.occurrences) one.merged = true;
      if (journey.directory) this.settle(journey);
    }
  }

  private settle({ fs, handle, led }: Journey): void {
    for (const watch of led) this.listener.needsAttach(watch, null);
    const node = fs.tree.find(handle, 0);
    const entry = node === NOT_FOUND ? null : this.learner.entryAt(fs, handle);
    if (entry === null) return;
    const parent = fs.tree.find(entry.parent, 0);
    fs.tree.move(node, parent === NOT_FOUND ? NOWHERE : parent, entry.name);
    fs.placesChanged();
  }
}
