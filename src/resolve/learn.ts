// Where a directory was at a place in the event queue, if the tree doesn't know it. The disk says where it is now, and the disk is
// ahead of the queue; so the queue is read to its end after the disk was asked, and the first event behind that place which tells of
// the directory is right, or else the disk is: nothing has moved it since. Level by level, upwards to the first known directory. That
// nothing is missing in the queue when it is read is fh_handle_place's care.
import * as fan from "../decode/fan.ts";
import * as abi from "../kernel/abi.ts";
import type { DirectoryEntry } from "../kernel/handles.ts";
import { Comparison, stands } from "./comparison.ts";
import type { Filesystem } from "./filesystems/filesystem.ts";
import type { Filesystems } from "./filesystems/filesystems.ts";
import { bytesKey } from "./filesystems/handle-key.ts";
import { settleStrayed } from "./filesystems/newborn.ts";
import { tellLearned } from "./filesystems/rescan.ts";
import { NOT_FOUND, NOWHERE } from "./filesystems/tree.ts";
import { Occurrences } from "./occurrence.ts";
import type { ReadAhead } from "./read-ahead.ts";
import { joinPath } from "./watch.ts";

/** Each attempt finds an event that the one before didn't have: directories renamed as fast as they are looked for. */
const ATTEMPTS_MAX = 32;
/** For the event of a removal that is under way at this moment; until the queue was seen empty, all in all. */
const PATIENCE_MS = 20;

/** One directory on the way up. */
interface Step extends DirectoryEntry {
  handle: Uint8Array;
  /** Said by the disk; false: by an event. */
  asked: boolean;
  /** Place of the event that tells of its making, which is still to come; -1 for all others. */
  madeAt: number;
}

interface Way {
  /** The directory itself first. */
  steps: Step[];
  /** The known directory above, or NOT_FOUND: none up to the filesystem's root. */
  above: number;
  /** Where that root is mounted. */
  mountPoint: Uint8Array | null;
}

/** What learning needs of the disk (filesystems.ts). */
export type Disk = Pick<Filesystems, "placeOf" | "childOf" | "pathOf" | "awaitChanges" | "timesOf">;

export class Learner {
  /** The place in the queue of what is being told: the trees are as they were then. */
  place = 0;
  /** Is told what a loss has hidden. */
  out = new Occurrences();
  readonly comparison = new Comparison(this);
  private patienceMs = PATIENCE_MS;

  constructor(
    private readonly disk: Disk,
    private readonly ahead: ReadAhead,
    /** Is told a directory that is used before the event of its making, and that event's place. */
    private readonly early: (fs: Filesystem, node: number, madeAt: number) => void,
  ) {}

  /** The queue was seen empty. */
  caughtUp(): void {
    this.patienceMs = PATIENCE_MS;
  }

  /**
   * The node of a directory that the tree doesn't know; NOT_FOUND when it lies outside every managed path, or isn't made yet; null
   * when it is gone and nothing that is queued tells where it was.
   *
   * @param met known directories on the way that were looked at
   */
  learn(fs: Filesystem, handle: Uint8Array, met = new Set<number>()): number | null {
    const key = bytesKey(handle);
    if (fs.outside.has(key)) return NOT_FOUND;
    const way = this.wayTo(fs, handle, false);
    if (way === null) return null;
    // A batch later it can be told.
    if (way.steps.some((step) => step.madeAt >= this.ahead.batch.endsAt)) return NOT_FOUND;
    if (way.above !== NOT_FOUND) this.comparison.verify(fs, way.above, new Set(met));
    if (way.above !== NOT_FOUND && fs.placesOf(way.above).length === 0) this.reattach(fs, way.above, met);
    const node = way.above === NOT_FOUND ? NOT_FOUND : this.insertBelow(fs, way);
    if (node === NOT_FOUND) fs.noteOutside(key);
    return node;
  }

  /**
   * A known directory that no managed path sees, while something is unscanned: what is above it may have been outside when the disk
   * showed it, and have come in since.
   */
  reattach(fs: Filesystem, node: number, met = new Set<number>()): void {
    const { tree } = fs;
    if (met.has(node)) return;
    let top = node;
    for (; !met.has(top); top = tree.parentOf(top)) {
      met.add(top);
      const above = tree.parentOf(top);
      if (above < 0) break;
    }
    const handle = tree.handleOf(top);
    const key = bytesKey(handle);
    if (fs.outside.has(key)) return;
    const entry = this.entryAt(fs, handle);
    let parent = entry === null ? NOT_FOUND : tree.find(entry.parent, 0);
    if (entry !== null && parent === NOT_FOUND) parent = this.learn(fs, entry.parent, met) ?? NOT_FOUND;
    else if (parent !== NOT_FOUND && !met.has(parent) && fs.placesOf(parent).length === 0)
      this.reattach(fs, parent, met);
    if (entry === null || parent === NOT_FOUND || !fs.followsChildren(fs.placesOf(parent))) {
      fs.noteOutside(key);
      return;
    }
    tree.move(top, parent, entry.name);
    fs.placesChanged();
    fs.unread.add(top);
  }

