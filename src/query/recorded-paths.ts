// Which managed paths a log directory has logs of, the store's and those that it doesn't know any more. Names and first lines are
// read; paths come out.
import type { Identity } from "../kernel/identity.ts";
import { logHash } from "../log/names.ts";
import { readRange } from "../log/tail.ts";
import { packedHead } from "./packed.ts";
import { type SnapshotFile, takeSnapshot } from "./snapshot.ts";
import { monitoredPathIn } from "./sorted-files.ts";

/** Enough for the first line of a log. */
const HEAD_BYTES = 64 * 1024;

/**
 * For logs that no stored path belongs to, the path that their first line names.
 *
 * @param hashes of all logs in the directory
 */
export function forgottenPaths(
  logDir: string,
  hashes: ReadonlySet<string>,
  managedPaths: readonly string[],
  owner: Identity,
): string[] {
  const known = new Set(managedPaths.map(logHash));
  const unknown = new Set([...hashes].filter((hash) => !known.has(hash)));
  if (unknown.size === 0) return [];
  const snapshot = takeSnapshot(logDir, unknown, owner);
  const paths = new Map<string, string>();
  try {
    for (const file of snapshot.files) {
      if (paths.has(file.hash)) continue;
      const path = monitoredPathIn(headOf(file));
      // Only the path that the log is named after; a copy under a wrong name answers for nothing.
      if (path !== null && logHash(path) === file.hash) paths.set(file.hash, path);
    }
  } finally {
    snapshot.close();
  }
  return [...paths.values()];
}

function headOf(file: SnapshotFile): Buffer {
  const fd = file.fd();
  if (fd === null) return Buffer.alloc(0);
  return file.packing === null
    ? readRange(fd, 0, Math.min(file.end, HEAD_BYTES))
    : packedHead(fd, file.packing);
}
