// A filesystem's first mark: on the whole filesystem where the kernel takes it, on directories where it doesn't, in a
// group of its own where its events couldn't be told from others'.
import { closeSync } from "node:fs";
import * as abi from "../../kernel/abi.ts";
import { type FilesystemIdentity, identityOfDescriptor } from "../../kernel/handles.ts";
import { markRefusal } from "../../kernel/mark-refusal.ts";
import { openBtrfsTop } from "../../kernel/mount.ts";
import { errnoName, errnoOf } from "../../kernel/syscall.ts";
import { UNWATCHABLE } from "../../kernel/unwatchable.ts";
import type { EventQueues } from "./event-queues.ts";
import { Filesystem } from "./filesystem.ts";
import { InodeMarks } from "./inode-marks.ts";
import type { MountAccess } from "./mount-access.ts";
import type { Mount } from "./mounts.ts";

/**
 * What trees and names live on, whatever types a person chose. RENAME tells both ends at once, so MOVED_* and MOVE_SELF are made from
 * it. ATTRIB stands where a file's number of links changed: it tells which rename overwrote a file that is held open and dies later,
 * and which name a link gave that the kernel merged into an older event.
 */
export const TREE_MASK =
  abi.FAN_CREATE | abi.FAN_DELETE | abi.FAN_RENAME | abi.FAN_DELETE_SELF | abi.FAN_ATTRIB | abi.FAN_ONDIR;

/**
 * Marks the filesystem of a mount for the tree's needs.
 *
 * @param isTaken whether another watched filesystem has that id
 * @returns the reason in words when it can't be watched
 */
export function markNew(
  id: number,
  mount: Mount,
  access: MountAccess,
  queues: EventQueues,
  isTaken: (fsidLow: number, fsidHigh: number) => boolean,
): Filesystem | string {
  const { type, device } = mount;
  if (UNWATCHABLE.has(type)) return markRefusal(type, errnoOf("EOPNOTSUPP"));
  const opened = access.open(mount);
  if (typeof opened === "number") return markRefusal(type, -opened);
  const whole = (fd: number): Filesystem | number => {
    const { fsidLow, fsidHigh } = halves(identityOfDescriptor(fd));
    // A cloned image: a group of its own tells them apart, because nothing else reports to it.
    if (isTaken(fsidLow, fsidHigh)) return own(fd);
    const refused = queues.shared.mark("filesystem", fd, TREE_MASK);
    return refused < 0 ? refused : new Filesystem(id, fsidLow, fsidHigh, type, device, queues.shared);
  };
  const own = (fd: number): Filesystem | number => {
    const queue = queues.openOwn();
    const refused = queue.group.mark("filesystem", fd, TREE_MASK);
    if (refused < 0) queues.closeOwn(queue.group);
    const { fsidLow, fsidHigh, group } = queue;
    return refused < 0
      ? refused
      : new Filesystem(id, fsidLow, fsidHigh, type, device, group, "filesystem", false);
  };
  let marked = whole(opened.fd);
  // A btrfs subvolume has another id than its top level, which alone can be marked.
  if (marked === -errnoOf("EXDEV") && type === "btrfs") marked = withTop(mount, whole);
  if (typeof marked !== "number") {
    marked.markedMask = TREE_MASK;
    return marked;
  }
  const code = errnoName(-marked);
  if (code !== "EOPNOTSUPP" && code !== "ENODEV" && code !== "EXDEV") return markRefusal(type, -marked);
  const queue = queues.openOwn();
  const each = TREE_MASK | abi.FAN_EVENT_ON_CHILD;
  const refused = queue.group.mark("inode", opened.fd, each);
  if (refused < 0) {
    queues.closeOwn(queue.group);
    return markRefusal(type, -refused);
  }
  const fs = new Filesystem(id, queue.fsidLow, queue.fsidHigh, type, device, queue.group, "inode", false);
  fs.inodeMarks = new InodeMarks();
  fs.markedMask = each;
  return fs;
}

/** Does something with the top level of a btrfs of which a subvolume is mounted. Returns -errno where it can't be had. */
export function withTop<T>(mount: Mount, work: (fd: number) => T): T | number {
  const fd = openBtrfsTop(mount.source, mount.readOnly);
  if (fd < 0) return fd;
  try {
    return work(fd);
  } finally {
    closeSync(fd);
  }
}

/** As the columns of a batch have them: signed. */
function halves(identity: FilesystemIdentity): { fsidLow: number; fsidHigh: number } {
  return { fsidLow: identity.fsidLow | 0, fsidHigh: identity.fsidHigh | 0 };
}