  /** The entry that a directory is, if an event is queued that tells it: where it was until then, or where it is going to be made. */
  queued(fs: Filesystem, handle: Uint8Array): DirectoryEntry | null {
    this.ahead.readAll();
    const clue = this.ahead.clues.empty ? null : this.ahead.clues.first(fs, handle, this.place);
    return clue === null ? null : oldEnd(clue);
  }

  /** The entry that a directory is, whatever lies above it; null when it is gone. */
  entryAt(fs: Filesystem, handle: Uint8Array): DirectoryEntry | null {
    let step = this.step(fs, handle);
    // What was queued until then knows better.
    const byDisk = step === null || ("asked" in step && step.asked);
    if (byDisk && this.ahead.readAll()) step = this.step(fs, handle);
    return step === null || "mountPoint" in step ? null : step;
  }

  /** The handle of the directory that an entry of another one was; null when no directory had that name. */
  childAt(fs: Filesystem, parent: Uint8Array, name: Uint8Array): Uint8Array | null {
    const told = this.ahead.entryHad(fs, parent, name, this.place);
    if (told !== undefined) return told;
    const now = this.disk.childOf(fs, parent, name);
    if (!this.ahead.readAll()) return now;
    const queued = this.ahead.entryHad(fs, parent, name, this.place);
    return queued === undefined ? now : queued;
  }

  /** What is being renamed in a directory at this moment can be found in the queue as a whole when this returns. */
  awaitChanges(fs: Filesystem, handle: Uint8Array): void {
    this.disk.awaitChanges(fs, handle);
    this.ahead.readAll();
  }

  /** An event of a process behind the batch, as a batch of its own, good until the next call; null when it isn't queued. */
  nextOfProcess(pid: number, skipped = 0): fan.EventBatch | null {
    return this.ahead.nextOfProcess(pid, skipped);
  }

  /** Where a directory is on the disk now. */
  pathNow(fs: Filesystem, handle: Uint8Array): Uint8Array | null {
    return this.disk.pathOf(fs, handle);
  }

  /** The absolute path of a directory, wherever it lies; null when it is gone. */
  pathAt(fs: Filesystem, handle: Uint8Array): Uint8Array | null {
    const now = this.pathNow(fs, handle);
    this.ahead.readAll();
    if (this.ahead.clues.empty) return now;
    const way = this.wayTo(fs, handle, true);
    if (way === null) return null;
    const places = way.above === NOT_FOUND ? [] : fs.placesOf(way.above);
    const place = places.find((one) => one.onlyName === null);
    let path = place?.path ?? way.mountPoint;
    if (path === null) return now;
    for (const { name } of way.steps.reverse()) path = joinPath(path, name);
    return path.length === 0 ? Uint8Array.of(0x2f) : path;
  }

  /** Directories that were put into the tree as the disk has them now are taken back to where they were. */
  takeBack(fs: Filesystem): void {
    if (fs.fresh.size === 0) return;
    this.ahead.readAll();
    const fresh = [...fs.fresh];
    fs.fresh.clear();
    if (!this.ahead.clues.empty) this.takeNodesBack(fs, fresh);
    if (fs.inodeMarks !== null) for (const node of fresh) settleStrayed(fs, node, this.out);
  }

  private takeNodesBack(fs: Filesystem, fresh: readonly number[]): void {
    const marks = fs.inodeMarks;
    // Those whose directory is known first: the others are looked for in the tree that these make.
    const later: { node: number; parent: Uint8Array; name: Uint8Array }[] = [];
    for (const node of fresh) {
      if (!fs.tree.has(node)) continue;
      const clue = this.ahead.clues.first(fs, fs.tree.handleOf(node), this.place);
      if (clue === null) continue;
      const leaves = (clue.get(0, fan.MASK) & abi.FAN_MOVED_FROM) !== 0;
      const { parent, name } = oldEnd(clue);
      const known = fs.tree.find(parent, 0);
      if (known !== NOT_FOUND && stands(fs, node, known, name)) continue;
      marks?.strayed.delete(node);
      // The event tells only that it leaves; where for, nobody will say again.
      if (marks !== null && leaves)
        marks.seen.set(node, {
          parent: fs.tree.parentOf(node),
          name: Uint8Array.from(fs.tree.nameOf(node)),
        });
      if (known === NOT_FOUND) later.push({ node, parent, name });
      else fs.tree.move(node, known, name);
    }
    fs.placesChanged();
    for (const { node, parent, name } of later) {
      const learned = this.learn(fs, parent);
      if (!fs.tree.has(node)) continue;
      fs.tree.move(node, learned === null || learned === NOT_FOUND ? NOWHERE : learned, name);
    }
    if (later.length > 0) fs.placesChanged();
  }

