// The managed path that a person means by what was typed, out of those that there are.
// Never guesses: a path that isn't managed is a Failure that names the nearest one.
import { resolve } from "node:path";
import { notManaged } from "../managed/not-managed.ts";
import { resolveManagedPath } from "../managed/path.ts";

/**
 * @param typed relative or absolute
 * @param managed all managed paths
 * @throws {Failure} naming the nearest managed path
 */
export function whichManaged(typed: string, cwd: string, managed: readonly string[]): string {
  const resolved = resolveManagedPath(typed, cwd, "remove").path;
  // The path may have become a symbolic link since it was added: then the plain words are what is meant.
  const plain = resolve(cwd, typed);
  const found = managed.find((path) => path === resolved) ?? managed.find((path) => path === plain);
  if (found !== undefined) return found;
  throw notManaged(resolved, managed);
}
