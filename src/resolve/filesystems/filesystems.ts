// The filesystems that are being watched, found by the id that every event carries, and their kernel marks: one a filesystem,
// whose mask is the union of what its managed paths want; or one a directory where a filesystem refuses the other.
import { closeSync } from "node:fs";
import * as abi from "../../kernel/abi.ts";
import * as handles from "../../kernel/handles.ts";
import { openDirectory } from "../../kernel/mount.ts";
import { errnoOf } from "../../kernel/syscall.ts";
import { pathText, type Watch } from "../watch.ts";
import { type Covered, findCovered } from "./covered.ts";
import type { EventQueues } from "./event-queues.ts";
import type { Filesystem } from "./filesystem.ts";
import { markNew, TREE_MASK, withTop } from "./marking.ts";
import { MountAccess } from "./mount-access.ts";
import {
  changedMounts,
  concernedBy,
  type Mount,
  type MountWatch,
  mountKey,
  mountOf,
  mountsOf,
  readMounts,
} from "./mounts.ts";
import { ParkedTrees } from "./parked-trees.ts";
import { Servers } from "./servers.ts";

/** Types that are made from RENAME. */
const MADE_FROM_RENAME = abi.FAN_MOVED_FROM | abi.FAN_MOVED_TO | abi.FAN_MOVE_SELF;

/** At a directory that is renamed faster than it is looked at. */
const LOOKS_MAX = 16;

export class Filesystems {
  private readonly byFsid = new Map<string, Filesystem>();
  private readonly byDevice = new Map<string, Filesystem>();
  /** Gone ones, as long as events of theirs may still be queued. */
  private departed: Filesystem[] = [];
  /** What other mounts hide, once the events from before are read. */
  private hidden: ReadonlyMap<Filesystem, Covered> | null = null;
  private nextId = 0;
  private lastFound: Filesystem | null = null;
  readonly servers = new Servers();
  private readonly access: MountAccess;
  private readonly parked = new ParkedTrees();
  mounts: Mount[] = readMounts();

  constructor(
    private readonly queues: EventQueues,
    private readonly mountWatch: MountWatch,
    /** Types that a managed path wants, as FAN_* bits. */
    private readonly wantedMask: (watch: Watch) => number,
  ) {
    this.access = new MountAccess(() => mountWatch.hasChanged(), this.servers);
  }

  all(): Iterable<Filesystem> {
    return this.byDevice.values();
  }

  /** Hot. The filesystem of an event, null when it isn't watched (any more). */
  find(fsidLow: number, fsidHigh: number): Filesystem | null {
    const last = this.lastFound;
    if (last !== null && last.fsidLow === fsidLow && last.fsidHigh === fsidHigh) return last;
    const found = this.byFsid.get(fsidKey(fsidLow, fsidHigh)) ?? null;
    if (found === null) {
      const is = (fs: Filesystem) => fs.fsidLow === fsidLow && fs.fsidHigh === fsidHigh;
      return this.departed.length === 0 ? null : (this.departed.find(is) ?? null);
    }
    this.lastFound = found;
    return found;
  }

  /**
   * Whether something was mounted or unmounted that can matter to one of these paths, or to a watched filesystem. Where containers
   * come and go that is rare.
   */
  mountsMatter(paths: Iterable<string>): boolean {
    const now = readMounts();
    const changed = changedMounts(this.mounts, now);
    if (changed.some(({ device }) => this.byDevice.has(device))) return true;
    // Unmounted and mounted again with the same numbers: only the mark is gone.
    const marked = this.queues.shared.markedDevices();
    for (const fs of this.byDevice.values()) if (!this.isMarked(fs, marked)) return true;
    const isConcerned = concernedBy(changed.map(({ mountPoint }) => mountPoint));
    for (const path of paths) if (isConcerned(path)) return true;
    this.takeMounts(now);
    return false;
  }

  /** Mounts are compared by identity: all that is known of them changes at once. */
  takeMounts(mounts: Mount[]): void {
    this.access.release();
    this.mounts = mounts;
    for (const fs of this.byDevice.values()) fs.mounts = mountsOf(mounts, fs.device);
  }

  /**
   * Looks at the mounts again; filesystems whose marks went with their last mount (`gone`) are forgotten here.
   *
   * @returns also mounts that are there no more (`vanished`), and where something was mounted or unmounted
   */
  refreshMounts(): { gone: readonly Filesystem[]; vanished: readonly Mount[]; points: readonly string[] } {
    const before = this.mounts;
    this.takeMounts(readMounts());
    const marked = this.queues.shared.markedDevices();
    const gone: Filesystem[] = [];
    for (const fs of [...this.byDevice.values()]) {
      if (fs.mounts.length > 0 && this.isMarked(fs, marked)) continue;
      gone.push(fs);
      this.forget(fs);
      this.departed.push(fs);
      this.parked.park(fs);
    }
    const changed = changedMounts(before, this.mounts);
    const there = new Set(this.mounts);
    const points = changed.map(({ mountPoint }) => mountPoint);
    return { gone, vanished: changed.filter((mount) => !there.has(mount)), points };
  }