  /** @param seen the way ends only at a directory that a managed path sees; false: at any that is known */
  private wayTo(fs: Filesystem, handle: Uint8Array, seen: boolean): Way | null {
    for (let attempt = 0; ; attempt++) {
      const way = this.climb(fs, handle, seen);
      if (way === null) {
        if (attempt < ATTEMPTS_MAX && (this.ahead.readAll() || this.waitForMore(fs))) continue;
        return null;
      }
      const asked = way.steps.filter((step) => step.asked);
      if (asked.length === 0 || !this.ahead.readAll() || attempt === ATTEMPTS_MAX) return way;
      if (asked.every((step) => this.ahead.clues.first(fs, step.handle, this.place) === null)) return way;
    }
  }

  private climb(fs: Filesystem, handle: Uint8Array, seen: boolean): Way | null {
    const steps: Step[] = [];
    // Merged renames can form a circle.
    const met = new Set<string>();
    for (let at = handle; !met.has(bytesKey(at)); ) {
      met.add(bytesKey(at));
      const known = fs.tree.find(at, 0);
      if (known !== NOT_FOUND && (!seen || fs.placesOf(known).some((place) => place.onlyName === null)))
        return { steps, above: known, mountPoint: null };
      const step = this.step(fs, at);
      if (step === null) return null;
      if ("mountPoint" in step) return { steps, above: NOT_FOUND, mountPoint: step.mountPoint };
      steps.push(step);
      at = step.parent;
    }
    return null;
  }

  private step(fs: Filesystem, handle: Uint8Array): Step | { mountPoint: Uint8Array | null } | null {
    this.ahead.cover();
    const clue = this.ahead.clues.first(fs, handle, this.place);
    if (clue !== null) {
      const madeAt = (clue.get(0, fan.MASK) & abi.FAN_CREATE) === 0 ? -1 : clue.startsAt;
      return { handle, ...oldEnd(clue), asked: false, madeAt };
    }
    const answer = this.disk.placeOf(fs, handle);
    if (answer === null || "mountPoint" in answer) return answer;
    return { handle, ...answer, asked: true, madeAt: -1 };
  }

  /** Inserts what is missing, from above. NOT_FOUND where nothing has to be known. */
  private insertBelow(fs: Filesystem, way: Way): number {
    let node = way.above;
    for (const { handle, name, madeAt } of way.steps.reverse()) {
      // Above a managed path, or below one that isn't recursive.
      if (!fs.followsChildren(fs.placesOf(node))) return NOT_FOUND;
      if (madeAt < 0) this.comparison.makeRoom(fs, node, name, 0, name.length);
      node = fs.tree.put(handle, 0, node, name);
      fs.verified?.add(node);
      if (madeAt < 0) this.tellLearned(fs, node, handle);
      if (madeAt < 0) this.comparison.placed(fs);
      if (madeAt < 0) fs.unread.add(node);
      else this.early(fs, node, madeAt);
    }
    return node;
  }

  /** It came while events were lost, unless it came with the directory that it is in. */
  private tellLearned(fs: Filesystem, node: number, handle: Uint8Array): void {
    if (fs.verified !== null) tellLearned(fs, node, this.disk.timesOf(fs, handle), this.out);
  }

  /** The removal of what the disk has no more is queued within microseconds, or was told before. */
  private waitForMore(fs: Filesystem): boolean {
    if (fs.inodeMarks !== null) return false;
    while (this.patienceMs > 0) {
      this.patienceMs--;
      if (this.ahead.readSoon(1)) return true;
    }
    return false;
  }
}

/** Copies: where the event says that its object was until then, or has come to be. */
function oldEnd(clue: fan.EventBatch): DirectoryEntry {
  const at = clue.get(0, fan.DIR_AT);
  const nameAt = clue.get(0, fan.NAME_AT);
  return {
    parent: Uint8Array.from(clue.bytes.subarray(at, at + clue.get(0, fan.DIR_BYTES))),
    name: Uint8Array.from(clue.bytes.subarray(nameAt, nameAt + clue.get(0, fan.NAME_BYTES))),
  };
}
