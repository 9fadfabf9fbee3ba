// A batch of kernel events → occurrences with places, in kernel order; on the way the directory trees follow
// what happened to directories. Hot: runs for every event of every marked filesystem. What is out of scope
// leaves after one look-up in the tree.

import * as fan from "../decode/fan.ts";
import * as abi from "../kernel/abi.ts";
import { DyingDirectories } from "./dying.ts";
import { entryPlaces, ownPlaces } from "./entry.ts";
import type { Filesystem } from "./filesystem.ts";
import type { Filesystems } from "./filesystems.ts";
import { Graves } from "./graves.ts";
import { handleKey, objectKey } from "./keys.ts";
import { learn, rewind } from "./learn.ts";
import { NO_PLACES, type Occurrences } from "./occurrence.ts";
import { LINE_BITS } from "./order.ts";
import { findDeath, findMate, findOverwriter, type HeldOrphan, hold, sameHandle } from "./orphans.ts";
import { RenameResolver } from "./renames.ts";
import { directoryAppeared, entryGone, isExpected, type StructureListener } from "./structure.ts";
import { NOT_FOUND } from "./tree.ts";
import type { Place } from "./watch.ts";

type Batch = fan.EventBatch;

const CREATE_AND_DELETE = abi.FAN_CREATE | abi.FAN_DELETE;
/** In `extra`: an orphan that was told with another event. */
const TAKEN = -1;

export class Resolver {
  readonly graves = new Graves();
  private readonly renames: RenameResolver;
  private held: HeldOrphan[] = [];
  private heldBefore: HeldOrphan[] = [];
  private readonly dying = new DyingDirectories();
  private readonly gone: { fs: Filesystem; node: number }[] = [];
  /** Type bits that an event gets besides its own: those of its orphans. */
  private extra = new Int32Array(1024);
  /** True once the kernel said in the last batch that it dropped events. */
  overflowed = false;

  constructor(
    private readonly filesystems: Filesystems,
    private readonly listener: StructureListener,
    /** Our own process: its work shapes the tree and is never reported. */
    private readonly selfPid: number,
  ) {
    this.renames = new RenameResolver(filesystems, listener, this.graves);
  }

  /** Everything the batch tells, appended to `out`. */
  resolve(batch: Batch, out: Occurrences): void {
    this.overflowed = false;
    this.begin(batch);
    for (let i = 0; i < batch.count; i++) {
      const mask = batch.get(i, fan.MASK);
      if ((mask & abi.FAN_Q_OVERFLOW) !== 0) {
        this.overflowed = true;
        continue;
      }
      const fs = this.filesystems.find(batch.get(i, fan.FSID_LOW), batch.get(i, fan.FSID_HIGH));
      if (fs === null) continue;
      if ((mask & abi.FAN_FS_ERROR) !== 0) this.filesystemError(fs, batch, i, out);
      else if (batch.get(i, fan.DIR_AT) < 0) this.orphan(fs, batch, i, out);
      else if ((mask & abi.FAN_RENAME) !== 0) this.rename(fs, batch, i, out);
      else if (isDot(batch, i)) this.directoryItself(fs, batch, i, out);
      else this.entry(fs, batch, i, out);
    }
    this.finish(out);
  }

  /** The queue was read to its end: no rename that is older than what was learned from the disk is still to come. */
  caughtUp(): void {
    for (const fs of this.filesystems.all()) if (fs.fresh.size > 0) fs.fresh.clear();
  }

  private begin(batch: Batch): void {
    if (this.extra.length < batch.count) this.extra = new Int32Array(batch.count * 2);
    else this.extra.fill(0, 0, batch.count);
    for (const fs of this.filesystems.all()) rewind(fs, batch, 0);
    this.renames.begin();
    this.heldBefore = this.held;
    this.held = [];
    for (const orphan of this.heldBefore) {
      const mate = findMate(batch, 0, orphan.handle, 0, orphan.handle.length);
      if (mate >= 0) this.extra[mate]! |= orphan.mask & LINE_BITS;
    }
  }

