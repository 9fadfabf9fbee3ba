// Makes a segment of a log's live file by giving it the next number.
import { renameSync } from "node:fs";
import { join } from "node:path";
import { asOwner, type Identity } from "../kernel/identity.ts";
import { listLog, liveName, segmentName } from "./names.ts";

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
