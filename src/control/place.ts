// What lies at the socket's place, and may it be replaced? Everything here looks at /tmp, where anybody can put anything.
// Only a socket of the owner or root whose daemon is dead is ever removed, and only with the owner's identity.

import { lstatSync, type Stats, unlinkSync } from "node:fs";
import { causeOf, errorCode } from "../failure.ts";
import { asOwner, type Identity } from "../kernel/identity.ts";
import { isListening } from "../kernel/socket.ts";

/** Which file it is: compared before anything is removed, since the name may have come to mean another. */
export interface Inode {
  readonly dev: number;
  readonly ino: number;
}

export type Place =
  | { readonly kind: "free" }
  | { readonly kind: "stale"; readonly inode: Inode }
  | { readonly kind: "taken"; readonly reason: string };

/**
 * Looks at the socket's place, trying the door of what is there.
 *
 * @param path absolute path of the socket
 * @param owner whose socket it would be
 */
export function inspectPlace(path: string, owner: Identity): Place {
  let stat: Stats;
  try {
    stat = asOwner(owner, () => lstatSync(path));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return { kind: "free" };
    return { kind: "taken", reason: `"${path}" cannot be looked at: ${causeOf(error)}` };
  }
  if (!stat.isSocket())
    return { kind: "taken", reason: `"${path}" is a ${fileKind(stat)} that fsmon did not make` };
  if (stat.uid !== owner.uid && stat.uid !== 0) {
    return { kind: "taken", reason: `"${path}" is a socket of another user (uid ${stat.uid})` };
  }
  // Root without CAP_DAC_OVERRIDE may not connect to the owner's socket (EACCES), dead or alive.
  if (asOwner(owner, () => isListening(path)))
    return { kind: "taken", reason: `Another program answers at "${path}"` };
  return { kind: "stale", inode: stat };
}

/**
 * Removes the socket file if it is still the same one.
 *
 * @returns why it could not be removed; null when it is gone
 */
export function removeSocketFile(path: string, owner: Identity, inode: Inode): string | null {
  try {
    if (inodeAt(path, owner, inode)) asOwner(owner, () => unlinkSync(path));
    return null;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    return `the dead socket "${path}" cannot be removed: ${causeOf(error)}; remove it by hand`;
  }
}

/** True while the name still means this file. */
export function inodeAt(path: string, owner: Identity, inode: Inode): boolean {
  try {
    const stat = asOwner(owner, () => lstatSync(path));
    return stat.dev === inode.dev && stat.ino === inode.ino;
  } catch {
    return false;
  }
}

function fileKind(stat: Stats): string {
  if (stat.isSymbolicLink()) return "symbolic link";
  if (stat.isDirectory()) return "directory";
  if (stat.isFIFO()) return "FIFO";
  return stat.isFile() ? "regular file" : "device";
}
