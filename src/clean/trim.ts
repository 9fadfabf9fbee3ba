// Drops the head of a file that nobody writes to: its rest is copied beside it and renamed over it, so that readers see the old
// file or the new one, and being killed at any moment leaves one of them whole. In small steps, for a caller with other duties.
import {
  close,
  closeSync,
  constants,
  fchmodSync,
  fdatasyncSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { errorCode } from "../failure.ts";
import { asOwner, type Identity } from "../kernel/identity.ts";
import { lookAt, openForReading } from "../log/open.ts";
import { readRange } from "../log/tail.ts";
import { writeWhole } from "../log/write.ts";
import { ordersDataBeforeRename } from "./ordered.ts";
import type { SurveyedFile } from "./survey.ts";

/** One step: under a millisecond on a warm cache, so a daemon's events don't wait. */
const STEP_BYTES = 512 * 1024;
/** Not ending in `_log.jsonl`, so that `cat *_log.jsonl` never reads half a copy. */
const TEMP_SUFFIX = ".clean";

const READ_ONLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const freeing = new Set<Promise<void>>();

/**
 * Gives the last descriptor of a file without a name back on another thread: freeing its space takes 5 ms for 64 MB, and 15 where
 * the disk is told (ext4's `discard` without a journal), in which a daemon's events would wait.
 */
function freeBeside(fd: number): void {
  const done = new Promise<void>((resolve) => close(fd, () => resolve()));
  freeing.add(done);
  void done.then(() => freeing.delete(done));
}

/** Whether files that are gone already still take space. */
export const isFreeing = () => freeing.size > 0;

/** The space of what was dropped is free when this has come. */
export async function freed(): Promise<void> {
  await Promise.all(freeing);
}

/** Unlinks a file with its packed copies, unless another one has its name by now. Its space is free a moment later. @returns whether it is gone */
export function dropFile(file: SurveyedFile, owner: Identity): boolean {
  return asOwner(owner, () => {
    const named = lookAt(file.path, owner);
    if (named === undefined) return true;
    if (named.ino !== file.ino || named.dev !== file.dev) return false;
    // First, so that nobody who reads in between sees its lines come back.
    for (const twin of file.twinPaths) removeQuietly(twin, owner);
    const fd = openQuietly(file.path);
    unlinkSync(file.path);
    if (fd >= 0) freeBeside(fd);
    return true;
  });
}

/** -1 for a file that may not even be read: it can be unlinked all the same. */
function openQuietly(path: string): number {
  try {
    return openSync(path, READ_ONLY);
  } catch {
    return -1;
  }
}

/**
 * Copies [cutBytes, end) beside the file and puts the copy in its place. Yields between steps.
 *
 * @param replace runs the final rename; it may refuse by returning false (the file is being written to after all)
 * @returns false when the file changed meanwhile: then nothing was done
 * @throws system errors (ENOSPC …); the file is then as it was
 */
export function* trimFile(
  file: SurveyedFile,
  cutBytes: number,
  owner: Identity,
  replace: (rename: () => boolean) => boolean = (rename) => rename(),
): Generator<void, boolean> {
  const from = openForReading(file.path, owner);
  const temp = join(dirname(file.path), `.${basename(file.path)}${TEMP_SUFFIX}`);
  let to = -1;
  try {
    if (from.stat.ino !== file.ino || from.stat.dev !== file.dev) return false;
    to = createTemp(temp, owner);
    fchmodSync(to, from.stat.mode & 0o777);
    for (let at = cutBytes; ; ) {
      const block = readRange(from.fd, at, at + STEP_BYTES);
      if (block.length === 0) break;
      writeWhole(to, block);
      at += block.length;
      yield;
    }
    if (!asOwner(owner, () => ordersDataBeforeRename(dirname(file.path)))) fdatasyncSync(to);
    const done = replace(() => {
      const named = lookAt(file.path, owner);
      const same = named?.ino === file.ino && named.dev === file.dev && named.size === from.stat.size;
      if (same) asOwner(owner, () => renameSync(temp, file.path));
      return same;
    });
    if (!done) asOwner(owner, () => unlinkSync(temp));
    return done;
  } catch (error) {
    if (to >= 0) removeQuietly(temp, owner);
    throw error;
  } finally {
    freeBeside(from.fd);
    if (to >= 0) closeSync(to);
  }
}

/** What a clean that was killed has left lying about. Only for whoever holds the clean lock. */
export function removeLeftovers(logDir: string, owner: Identity): void {
  const names = asOwner(owner, () => readdirSync(logDir));
  for (const name of names) {
    if (/^\.[0-9a-f]{16}(\.\d{6,})?_log\.jsonl\.clean$/.test(name)) removeQuietly(join(logDir, name), owner);
  }
}

function createTemp(temp: string, owner: Identity): number {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  return asOwner(owner, () => {
    try {
      return openSync(temp, flags, 0o600);
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
      unlinkSync(temp);
      return openSync(temp, flags, 0o600);
    }
  });
}

function removeQuietly(path: string, owner: Identity): void {
  try {
    asOwner(owner, () => unlinkSync(path));
  } catch {
    // Gone already, or the disk is broken: the error that led here is the one to tell.
  }
}
