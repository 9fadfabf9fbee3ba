// A log directory as it is at one moment, while a daemon writes, seals and cleans: every line that is there now is in exactly
// one of the opened files. Names go in, open files come out; a live file ends at its last whole line.

import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { causeOf, errorCode } from "../failure.ts";
import { asOwner, type Identity } from "../kernel/identity.ts";
import { type LogFiles, listLogs, type Packing, type SegmentFile } from "../log/names.ts";
import { wholeLinesEnd } from "../log/tail.ts";

/** A daemon with tiny segments may seal between every two looks; after this many the last look counts. */
const LOOKS_MAX = 20;
/** So many descriptors are held under any limit; of more, as many as the process may have but for SPARE_DESCRIPTORS. */
const HELD_ALWAYS = 400;
const SPARE_DESCRIPTORS = 600;

export class SnapshotFile {
  readonly hash: string;
  readonly path: string;
  readonly packing: Packing | null;
  /** It will never be written to again. */
  readonly sealed: boolean;
  /** Where the last whole line ended when it was opened; for a packed file its size. */
  readonly end: number;
  /** Where what follows the last whole line ended: a line that lacks its newline at least. */
  readonly sizeBytes: number;
  readonly #dev: number;
  readonly #ino: number;
  readonly #who: Identity;
  #fd: number;
  #held = true;
  #replaced = false;

  constructor(hash: string, path: string, { number, packing }: SegmentFile, who: Identity) {
    this.hash = hash;
    this.path = path;
    this.packing = packing;
    this.sealed = number !== null;
    this.#who = who;
    this.#fd = this.#open();
    const stat = fstatSync(this.#fd);
    this.#dev = stat.dev;
    this.#ino = stat.ino;
    // Anything but a regular file holds no lines, and must not be waited for.
    this.sizeBytes = stat.isFile() ? stat.size : 0;
    if (!stat.isFile()) this.end = 0;
    else this.end = packing === null ? wholeLinesEnd(this.#fd, stat.size) : stat.size;
  }

  /** Two names of one file hold its lines once. */
  get identity(): string {
    return `${this.#dev}:${this.#ino}`;
  }

  /** @returns null when the file is gone, or another one has its name */
  fd(): number | null {
    if (this.#fd >= 0) return this.#fd;
    try {
      const fd = this.#open();
      const stat = fstatSync(fd);
      if (stat.dev === this.#dev && stat.ino === this.#ino) {
        this.#fd = fd;
        return fd;
      }
      closeSync(fd);
      this.#replaced = true;
    } catch (error) {
      // Cleaned away since, and those lines were to go; but not where somebody has packed it in between.
      const packed = [".zst", ".gz"].some((suffix) => existsSync(`${this.path}${suffix}`));
      if (packed || errorCode(error) !== "ENOENT") this.#replaced = true;
    }
    return null;
  }

  /** Its lines, or some of them, are still in the log, but not in the file that was looked at: fd() came too late. */
  get replaced(): boolean {
    return this.#replaced;
  }

  /** Opens it again for every use from here on. */
  letGo(): void {
    this.#held = false;
    this.release();
  }

  /** The descriptor is the caller's from here on, to use and to close. */
  keep(): number | null {
    const fd = this.fd();
    this.#fd = -1;
    return fd;
  }

  /** The descriptor isn't needed for the moment. */
  release(): void {
    if (!this.#held) this.close();
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #open(): number {
    // O_NONBLOCK so that a FIFO in the directory can't hold a query up.
    return asOwner(this.#who, () => openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK));
  }
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
  let heldMax = HELD_ALWAYS;
  for (const { hash, segments } of logs) {
    for (const segment of segments) {
      const path = join(logDir, segment.name);
      try {
        const file = new SnapshotFile(hash, path, segment, who);
        if (known.has(file.identity)) {
          file.close();
          continue;
        }
        known.add(file.identity);
        // The live file's name will be another's as soon as it is sealed: its descriptor is kept in any case.
        if (files.length === HELD_ALWAYS) heldMax = Math.max(HELD_ALWAYS, openFilesMax() - SPARE_DESCRIPTORS);
        if (files.length >= heldMax && file.sealed) file.letGo();
        files.push(file);
      } catch (error) {
        if (errorCode(error) !== "ENOENT") problems.push(`Cannot read "${path}": ${causeOf(error)}`);
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

/** How many descriptors this process may have; the runtime has raised the limit to what the administrator allows. */
function openFilesMax(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