  /** An event about an entry of a directory: CREATE, DELETE, or anything a file itself does. */
  private entry(fs: Filesystem, batch: Batch, i: number, out: Occurrences): void {
    const mask = batch.get(i, fan.MASK);
    const isDirectory = (mask & abi.FAN_ONDIR) !== 0;
    const dirAt = batch.get(i, fan.DIR_AT);
    const nameAt = batch.get(i, fan.NAME_AT);
    const nameBytes = batch.get(i, fan.NAME_BYTES);
    const node = this.directory(fs, batch, i, dirAt, batch.get(i, fan.DIR_BYTES));
    let places: readonly Place[];
    if (node === NOT_FOUND) {
      // A subdirectory may be known though its parent isn't: it was moved out of scope and is removed there.
      if (isDirectory && (mask & abi.FAN_DELETE) !== 0) this.removeLater(fs, batch, i);
      places = this.buriedPlaces(fs, batch, dirAt, batch.get(i, fan.DIR_BYTES));
      if (places.length === 0) return;
    } else {
      places = fs.placesOf(node);
      if (isDirectory) this.followEntry(fs, batch, i, node, places);
      else if ((mask & abi.FAN_DELETE) !== 0)
        entryGone(fs, node, batch.bytes, nameAt, nameBytes, this.listener);
    }
    places = entryPlaces(places, batch.bytes, nameAt, nameBytes);
    if (places.length === 0 || batch.get(i, fan.PID) === this.selfPid) return;
    let types = (mask | this.extra[i]! | (isDirectory ? this.takeDying(fs, batch, i) : 0)) & LINE_BITS;
    if (!isDirectory && (mask & CREATE_AND_DELETE) === CREATE_AND_DELETE) types |= this.takeDeath(batch, i);
    if (types === 0) return;
    const one = out.add(types, batch.get(i, fan.PID), places, isDirectory);
    one.bytes = batch.bytes;
    one.nameAt = nameAt;
    one.nameBytes = nameBytes;
    one.filesystem = fs;
    one.objectAt = batch.get(i, fan.OBJECT_AT);
    one.objectBytes = batch.get(i, fan.OBJECT_BYTES);
    if (isDirectory || (mask & abi.FAN_DELETE) === 0) return;
    const dead = (types & abi.FAN_DELETE_SELF) !== 0;
    if (dead) return;
    // Other links or open descriptors are left. CREATE and DELETE in one mask: the file was linked and
    // unlinked, in an order that the disk decides.
    if ((mask & abi.FAN_CREATE) !== 0) one.merged = true;
    this.graves.bury(objectKey(fs, batch, i), {
      places,
      name: Uint8Array.from(batch.bytes.subarray(nameAt, nameAt + nameBytes)),
      directory: false,
    });
  }

  /** A file that was made and removed within one event: its death stands behind it in the queue. */
  private takeDeath(batch: Batch, i: number): number {
    const death = findDeath(batch, i + 1, batch.get(i, fan.OBJECT_AT), batch.get(i, fan.OBJECT_BYTES));
    if (death < 0) return 0;
    this.extra[death] = TAKEN;
    return batch.get(death, fan.MASK) & LINE_BITS;
  }

  /** What an entry event means for the tree. */
  private followEntry(fs: Filesystem, batch: Batch, i: number, node: number, places: readonly Place[]): void {
    const mask = batch.get(i, fan.MASK);
    const nameAt = batch.get(i, fan.NAME_AT);
    const nameBytes = batch.get(i, fan.NAME_BYTES);
    const { bytes } = batch;
    if ((mask & abi.FAN_CREATE) !== 0) {
      const expected = isExpected(fs, node, bytes, nameAt, nameBytes);
      if (expected || fs.followsChildren(places)) {
        const child = fs.tree.put(
          bytes,
          batch.get(i, fan.OBJECT_AT),
          node,
          bytes.subarray(nameAt, nameAt + nameBytes),
        );
        fs.verified?.add(child);
        if (expected) directoryAppeared(fs, node, bytes, nameAt, nameBytes, child, false, this.listener);
      }
    }
    if ((mask & abi.FAN_DELETE) !== 0) {
      this.removeLater(fs, batch, i);
      entryGone(fs, node, bytes, nameAt, nameBytes, this.listener);
    }
  }

