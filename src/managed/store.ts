// managed.jsonl: the managed paths, one a line. Read whole; changed under a lock by writing a new file beside and renaming
// it over, so that many commands at once lose nothing and a reader never sees half a file.
// Everything happens as the owner. A line that can't be used is reported and kept, byte by byte: it is somebody's work.
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import {
  fileFailure,
  makeDirectoryFor,
  notAFile,
  type OwnedFile,
  readOwnedFile,
  writeOwnedFile,
} from "../config/owned-file.ts";
import type { ManagedPath } from "../event.ts";
import { Failure } from "../failure.ts";
import { asOwner, type Identity } from "../kernel/identity.ts";
import { lockFile } from "../kernel/lock.ts";
import { BrokenLine, decodeEntry, encodeEntry } from "./entry.ts";

export interface StoredPaths {
  /** In the order of the file; each path once, as its last line has it. */
  readonly paths: readonly ManagedPath[];
  readonly broken: readonly StoreProblem[];
}

export interface StoreProblem {
  /** Counted from 1. */
  readonly line: number;
  readonly reason: string;
}

// 50,000 paths with long filters; a hostile file must not fill the daemon's memory.
const MAX_STORE_BYTES = 16 * 2 ** 20;
// Holding the lock takes some milliseconds (two fsyncs), so 5 s are the turn of hundreds of commands.
const LOCK_WAIT_MS = 5000;

/**
 * Reads the store; one that doesn't exist is empty.
 *
 * @param judge may refuse an entry by throwing a Failure: its line is broken then, for this reason
 * @throws {Failure} when it can't be read or is no regular file (a symlink counts as none)
 */
export function loadStore(
  file: string,
  owner: Identity,
  judge: (entry: ManagedPath) => void = () => {},
): StoredPaths {
  return contentOf(readLines(targetOf(file, owner), judge));
}

/**
 * Changes the store: reads, calls `change` with the paths, writes what it returns. Lines that didn't change stay as they
 * are, broken ones included; new paths go to the end. Nothing is written when nothing changed, or when `change` throws.
 *
 * @param change gets each path once and must not wait for anything: the lock is held
 * @returns what the store holds afterwards
 * @throws {Failure} when it can't be read, locked within waitMs, or written; the store is as it was then
 */
export function updateStore(
  file: string,
  owner: Identity,
  change: (paths: readonly ManagedPath[]) => readonly ManagedPath[],
  waitMs: number = LOCK_WAIT_MS,
): StoredPaths {
  const target = targetOf(file, owner);
  makeDirectoryFor(target);
  const lock = openLock(target);
  try {
    if (!lockFile(lock, waitMs)) {
      throw new Failure(
        `Cannot change the store "${file}": another fsmon has held its lock for ${waitMs / 1000} s`,
        `try again; fuser "${file}.lock" shows who holds it`,
      );
    }
    const before = readLines(target);
    const wanted = change(contentOf(before).paths);
    const after = changedLines(before, wanted);
    const bytes = joined(after);
    if (!bytes.equals(joined(before))) writeOwnedFile(target, bytes);
    return contentOf(after);
  } finally {
    closeSync(lock);
  }
}

function targetOf(file: string, owner: Identity): OwnedFile {
  return { what: "store of managed paths", file, owner };
}

/** The lock file stays for ever: removing it would let two commands hold the lock of two files. */
function openLock({ what, file, owner }: OwnedFile): number {
  const action = `Cannot lock the ${what} with "${file}.lock"`;
  return asOwner(owner, () => {
    let fd: number;
    try {
      const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      fd = openSync(`${file}.lock`, flags, 0o600);
    } catch (error) {
      throw fileFailure(action, error, { owner });
    }
    const stats = fstatSync(fd);
    if (stats.isFile()) return fd;
    closeSync(fd);
    throw notAFile(action, stats);
  });
}

/** One line: its bytes without the newline, and what they mean. */
interface Line {
  readonly bytes: Buffer;
  readonly content: ManagedPath | BrokenLine | null;
}

function readLines(target: OwnedFile, judge: (entry: ManagedPath) => void = () => {}): Line[] {
  const bytes = readOwnedFile(target, { maxBytes: MAX_STORE_BYTES, followLink: false });
  const lines: Line[] = [];
  if (bytes === null) return lines;
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.length : newline;
    lines.push(lineOf(bytes.subarray(start, end), judge));
    start = end + 1;
  }
  return lines;
}

function lineOf(bytes: Buffer, judge: (entry: ManagedPath) => void): Line {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { bytes, content: new BrokenLine("it is not UTF-8") };
  }
  if (text.trim() === "") return { bytes, content: null };
  try {
    return { bytes, content: decodeEntry(text, judge) };
  } catch (error) {
    if (error instanceof BrokenLine) return { bytes, content: error };
    throw error;
  }
}

function contentOf(lines: readonly Line[]): StoredPaths {
  const paths = new Map<string, ManagedPath>();
  const broken: StoreProblem[] = [];
  lines.forEach(({ content }, index) => {
    if (content instanceof BrokenLine) broken.push({ line: index + 1, reason: content.message });
    else if (content !== null) paths.set(content.path, content);
  });
  return { paths: [...paths.values()], broken };
}

/** The lines with each wanted path in its old place, once; unchanged objects keep their bytes. */
function changedLines(lines: readonly Line[], wanted: readonly ManagedPath[]): Line[] {
  const waiting = new Map(wanted.map((entry) => [entry.path, entry]));
  const unchanged = new Set(lines.map(({ content }) => content));
  const after: Line[] = [];
  for (const line of lines) {
    if (line.content === null || line.content instanceof BrokenLine) {
      after.push(line);
      continue;
    }
    const entry = waiting.get(line.content.path);
    // Taken out, or an earlier line of a path whose last line stays as it is.
    if (entry === undefined || (entry !== line.content && unchanged.has(entry))) continue;
    waiting.delete(entry.path);
    after.push(entry === line.content ? line : encoded(entry));
  }
  return [...after, ...[...waiting.values()].map(encoded)];
}

function encoded(entry: ManagedPath): Line {
  return { bytes: Buffer.from(encodeEntry(entry)), content: entry };
}

function joined(lines: readonly Line[]): Buffer {
  return Buffer.concat(lines.flatMap(({ bytes }) => [bytes, Buffer.from("\n")]));
}
