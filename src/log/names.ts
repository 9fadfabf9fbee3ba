// How the files of a log are called, and which of a directory's names belong to which log.
// A managed path or a file name goes in, names come out; nothing is opened here.
// Whoever works on the logs relies on it: `<hash>_log.jsonl` is written to, `<hash>.<six digits>_log.jsonl` never again.
import { readdirSync } from "node:fs";
import { asOwner, type Identity } from "../kernel/identity.ts";

/** How somebody may have packed a sealed segment. */
export type Packing = "zst" | "gz";

export interface SegmentFile {
  name: string;
  /** 1 is the oldest; `null` for the live file, which is the newest of all. */
  number: number | null;
  packing: Packing | null;
  /** Names of packed copies that are there as well; left out where there are none. */
  twins?: string[];
}

export interface LogFiles {
  hash: string;
  /** Oldest first, the live file (if there is one) last. One entry a number: plain wins over packed. */
  segments: SegmentFile[];
}

const NAME = /^([0-9a-f]{16})(?:\.(\d{6,15}))?_log\.jsonl(?:\.(zst|gz))?$/;

/** The first 16 hex digits of the SHA-256 of the path's UTF-8 bytes. */
export function logHash(managedPath: string): string {
  return new Bun.CryptoHasher("sha256").update(managedPath).digest("hex").slice(0, 16);
}

export function liveName(hash: string): string {
  return `${hash}_log.jsonl`;
}

/** @param number 1 and up; more than six digits once a million segments were made */
export function segmentName(hash: string, number: number): string {
  return `${hash}.${String(number).padStart(6, "0")}_log.jsonl`;
}

/** Which log and which segment a file name means; null for every other name. */
export function parseLogName(name: string): (SegmentFile & { hash: string }) | null {
  const match = NAME.exec(name);
  if (match === null) return null;
  const [, hash = "", digits, packing] = match;
  // A packed live file is none of ours: the daemon would not know it, and its place in the order is unknown.
  if (digits === undefined && packing !== undefined) return null;
  return {
    hash,
    name,
    number: digits === undefined ? null : Number(digits),
    packing: packing === undefined ? null : (packing as Packing),
  };
}

/** Sorts the names of one directory into logs, by hash; names that aren't ours are left out. */
export function groupLogNames(names: readonly string[]): Map<string, LogFiles> {
  const logs = new Map<string, LogFiles>();
  for (const name of names) {
    const parsed = parseLogName(name);
    if (parsed === null) continue;
    const { hash, ...segment } = parsed;
    const log = logs.get(hash);
    if (log === undefined) logs.set(hash, { hash, segments: [segment] });
    else log.segments.push(segment);
  }
  for (const log of logs.values()) log.segments = inOrder(log.segments);
  return new Map([...logs].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * The logs in a directory; an absent directory holds none.
 *
 * @param who with whose rights the directory is read
 */
export function listLogs(logDir: string, who: Identity): Map<string, LogFiles> {
  try {
    return groupLogNames(asOwner(who, () => readdirSync(logDir)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    throw error;
  }
}

/** The files of one log; with thousands of logs in a directory, a look for each of them must not sort them all. */
export function listLog(logDir: string, hash: string, who: Identity): LogFiles | undefined {
  try {
    const names = asOwner(who, () => readdirSync(logDir));
    return groupLogNames(names.filter((name) => name.startsWith(hash))).get(hash);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function inOrder(segments: SegmentFile[]): SegmentFile[] {
  const rank = (segment: SegmentFile) => segment.number ?? Number.POSITIVE_INFINITY;
  // While `zstd` or `gzip` is at work (and for good with `zstd`'s default), both forms exist: the plain one is complete.
  const packed = (segment: SegmentFile) => (segment.packing === null ? 0 : segment.packing === "zst" ? 1 : 2);
  const order = (a: SegmentFile, b: SegmentFile) =>
    rank(a) === rank(b) ? packed(a) - packed(b) : rank(a) < rank(b) ? -1 : 1;
  const kept: SegmentFile[] = [];
  for (const segment of segments.sort(order)) {
    const last = kept.at(-1);
    if (last === undefined || rank(last) !== rank(segment)) kept.push(segment);
    else last.twins = [...(last.twins ?? []), segment.name];
  }
  return kept;
}