  /** An event about a directory itself, which the kernel names by its own handle and ".". */
  private directoryItself(fs: Filesystem, batch: Batch, i: number, out: Occurrences): void {
    const dirAt = batch.get(i, fan.DIR_AT);
    const dirBytes = batch.get(i, fan.DIR_BYTES);
    const node = this.directory(fs, batch, i, dirAt, dirBytes);
    const pid = batch.get(i, fan.PID);
    let types = batch.get(i, fan.MASK) & LINE_BITS;
    let places: readonly Place[];
    if (node === NOT_FOUND) {
      places = this.buriedPlaces(fs, batch, dirAt, dirBytes);
    } else {
      places = fs.placesOf(node);
      if ((types & abi.FAN_DELETE_SELF) !== 0 && places.length > 0) {
        this.dying.hold(handleKey(fs, batch.bytes, dirAt, dirBytes), fs, node, pid);
        types &= ~abi.FAN_DELETE_SELF;
      }
    }
    places = ownPlaces(places);
    if (places.length === 0 || types === 0 || pid === this.selfPid) return;
    out.add(types, pid, places, true);
  }

  private rename(fs: Filesystem, batch: Batch, i: number, out: Occurrences): void {
    const oldNode = this.directory(fs, batch, i, batch.get(i, fan.DIR_AT), batch.get(i, fan.DIR_BYTES));
    const newNode = this.directory(
      fs,
      batch,
      i,
      batch.get(i, fan.NEW_DIR_AT),
      batch.get(i, fan.NEW_DIR_BYTES),
    );
    this.renames.resolve(fs, batch, i, oldNode, newNode, batch.get(i, fan.PID) === this.selfPid, out);
  }

  /** ATTRIB or DELETE_SELF of a file, without a name. */
  private orphan(fs: Filesystem, batch: Batch, i: number, out: Occurrences): void {
    const objectAt = batch.get(i, fan.OBJECT_AT);
    const objectBytes = batch.get(i, fan.OBJECT_BYTES);
    const types = batch.get(i, fan.MASK) & LINE_BITS;
    if (objectAt < 0 || types === 0 || this.extra[i] === TAKEN) return;
    const mate = findMate(batch, i + 1, batch.bytes, objectAt, objectBytes);
    if (mate >= 0) {
      this.extra[mate]! |= types;
      return;
    }
    const key = this.graves.empty ? "" : objectKey(fs, batch, i);
    const grave = this.graves.find(key);
    const pid = batch.get(i, fan.PID);
    if (grave !== undefined) {
      if ((types & abi.FAN_DELETE_SELF) !== 0) this.graves.forget(key);
      if (pid === this.selfPid) return;
      addGone(out, types, pid, grave.places, grave.name);
      return;
    }
    const overwriter = findOverwriter(batch, i);
    if (overwriter >= 0) this.overwritten(fs, batch, i, overwriter, out);
    else this.held.push(hold(batch, i));
  }

  /** The file that a rename put another one in the place of. */
  private overwritten(fs: Filesystem, batch: Batch, i: number, rename: number, out: Occurrences): void {
    const objectAt = batch.get(i, fan.OBJECT_AT);
    const moved = batch.get(rename, fan.OBJECT_AT);
    // The moved file's own orphan can't be its victim's.
    if (sameHandle(batch.bytes, moved, batch.bytes, objectAt, batch.get(i, fan.OBJECT_BYTES))) return;
    const node = fs.tree.find(batch.bytes, batch.get(rename, fan.NEW_DIR_AT));
    if (node === NOT_FOUND) return;
    const nameAt = batch.get(rename, fan.NEW_NAME_AT);
    const nameBytes = batch.get(rename, fan.NEW_NAME_BYTES);
    const places = entryPlaces(fs.placesOf(node), batch.bytes, nameAt, nameBytes);
    const pid = batch.get(i, fan.PID);
    if (places.length === 0 || pid === this.selfPid) return;
    const types = batch.get(i, fan.MASK) & LINE_BITS;
    const one = out.add(types, pid, places, false);
    one.bytes = batch.bytes;
    one.nameAt = nameAt;
    one.nameBytes = nameBytes;
    one.gone = true;
    if ((types & abi.FAN_DELETE_SELF) !== 0) return;
    const name = Uint8Array.from(batch.bytes.subarray(nameAt, nameAt + nameBytes));
    this.graves.bury(objectKey(fs, batch, i), { places, name, directory: false });
  }

