// What of a directory's filesystem can be recorded: by its type for everybody, and for root by setting the daemon's own marks for a
// moment, in a group that nobody reads and that goes away with them.
import { closeSync, constants, openSync } from "node:fs";
import { TYPE_BITS } from "../event.ts";
import { FAN_EVENT_ON_CHILD, FAN_ONDIR, FAN_RENAME } from "../kernel/abi.ts";
import { FanotifyGroup, type MarkKind } from "../kernel/fanotify.ts";
import { markRefusal } from "../kernel/mark-refusal.ts";
import { errnoName, errnoOf } from "../kernel/syscall.ts";
import { UNWATCHABLE } from "../kernel/unwatchable.ts";
import { type Mount, mountOf, readMounts } from "../resolve/filesystems/mounts.ts";
import { type Finding, Findings } from "./finding.ts";
import { mayWatch } from "./machine.ts";

const ALL_BITS = Object.values(TYPE_BITS).reduce((mask, bit) => mask | bit, 0);
/** What the daemon asks for at most, by kind of mark. */
const MASKS: Readonly<Record<MarkKind, number>> = {
  filesystem: ALL_BITS | FAN_RENAME | FAN_ONDIR,
  inode: (ALL_BITS & ~TYPE_BITS.FS_ERROR) | FAN_RENAME | FAN_ONDIR | FAN_EVENT_ON_CHILD,
};

/** Changed by others than this machine's programs, who send no events here. */
const NETWORK = /^(nfs4?|cifs|smb3|9p|ceph|afs|fuse\.(sshfs|glusterfs|rclone|s3fs)|virtiofs|vboxsf)$/;
/** Marked directory by directory. */
const BY_DIRECTORY = /^(overlay|fuse(\..*)?|fuseblk)$/;

/** What a person without root is told, from the type alone. */
export function filesystemFindings(path: string): Finding[] {
  const findings = new Findings("filesystem");
  const mount = mountOf(readMounts(), path);
  if (mount === null) {
    findings.unseen(`No mount is known that "${path}" lies on`);
    return findings.list;
  }
  const where = `${mount.type} at "${mount.mountPoint}"`;
  if (UNWATCHABLE.has(mount.type)) {
    findings.broken(`${where} has no files that can be watched`, "name another path");
    return findings.list;
  }
  if (mayWatch()) tryMarks(path, mount.type, where, findings);
  else judgeByType(mount, where, findings);
  if (NETWORK.test(mount.type)) {
    findings.limit(
      `${mount.type}: what other machines change there sends no event here`,
      "run fsmon on the machine whose disk it is",
    );
  }
  findings.limit("Stores through a memory mapping (mmap) send no event; the closing of the file does", null);
  return findings.list;
}

function judgeByType(mount: Mount, where: string, findings: Findings): void {
  if (BY_DIRECTORY.test(mount.type))
    findings.limit(`${where} is watched directory by directory`, BY_DIRECTORY_REMEDY);
  else findings.fine(`${where} should allow one mark for everything`);
  findings.unseen("Whether the kernel takes the marks is for root to try", "sudo fsmon doctor PATH");
}

const BY_DIRECTORY_REMEDY =
  "docs/limits.md lists what is missing then; an overlay with index=on,nfs_export=on has it all";

function tryMarks(path: string, type: string, where: string, findings: Findings): void {
  const group = FanotifyGroup.open(QUEUE_EVENTS);
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const whole = -group.mark("filesystem", directory, MASKS.filesystem);
    if (whole === 0) findings.fine(`${where}: one mark for everything, all 14 types asked for`);
    else if (whole === errnoOf("EXDEV"))
      findings.fine(`${where} is a subvolume: watched by one mark on its filesystem's top level`);
    else {
      const single = -group.mark("inode", directory, MASKS.inode);
      if (single === 0)
        findings.limit(
          `${where} is watched directory by directory (${errnoName(whole)})`,
          BY_DIRECTORY_REMEDY,
        );
      else {
        findings.broken(
          `${where} can't be watched: ${markRefusal(type, single)}`,
          "docs/limits.md lists what can, and since which kernel",
        );
      }
    }
  } finally {
    closeSync(directory);
    group.close();
  }
}

/** Of a group that is closed within milliseconds. */
const QUEUE_EVENTS = 16_384;

/**
 * The marks that the daemon would set, on a group of one's own.
 *
 * @returns null where none are taken, or the daemon would mark something else
 */
export function openMarked(directory: number): FanotifyGroup | null {
  const group = FanotifyGroup.open(QUEUE_EVENTS);
  const whole = -group.mark("filesystem", directory, MASKS.filesystem);
  if (whole === 0) return group;
  // A subvolume takes single marks as well, but the daemon marks its top level: what they deliver would be the wrong answer.
  if (whole !== errnoOf("EXDEV") && group.mark("inode", directory, MASKS.inode) === 0) return group;
  group.close();
  return null;
}
