// Files that belong to a person are opened with that person's filesystem identity, so that root can be
// tricked into nothing that the person could not do alone. setfsuid(2) binds the calling thread only, hence
// the synchronous bracket: work that gives up the thread (await, thread pool) would run as root again.
import { helper } from "./helper.ts";
import { checked } from "./syscall.ts";

export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** Linux's limit on supplementary groups (NGROUPS_MAX, linux/limits.h). */
const GROUPS_MAX = 65536;

let rootGroups: Uint32Array | undefined;
let bracketed = false;

/**
 * Runs synchronous work with who's fsuid, fsgid and groups and gives the thread root's back, whatever
 * happens. A plain call when this process isn't root, when who is root, or inside another asOwner of the same
 * person.
 *
 * @throws {SyscallError} when the identity can't be taken (no CAP_SETUID/CAP_SETGID); the work has not run
 *   then
 */
export function asOwner<T>(who: Identity, work: () => T): T {
  if (bracketed || who.uid === 0 || process.geteuid?.() !== 0) return work();
  rootGroups ??= currentGroups();
  const groups = Uint32Array.from(who.groups.slice(0, GROUPS_MAX));
  bracketed = true;
  try {
    checked(
      "setfsuid",
      helper().fh_identity(who.uid, who.gid, pointable(groups), groups.length),
      `user ${who.uid}`,
    );
    return work();
  } finally {
    bracketed = false;
    takeBack(rootGroups);
  }
}

/** Going on as a half-person would write root's files with the wrong owner, or fail at random later. */
function takeBack(groups: Uint32Array): void {
  const result = helper().fh_identity(0, 0, pointable(groups), groups.length);
  if (result < 0) throw new Error("fsmon could not take root's filesystem identity back");
}

function currentGroups(): Uint32Array {
  const all = new Uint32Array(GROUPS_MAX);
  return all.slice(0, checked("getgroups", helper().fh_groups(all, all.length)));
}

/** An empty typed array has no address that C may be given. */
function pointable(array: Uint32Array): Uint32Array {
  return array.length > 0 ? array : new Uint32Array(1);
}