  private filesystemError(fs: Filesystem, batch: Batch, i: number, out: Occurrences): void {
    // The kernel names no file here, at most an inode: every managed path on the filesystem is told, under its own path.
    const places = [...fs.watches()].map((watch): Place => {
      const path = watch.path === "/" ? new Uint8Array(0) : Buffer.from(watch.path);
      return { watch, path, depth: 0, onlyName: null, cached: null };
    });
    if (places.length === 0) return;
    const one = out.add(abi.FAN_FS_ERROR, 0, places, true);
    one.error = batch.get(i, fan.ERROR);
    one.errorCount = batch.get(i, fan.ERROR_COUNT);
  }

  /**
   * Hot. The tree's node of a directory; one that isn't known can be in scope only while something is
   * unscanned.
   */
  private directory(fs: Filesystem, batch: Batch, i: number, handleAt: number, handleBytes: number): number {
    const node = fs.tree.find(batch.bytes, handleAt);
    if (node !== NOT_FOUND || fs.unscanned.length === 0) return node;
    return learn(fs, this.withMount, batch, i, handleAt, handleBytes);
  }

  private readonly withMount = <T>(fs: Filesystem, work: (mountFd: number) => T, otherwise: T): T =>
    this.filesystems.withMount(fs, work, otherwise);

  private removeLater(fs: Filesystem, batch: Batch, i: number): void {
    const objectAt = batch.get(i, fan.OBJECT_AT);
    if (objectAt < 0) return;
    const node = fs.tree.find(batch.bytes, objectAt);
    // Only after the batch: rm -rf's events of what was inside may still come.
    if (node !== NOT_FOUND) this.gone.push({ fs, node });
  }

  private takeDying(fs: Filesystem, batch: Batch, i: number): number {
    if (this.dying.empty || (batch.get(i, fan.MASK) & abi.FAN_DELETE) === 0) return 0;
    return this.dying.take(objectKey(fs, batch, i)) ? abi.FAN_DELETE_SELF : 0;
  }

  private buriedPlaces(fs: Filesystem, batch: Batch, at: number, bytes: number): readonly Place[] {
    if (!this.graves.mayHoldDirectory(batch.bytes, at)) return NO_PLACES;
    const grave = this.graves.find(handleKey(fs, batch.bytes, at, bytes));
    return grave?.directory === true ? grave.places : NO_PLACES;
  }

  private finish(out: Occurrences): void {
    this.renames.finish(out);
    // What was held and found no mate in this batch either: a file that was unlinked before it was watched.
    // Its name can't be known.
    for (const { fs, node } of this.gone) {
      if (!fs.tree.has(node)) continue;
      const places = fs.placesOf(node).filter((place) => place.onlyName === null);
      const handle = fs.tree.handleOf(node);
      if (places.length > 0) {
        this.graves.buryDirectory(handle, handleKey(fs, handle, 0, handle.length), places);
      }
      this.forgetNode(fs, node);
    }
    this.gone.length = 0;
    this.dying.finish(out, this.selfPid, (fs, node) => this.forgetNode(fs, node));
  }

  private forgetNode(fs: Filesystem, node: number): void {
    fs.anchors.delete(node);
    fs.expectations.delete(node);
    fs.fresh.delete(node);
    fs.tree.remove(node);
    fs.forgetPlaces(node);
  }
}

function isDot(batch: Batch, i: number): boolean {
  return batch.get(i, fan.NAME_BYTES) === 1 && batch.bytes[batch.get(i, fan.NAME_AT)] === 0x2e;
}

function addGone(
  out: Occurrences,
  types: number,
  pid: number,
  places: readonly Place[],
  name: Uint8Array,
): void {
  const one = out.add(types, pid, places, false);
  one.bytes = name;
  one.nameAt = 0;
  one.nameBytes = name.length;
  one.gone = true;
}
