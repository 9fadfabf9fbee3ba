// Decides whether a built file is still current: by the content of what it was made from, never by times, because
// git gives a checked-out file the time of the checkout.
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";

/**
 * Names and contents of all files and of all files below all folders, in one hash.
 *
 * @param inputs files and folders, relative to the project
 * @param more whatever else decides the result, such as the compiler's name
 */
export function contentHash(inputs: readonly string[], more: string): string {
  const hash = createHash("sha256").update(more);
  for (const path of inputs.flatMap(filesOf)) {
    hash.update(`\0${path}\0`).update(readFileSync(path));
  }
  return hash.digest("hex");
}

function filesOf(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const entries = readdirSync(path, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

export interface Target {
  /** The file to be made. */
  path: string;
  /** A folder on the same filesystem for what is half done, and for the note what the target was made from. */
  buildDir: string;
  /** See contentHash. */
  inputsHash: string;
  /** Make it even if it is current. */
  force: boolean;
}

/**
 * Calls `make` unless the target was made from the same inputs before.
 *
 * @param make writes the file whose path it is given: the target's own name, in a fresh folder; what it throws leaves
 *   the target as it was
 */
export function makeUnlessCurrent(target: Target, make: (out: string) => void): void {
  const { path, buildDir, force } = target;
  const stampFile = join(buildDir, `${basename(path)}.stamp`);
  if (!force && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp(target)) return;
  const workDir = join(buildDir, `.making-${process.pid}-${basename(path)}`);
  mkdirSync(workDir);
  try {
    const out = join(workDir, basename(path));
    make(out);
    renameSync(out, path);
    const newStamp = join(workDir, "stamp");
    writeFileSync(newStamp, stamp(target));
    renameSync(newStamp, stampFile);
  } finally {
    rmSync(workDir, { recursive: true, force: true });
  }
}

/** The target's size and time belong to it: a file exchanged by hand isn't current. */
function stamp({ path, inputsHash }: Target): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return `${inputsHash} ${found?.size} ${found?.mtimeMs}\n`;
}
