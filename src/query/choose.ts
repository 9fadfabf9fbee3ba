// Which logs a query reads, and what of each: all of them, or those of the paths that were asked for. Paths and log names go
// in, a choice comes out. A path that no log can answer for is a failure, never an empty answer.
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { isAtOrBelow } from "../containment.ts";
import { Failure } from "../failure.ts";
import { logHash } from "../log/names.ts";

/** Hash → the paths that are wanted of this log; null for everything in it. */
export type Choice = Map<string, string[] | null>;

export interface KnownLogs {
  /** The hashes that have at least one file. */
  hashes: ReadonlySet<string>;
  /** The store's paths. */
  managedPaths: readonly string[];
  /** The managed paths of logs that the store doesn't know (any more). Asked for only when it matters. */
  forgottenPaths: () => readonly string[];
}

/**
 * @param paths as typed; none means every log
 * @throws {Failure} when a path has no log
 */
export function chooseLogs(paths: readonly string[], known: KnownLogs): Choice {
  const choice: Choice = new Map();
  if (paths.length === 0) {
    for (const hash of known.hashes) choice.set(hash, null);
    return choice;
  }
  for (const typed of paths) {
    const spellings = spellingsOf(typed);
    if (!spellings.some((path) => chooseWhole(path, known, choice))) {
      let found = false;
      for (const path of spellings) found = chooseBelow(path, known, choice) || found;
      if (!found) throw noLog(typed, spellings, known);
    }
  }
  return choice;
}

/** The absolute path, and where it leads: `add` resolves links once, and what is gone now can't be resolved. */
export function spellingsOf(typed: string): string[] {
  const path = resolve(typed);
  try {
    return [...new Set([path, realpathSync(path)])];
  } catch {
    return [path];
  }
}

function chooseWhole(path: string, known: KnownLogs, choice: Choice): boolean {
  const hash = logHash(path);
  if (!known.hashes.has(hash)) return false;
  choice.set(hash, null);
  return true;
}

function chooseBelow(path: string, known: KnownLogs, choice: Choice): boolean {
  let found = false;
  for (const managed of new Set([...known.managedPaths, ...known.forgottenPaths()])) {
    const hash = logHash(managed);
    if (!isAtOrBelow(path, managed) || !known.hashes.has(hash)) continue;
    found = true;
    const wanted = choice.get(hash);
    if (wanted !== null) choice.set(hash, [...(wanted ?? []), path]);
  }
  return found;
}

function noLog(typed: string, spellings: readonly string[], known: KnownLogs): Failure {
  const message = `There is no log for ${JSON.stringify(typed)}`;
  if (known.managedPaths.some((managed) => spellings.some((path) => isAtOrBelow(path, managed)))) {
    return new Failure(message, "it is managed, but nothing was recorded yet: is the daemon running?");
  }
  if (known.managedPaths.length === 0)
    return new Failure(message, `fsmon add ${typed} puts it under management`);
  return new Failure(message, `managed are: ${known.managedPaths.join(", ")}`);
}
