// How many files this process may have open at once.
import { readFileSync } from "node:fs";

let max: number | undefined;

/** The runtime has raised the limit to what the administrator allows. 0 where it can't be known. */
export function openFilesMax(): number {
  try {
    max ??= Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1] ?? 0);
  } catch {
    max = 0;
  }
  return max;
}