  /** What other mounts hide is hidden from the next caughtUp() on: events from before it are still to come. */
  coverLater(): void {
    this.hidden = findCovered(this.byDevice, this.mounts, this.access);
  }

  /**
   * Hot. What was unmounted doesn't hide anything any more, from the very next event on: called for every batch,
   * before it is resolved.
   */
  uncover(): void {
    let covers = false;
    for (const fs of this.byDevice.values()) covers ||= fs.covered.size > 0;
    if (!covers || !this.mountWatch.hasChanged()) return;
    const there = new Set(readMounts().map(mountKey));
    for (const fs of this.byDevice.values()) {
      const left = [...fs.covered].filter(([, by]) => there.has(mountKey(by)));
      if (left.length < fs.covered.size) fs.cover(new Map(left));
    }
  }

  /** The queues were read to their end. */
  caughtUp(): void {
    for (const fs of this.departed) this.queues.closeOwn(fs.group);
    this.departed = [];
    if (this.hidden === null) return;
    for (const [fs, covered] of this.hidden) fs.cover(covered);
    this.hidden = null;
  }

  /** True while caughtUp() has something to do. */
  get isBehind(): boolean {
    return this.hidden !== null || this.departed.length > 0;
  }

  private forget(fs: Filesystem): void {
    this.byFsid.delete(fsidKey(fs.fsidLow, fs.fsidHigh));
    this.byDevice.delete(fs.device);
    if (this.lastFound === fs) this.lastFound = null;
  }

  /**
   * The filesystem that holds an existing directory, marked for the tree's needs at least.
   *
   * @returns a reason in words when it can't be watched
   */
  open(directory: string): Filesystem | string {
    const mount = mountOf(this.mounts, directory);
    if (mount === null) return "it lies on no mount that can be seen from here";
    const known = this.byDevice.get(mount.device);
    if (known !== undefined) return known;
    const isTaken = (low: number, high: number) => this.byFsid.has(fsidKey(low, high));
    const fs = markNew(this.nextId, mount, this.access, this.queues, isTaken);
    if (typeof fs === "string") return fs;
    this.nextId++;
    fs.mounts = mountsOf(this.mounts, fs.device);
    fs.probe = this.servers.probeOf(mount);
    const tree = this.parked.take(fs);
    if (tree !== null) fs.compareWith(tree);
    this.byFsid.set(fsidKey(fs.fsidLow, fs.fsidHigh), fs);
    this.byDevice.set(fs.device, fs);
    return fs;
  }

  /** Sets each mark to what its managed paths want now, and lets go of filesystems that have none. `added`: only that it came. */
  updateMarks(added?: Watch): void {
    for (const fs of [...this.byDevice.values()]) {
      if (fs.begins.watchCount === 0) {
        if (fs.shared) this.change(fs, (fd) => fs.group.unmark("filesystem", fd, fs.markedMask));
        else this.queues.closeOwn(fs.group);
        this.forget(fs);
        continue;
      }
      let wanted = added === undefined ? TREE_MASK : fs.markedMask;
      const asked = added === undefined ? fs.begins.watches() : fs.begins.has(added) ? [added] : [];
      for (const watch of asked) wanted |= this.wantedMask(watch) & ~MADE_FROM_RENAME;
      if (fs.inodeMarks !== null) this.widen(fs, wanted);
      else this.remark(fs, wanted);
    }
  }

  private remark(fs: Filesystem, wanted: number): void {
    const added = wanted & ~fs.markedMask;
    const removed = fs.markedMask & ~wanted;
    if (added !== 0) this.change(fs, (fd) => fs.group.mark("filesystem", fd, added | abi.FAN_ONDIR));
    if (removed !== 0) this.change(fs, (fd) => fs.group.unmark("filesystem", fd, removed));
    fs.markedMask = wanted;
  }

  /**
   * Many marks are never narrowed, what nobody wants is filtered; and the scan widens them, directory by directory.
   */
  private widen(fs: Filesystem, wanted: number): void {
    // The kernel reports no errors of the filesystem to a directory's mark.
    const mask = (wanted & ~abi.FAN_FS_ERROR) | abi.FAN_EVENT_ON_CHILD;
    if ((mask & ~fs.markedMask) === 0) return;
    fs.markedMask |= mask;
    for (const node of [...fs.begins.anchors.keys(), ...fs.begins.expectations.keys()])
      this.markDirectory(fs, node);
    for (const node of fs.begins.anchors.keys()) fs.unscanned.push(node);
  }

  /** Marks one directory that managed paths begin at or are expected in. Returns 0 or -errno. */
  markDirectory(fs: Filesystem, node: number): number {
    const [place] = [...(fs.begins.anchors.get(node) ?? []), ...(fs.begins.expectations.get(node) ?? [])];
    if (place === undefined) return 0;
    const fd = this.openDirectory(fs, place.path, fs.tree.handleOf(node));
    if (fd < 0) return fd;
    const refused = fs.group.mark("inode", fd, fs.markedMask);
    closeSync(fd);
    return refused;
  }

