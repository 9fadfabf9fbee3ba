// A log directory as it is at one moment, while a daemon writes, seals and cleans: every line that is there now is in exactly
// one of the opened files. Names go in, open files come out; a live file ends at its last whole line.
import { constants } from "node:fs";
import { join } from "node:path";
import { causeOf, errorCode } from "../failure.ts";
import type { Identity } from "../kernel/identity.ts";
import { type LogFiles, listLog, listLogs, type Packing, type SegmentFile } from "../log/names.ts";
import { wholeLinesEnd } from "../log/tail.ts";
import { heldFilesMax, NamedFile } from "./named-file.ts";

/** A daemon with tiny segments may seal between every two looks; after this many the last look counts. */
const LOOKS_MAX = 20;
/** O_NONBLOCK so that a FIFO in the directory can't hold a query up. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

export class SnapshotFile extends NamedFile {
  readonly hash: string;
  /** Null for the live file. */
  readonly number: number | null;
  readonly packing: Packing | null;
  /** It will never be written to again. */
  readonly sealed: boolean;
  /** Where the last whole line ended when it was opened; for a packed file its size. */
  readonly end: number;
  /** Where what follows the last whole line ended: a line that lacks its newline at least. */
  readonly sizeBytes: number;

  constructor(logDir: string, hash: string, { name, number, packing }: SegmentFile, who: Identity) {
    const sealed = number !== null;
    // The live file's name is another's as soon as it is sealed; where nobody writes to it, a clean may cut it.
    const otherNames = sealed ? () => [] : () => sealedNames(logDir, hash, who);
    super(join(logDir, name), { who, flags: FLAGS, otherNames, mayGo: sealed });
    this.hash = hash;
    this.number = number;
    this.packing = packing;
    this.sealed = sealed;
    // Anything but a regular file holds no lines, and must not be waited for.
    this.sizeBytes = this.stat.isFile() ? this.stat.size : 0;
    const fd = this.fd();
    this.end =
      packing === null && fd !== null && this.sizeBytes > 0
        ? wholeLinesEnd(fd, this.sizeBytes)
        : this.sizeBytes;
  }
}

/** Newest first. */
function sealedNames(logDir: string, hash: string, who: Identity): string[] {
  const segments = listLog(logDir, hash, who)?.segments.toReversed() ?? [];
  return segments.flatMap(({ name, number, packing }) =>
    number === null || packing !== null ? [] : [join(logDir, name)],
  );
}

export interface Snapshot {
  /** By log, and within a log oldest first. */
  files: SnapshotFile[];
  /** Files that could not be opened, with the reason. */
  problems: string[];
  close(): void;
}

/** @param wanted the logs' hashes */
export function takeSnapshot(logDir: string, wanted: ReadonlySet<string>, who: Identity): Snapshot {
  for (let look = 1; ; look++) {
    const before = filesOf(logDir, wanted, who);
    const snapshot = openAll(logDir, before, who);
    // A file that was renamed while the others were opened is missed or met twice: look again.
    const after = filesOf(logDir, wanted, who);
    if (look === LOOKS_MAX || namesOf(before) === namesOf(after)) return snapshot;
    snapshot.close();
  }
}

function filesOf(logDir: string, wanted: ReadonlySet<string>, who: Identity): LogFiles[] {
  return [...listLogs(logDir, who).values()].filter((log) => wanted.has(log.hash));
}

function namesOf(logs: readonly LogFiles[]): string {
  return logs.flatMap((log) => log.segments.map((segment) => segment.name)).join("\n");
}

function openAll(logDir: string, logs: readonly LogFiles[], who: Identity): Snapshot {
  const files: SnapshotFile[] = [];
  const problems: string[] = [];
  const known = new Set<string>();
  let room = heldFilesMax(logs.reduce((sum, { segments }) => sum + segments.length, 0));
  // Live files come first: one that is not held must be looked for when it has been sealed.
  let liveToCome = logs.filter(({ segments }) => segments.at(-1)?.number === null).length;
  for (const { hash, segments } of logs) {
    for (const segment of segments) {
      if (segment.number === null) liveToCome--;
      try {
        const file = new SnapshotFile(logDir, hash, segment, who);
        if (known.has(file.identity)) {
          file.close();
          continue;
        }
        known.add(file.identity);
        if (room > (file.sealed ? liveToCome : 0)) room--;
        else file.letGo();
        files.push(file);
      } catch (error) {
        if (errorCode(error) !== "ENOENT")
          problems.push(`Cannot read "${join(logDir, segment.name)}": ${causeOf(error)}`);
      }
    }
  }
  return {
    files,
    problems,
    close: () => {
      for (const file of files) file.close();
    },
  };
}
