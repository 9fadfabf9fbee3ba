// The filesystems that are being watched, found by the fsid that every event carries, and their kernel marks:
// one a filesystem, whose mask is the union of what its managed paths want.
import { closeSync, constants, openSync } from "node:fs";
import * as abi from "../kernel/abi.ts";
import type { FanotifyGroup } from "../kernel/fanotify.ts";
import { filesystemIdentity } from "../kernel/handles.ts";
import { errnoName } from "../kernel/syscall.ts";
import { Filesystem } from "./filesystem.ts";
import { type Mount, mountOf, readMounts } from "./mounts.ts";
import type { Watch } from "./watch.ts";

/**
 * What the tree itself lives on, whatever types a person chose. RENAME tells both ends at once, so MOVED_*
 * and MOVE_SELF are made from it.
 */
const TREE_MASK = abi.FAN_CREATE | abi.FAN_DELETE | abi.FAN_RENAME | abi.FAN_DELETE_SELF | abi.FAN_ONDIR;
/** Types that are made from RENAME. */
const MADE_FROM_RENAME = abi.FAN_MOVED_FROM | abi.FAN_MOVED_TO | abi.FAN_MOVE_SELF;

export class Filesystems {
  private readonly byFsid = new Map<string, Filesystem>();
  private nextId = 0;
  private lastFound: Filesystem | null = null;
  mounts: Mount[] = readMounts();

  constructor(
    private readonly group: FanotifyGroup,
    /** Types that a managed path wants, as FAN_* bits. */
    private readonly wantedMask: (watch: Watch) => number,
  ) {}

  all(): Iterable<Filesystem> {
    return this.byFsid.values();
  }

  /** Hot. The filesystem of an event, null when it isn't watched (any more). */
  find(fsidLow: number, fsidHigh: number): Filesystem | null {
    const last = this.lastFound;
    if (last !== null && last.fsidLow === fsidLow && last.fsidHigh === fsidHigh) return last;
    const found = this.byFsid.get(fsidKey(fsidLow, fsidHigh)) ?? null;
    if (found !== null) this.lastFound = found;
    return found;
  }

  /**
   * Looks at the mounts again.
   *
   * @returns filesystems whose mark went with their last mount: nothing was watched there since. They are
   *   forgotten here
   */
  refreshMounts(): Filesystem[] {
    this.mounts = readMounts();
    const marked = this.group.markedDevices();
    const gone: Filesystem[] = [];
    for (const fs of [...this.byFsid.values()]) {
      const mount = this.mounts.findLast((one) => one.device === fs.device);
      if (marked.has(fs.device)) {
        // Still marked, so still mounted somewhere; perhaps not where it was.
        if (mount !== undefined) fs.mountPath = mount.mountPoint;
        continue;
      }
      gone.push(fs);
      this.forget(fs);
    }
    return gone;
  }

  private forget(fs: Filesystem): void {
    this.byFsid.delete(fsidKey(fs.fsidLow, fs.fsidHigh));
    if (this.lastFound === fs) this.lastFound = null;
  }

  /**
   * The filesystem that holds an existing directory, marked for the tree's needs at least.
   *
   * @returns a reason in words when it can't be watched
   */
  open(directory: string): Filesystem | string {
    const identity = filesystemIdentity(directory);
    const low = identity.fsidLow | 0;
    const high = identity.fsidHigh | 0;
    const known = this.byFsid.get(fsidKey(low, high));
    const mount = mountOf(this.mounts, directory);
    if (mount === null) return "it lies on no mount that can be seen from here";
    if (known !== undefined) {
      if (known.device === mount.device) return known;
      return `another filesystem with the same id is watched already at "${known.mountPath}" (a cloned image?): their events could not be told apart`;
    }
    const { type } = mount;
    const fs = new Filesystem(this.nextId++, low, high, type, mount.device, mount.mountPoint);
    const refused = this.group.markFilesystem(directory, TREE_MASK);
    if (refused < 0) return refusal(type, -refused);
    fs.markedMask = TREE_MASK;
    this.byFsid.set(fsidKey(low, high), fs);
    return fs;
  }

  /** Sets each mark to what its managed paths want now, and lets go of filesystems that have none. */
  updateMarks(): void {
    for (const fs of [...this.byFsid.values()]) {
      const watches = fs.watches();
      if (watches.size === 0) {
        this.group.unmarkFilesystem(fs.mountPath, fs.markedMask);
        this.forget(fs);
        continue;
      }
      let wanted = TREE_MASK;
      for (const watch of watches) wanted |= this.wantedMask(watch) & ~MADE_FROM_RENAME;
      const added = wanted & ~fs.markedMask;
      const removed = fs.markedMask & ~wanted;
      if (added !== 0) this.group.markFilesystem(fs.mountPath, added | abi.FAN_ONDIR);
      if (removed !== 0) this.group.unmarkFilesystem(fs.mountPath, removed);
      fs.markedMask = wanted;
    }
  }

  /**
   * Lends a descriptor on the filesystem: held for one call only, because it keeps the mount busy for umount.
   */
  withMount<T>(fs: Filesystem, work: (mountFd: number) => T, otherwise: T): T {
    let fd: number;
    try {
      fd = openSync(fs.mountPath, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NONBLOCK);
    } catch {
      // Unmounted, or the directory by which it was reached is gone: the mounts are looked at again by
      // themselves.
      return otherwise;
    }
    try {
      return work(fd);
    } finally {
      closeSync(fd);
    }
  }
}

function fsidKey(low: number, high: number): string {
  return `${low}:${high}`;
}

/** fanotify_mark(2) with FAN_MARK_FILESYSTEM: each errno means one thing there. */
function refusal(type: string, errno: number): string {
  const code = errnoName(errno);
  switch (code) {
    case "EOPNOTSUPP":
      return `${type} has no file handles, so the kernel can't tell names on it (EOPNOTSUPP)`;
    case "ENODEV":
      return `${type} has no filesystem id, so its events couldn't be told from others' (ENODEV)`;
    case "EXDEV":
      return `a ${type} subvolume has another filesystem id than its top level (EXDEV)`;
    case "EINVAL":
      return `the kernel doesn't report renames with both names (EINVAL): Linux 5.17, or 5.15.154 and 5.10.220, are needed`;
    case "ENOSPC":
      return "too many marks (ENOSPC): raise sysctl fs.fanotify.max_user_marks";
    default:
      return `the kernel refused to watch it (${code})`;
  }
}
