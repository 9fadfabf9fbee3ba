// Makes a segment of a log's live file by giving it the next number.
import { renameSync } from "node:fs";
import { join } from "node:path";
import { asOwner, type Identity } from "../kernel/identity.ts";
import { listLog, liveName, segmentName } from "./names.ts";
import { isSameFile, lookAt } from "./open.ts";

/**
 * Renames the live file behind the highest segment there is, packed ones included.
 *
 * @param atLeast numbers below were used already, though their files may be gone
 * @returns the number
 * @throws system errors; the live file then has its name still
 */
export function sealAs(logDir: string, hash: string, owner: Identity, atLeast: number): number {
  const existing = listLog(logDir, hash, owner)?.segments ?? [];
  const number = Math.max(atLeast, ...existing.map((segment) => (segment.number ?? 0) + 1));
  asOwner(owner, () => renameSync(join(logDir, liveName(hash)), join(logDir, segmentName(hash, number))));
  return number;
}

/**
 * sealAs() for a live file that is being written to. Somebody may move a copy over it at any moment, and no rename(2) takes a
 * descriptor: so the number is looked at afterwards, and a copy gets the log's name back. Whoever moves a second copy there
 * meanwhile loses that one; it has no line that the first and the open file haven't.
 *
 * @param fd the file that is meant
 * @returns null when the name was another file's; it is so still
 */
export function sealOpen(
  fd: number,
  logDir: string,
  hash: string,
  owner: Identity,
  atLeast: number,
): number | null {
  const number = sealAs(logDir, hash, owner, atLeast);
  const sealed = join(logDir, segmentName(hash, number));
  // Taken away already: then it was sealed for whoever took it.
  if (isSameFile(fd, sealed, owner) || lookAt(sealed, owner) === undefined) return number;
  asOwner(owner, () => renameSync(sealed, join(logDir, liveName(hash))));
  return null;
}