  /** The directory with that handle by its path, or -errno: ESTALE when another stands there. */
  openDirectory(fs: Filesystem, path: Uint8Array, handle: Uint8Array): number {
    const mount = mountOf(this.mounts, pathText(path));
    if (mount === null || mount.device !== fs.device) return -errnoOf("ESTALE");
    const opened = this.access.open(mount);
    if (typeof opened === "number") return opened;
    const point = mount.mountPoint === "/" ? 0 : Buffer.byteLength(mount.mountPoint);
    const below = path.subarray(Math.min(path.length, point + 1));
    return openDirectory(opened.fd, below, handle);
  }

  /** A mark's change, through whatever mount the kernel takes for it. */
  private change(fs: Filesystem, change: (fd: number) => number): void {
    for (const mount of fs.mounts) {
      const opened = this.access.open(mount);
      if (typeof opened === "number") continue;
      if (change(opened.fd) >= 0) return;
      if (fs.type === "btrfs" && withTop(mount, change) >= 0) return;
    }
  }

  private isMarked(fs: Filesystem, sharedDevices: ReadonlySet<string>): boolean {
    if (fs.kind === "filesystem")
      return (fs.shared ? sharedDevices : fs.group.markedDevices()).has(fs.device);
    return fs.mounts.some((mount) => {
      const opened = this.access.open(mount);
      // Changed once more meanwhile, or not to be asked now: the next look will tell.
      if (typeof opened === "number") return opened === -errnoOf("ETIMEDOUT") || this.mountWatch.hasChanged();
      return fs.group.hasMark("inode", opened.fd);
    });
  }

  /** Lends a descriptor on the filesystem, for opening handles by. release() gives it back: a held one keeps the filesystem in use. */
  withMount<T>(fs: Filesystem, work: (mountFd: number) => T, otherwise: T): T {
    for (const mount of fs.mounts) {
      const opened = this.access.open(mount);
      if (typeof opened !== "number") return work(opened.fd);
    }
    // Unmounted: the mounts are looked at again by themselves.
    return otherwise;
  }

  /** Where a directory is now, as one of the filesystem's mounts shows it; null when it is gone or none does. */
  pathOf(fs: Filesystem, handle: Uint8Array): Uint8Array | null {
    for (const mount of fs.mounts) {
      const opened = this.access.open(mount);
      if (typeof opened === "number") continue;
      const path = handles.pathOfHandle(opened.fd, handle);
      if (path === null) continue;
      if (opened.prefix.length === 0) return path;
      return path.length === 1 ? opened.prefix : Buffer.concat([opened.prefix, path]);
    }
    return null;
  }

  /**
   * The entry that a directory is now; where it is the root of a mount, that mount's point, which is null when no mount shows it. Null: it is
   * gone, or will be in a moment.
   */
  placeOf(
    fs: Filesystem,
    handle: Uint8Array,
  ): handles.DirectoryEntry | { readonly mountPoint: Uint8Array | null } | null {
    if (fs.inodeMarks !== null) return fs.inodeMarks.survey?.placeOf(handle) ?? null;
    let asked = fs.mounts.length > 0;
    for (const mount of fs.mounts) {
      const opened = this.access.open(mount);
      if (typeof opened === "number") {
        asked = false;
        continue;
      }
      let place = handles.placeOfHandle(opened.fd, handle);
      for (let look = 1; place === -errnoOf("ENOENT") && look < LOOKS_MAX; look++)
        place = handles.placeOfHandle(opened.fd, handle);
      if (place === null)
        return { mountPoint: Buffer.from(mount.mountPoint === "/" ? "" : mount.mountPoint) };
      if (typeof place !== "number") return place;
      if (-place === errnoOf("ESTALE") || -place === errnoOf("ENOENT")) return null;
    }
    return asked ? { mountPoint: null } : null;
  }

  /** The directory that an entry of another one is now; null when no directory has that name there. */
  childOf(fs: Filesystem, parent: Uint8Array, name: Uint8Array): Uint8Array | null {
    return this.withMount(fs, (mountFd) => handles.childOfHandle(mountFd, parent, name), null);
  }

  /** Of a directory; null when it is gone, or can't be asked. */
  timesOf(fs: Filesystem, handle: Uint8Array): handles.ObjectTimes | null {
    if (fs.inodeMarks !== null) return fs.inodeMarks.survey?.timesOf(handle) ?? null;
    return this.withMount(fs, (mountFd) => handles.timesOfHandle(mountFd, handle), null);
  }

  /** A rename, mkdir or rmdir in this directory that is under way has queued all of its events when this returns. */
  awaitChanges(fs: Filesystem, handle: Uint8Array): void {
    this.withMount(fs, (mountFd) => handles.awaitChanges(mountFd, handle), undefined);
  }

  /** False while its server doesn't answer, so that nothing of it can be read. */
  answers(fs: Filesystem): boolean {
    return fs.probe === null || fs.mounts.some((mount) => this.servers.answers(mount));
  }

  /** Gives descriptors back. To be called before the event loop gets its turn. */
  release(): void {
    this.access.release();
  }
}

function fsidKey(low: number, high: number): string {
  return `${low}:${high}`;
}
