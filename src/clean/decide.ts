// Which lines of a log are to go: by age, by size, or both. Facts about its files go in, one decision a file comes out. Reads
// the boundary file by halving; changes nothing.
import type { Identity } from "../kernel/identity.ts";
import { whileOpen } from "../log/open.ts";
import { wholeLinesEnd } from "../log/tail.ts";
import { firstLineAt, LineProbe } from "../query/bisect.ts";
import { newestMs, type SurveyedFile, type SurveyedLog } from "./survey.ts";

export interface Limits {
  /** Lines before this moment go; null keeps all ages. */
  keepFromMs: number | null;
  /** All files of a log together; null for any size. */
  maxSizeBytes: number | null;
}

export interface Decision {
  file: SurveyedFile;
  /** Its bytes before this offset go: 0 keeps the file, its size drops it. */
  cutBytes: number;
}

/** Oldest first, so that doing it in this order leaves a log without a hole at every moment. Only files with something to go. */
export function decide(log: SurveyedLog, limits: Limits, owner: Identity): Decision[] {
  const decisions = log.files.map((file) => ({ file, cutBytes: cutByAge(file, limits.keepFromMs, owner) }));
  if (limits.maxSizeBytes !== null) cutBySize(decisions, limits.maxSizeBytes, owner);
  return decisions.filter(({ file, cutBytes }) => cutBytes > 0 || isEmptyLeftover(file, limits.keepFromMs));
}

/** A sealed file without a single byte says nothing and goes with the others of its age. */
function isEmptyLeftover(file: SurveyedFile, keepFromMs: number | null): boolean {
  return file.sizeBytes === 0 && file.number !== null && keepFromMs !== null && file.mtimeMs < keepFromMs;
}

function cutByAge(file: SurveyedFile, keepFromMs: number | null, owner: Identity): number {
  if (keepFromMs === null) return 0;
  if (newestMs(file) < keepFromMs) return file.sizeBytes;
  // What is packed can't be cut; it goes once all of it is old.
  if (file.packing !== null || file.firstMs === null || file.firstMs >= keepFromMs) return 0;
  // One that is gone since the survey has nothing to cut any more.
  const found = whileOpen(file.path, owner, ({ fd }) =>
    firstLineAt(fd, wholeLinesEnd(fd, file.sizeBytes), keepFromMs),
  );
  return found?.start ?? 0;
}

function cutBySize(decisions: Decision[], maxSizeBytes: number, owner: Identity): void {
  let excess = -maxSizeBytes;
  for (const { file, cutBytes } of decisions) excess += file.sizeBytes - cutBytes;
  for (const decision of decisions) {
    if (excess <= 0) return;
    const { file, cutBytes } = decision;
    const left = file.sizeBytes - cutBytes;
    if (excess >= left || file.packing !== null) {
      // A packed file at the boundary goes as a whole: it can't be cut, and keeping it would cost newer lines.
      decision.cutBytes = file.sizeBytes;
      excess -= left;
      continue;
    }
    const end = whileOpen(file.path, owner, ({ fd }) => {
      const probe = new LineProbe(fd, file.sizeBytes);
      return probe.endOfLine(cutBytes + excess - 1) ?? file.sizeBytes;
    });
    decision.cutBytes = end ?? cutBytes;
    return;
  }
}
