// Lends descriptors on mounted filesystems. Each is opened when it is first needed and given back at the end of the
// turn: a held one keeps the filesystem in use after its last umount.
import { closeSync } from "node:fs";
import { openMount } from "../../kernel/mount.ts";
import { errnoOf } from "../../kernel/syscall.ts";
import { type Mount, mountKey, mountOf, readMounts } from "./mounts.ts";
import type { Servers } from "./servers.ts";

export interface OpenedMount {
  readonly fd: number;
  /** What paths asked through fd have to be put behind: the mount point, or nothing where they are absolute. */
  readonly prefix: Uint8Array;
  /** True when names read through fd are those of this filesystem alone, whatever is mounted over them. */
  readonly uncovers: boolean;
}

export class MountAccess {
  private readonly held = new Map<number, OpenedMount>();

  constructor(
    /** Says whether mounts have changed since they were read: then paths may lead elsewhere. */
    private readonly mountsChanged: () => boolean,
    private readonly servers: Servers,
  ) {}

  /** The root of a mount, or -errno: ETIMEDOUT while its server doesn't answer. */
  open(mount: Mount): OpenedMount | number {
    const held = this.held.get(mount.id);
    if (held !== undefined) return held;
    if (!this.servers.answers(mount)) return -errnoOf("ETIMEDOUT");
    const opened = openMount(mount.mountPoint);
    if (typeof opened === "number") return opened;
    const { fd, isCopy, device } = opened;
    // A directory above a mount may have been renamed, which changes no mount. (btrfs gives each subvolume a number of its own.)
    const isElsewhere = device !== mount.device && mount.type !== "btrfs";
    // Asked after the opening: what is true then was true of the descriptor.
    if (isElsewhere || (this.mountsChanged() && !isThere(mount))) {
      closeSync(fd);
      return -errnoOf("ESTALE");
    }
    const prefix = Buffer.from(isCopy && mount.mountPoint !== "/" ? mount.mountPoint : "");
    const one: OpenedMount = { fd, prefix, uncovers: isCopy };
    this.held.set(mount.id, one);
    return one;
  }

  /** Gives everything back. */
  release(): void {
    if (this.held.size === 0) return;
    for (const { fd } of this.held.values()) closeSync(fd);
    this.held.clear();
  }
}

/** Mounts come and go on a busy machine: it is this one that counts. */
function isThere(mount: Mount): boolean {
  const now = mountOf(readMounts(), mount.mountPoint);
  return now !== null && mountKey(now) === mountKey(mount);
}
