// What no message tells of: login user and control group. They are read from /proc while the process lives, and where
// it is gone from the nearest ancestor, which is said in the line. Never asks for a number that may be another's by now.
import type { ControlGroup } from "./cgroup.ts";
import { readComm } from "./procfs.ts";
import type { Process } from "./table.ts";

/** Deeper chains than a person reads are neither shown nor asked. */
export const ANCESTORS_MAX = 16;

interface Kinds {
  login: number | null;
  group: ControlGroup;
}

export interface Found<T> {
  /** Undefined where neither the process nor any ancestor could be asked. */
  value: T | undefined;
  /** The ancestors' rather than its own. */
  inherited: boolean;
}

/**
 * Asks a process, or in its stead its ancestors.
 *
 * @param lives false: it is known to be gone, /proc must not be asked for its number
 * @param read undefined for a process that is gone
 */
export function surroundings<Key extends keyof Kinds>(
  process: Process,
  lives: boolean,
  key: Key,
  read: (pid: number) => Kinds[Key] | undefined,
): Found<Kinds[Key]> {
  const own = ask(process, lives, key, read);
  if (own !== undefined) return { value: own, inherited: false };
  let above = process.parent;
  for (let i = 0; above !== null && i < ANCESTORS_MAX; i++) {
    const value = ask(above, !above.exited, key, read);
    if (value !== undefined) return { value, inherited: true };
    above = above.parent;
  }
  return { value: undefined, inherited: true };
}

/** What it is now, else what it was when it was read last. */
function ask<Key extends keyof Kinds>(
  process: Process,
  lives: boolean,
  key: Key,
  read: (pid: number) => Kinds[Key] | undefined,
): Kinds[Key] | undefined {
  const known = process as { [K in Key]: Kinds[K] | undefined };
  const value = lives && !process.forgotten ? read(process.pid) : undefined;
  if (value !== undefined) known[key] = value;
  return known[key];
}

/**
 * True when /proc still shows the process as the table knows it: not ended, its number nobody else's, no other program
 * executed since its records were read. To be asked after /proc/PID was read.
 */
export function isStill(process: Process): boolean {
  if (process.exited) return false;
  return readComm(process.pid) === process.comm;
}
