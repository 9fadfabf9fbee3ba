// The managed path that a person means by what was typed, out of those that there are.
// Never guesses: a path that isn't managed is a Failure that names the nearest one.
import { resolve } from "node:path";
import { isAtOrBelow } from "../containment.ts";
import { Failure } from "../failure.ts";
import { nearest } from "../filter/nearest.ts";
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
  throw new Failure(`Cannot remove "${resolved}": it is not managed`, hintFor(resolved, managed));
}

function hintFor(path: string, managed: readonly string[]): string {
  if (managed.length === 0) return "no path is managed (fsmon add PATH begins it)";
  const above = managed.filter((one) => isAtOrBelow(path, one)).sort((a, b) => b.length - a.length)[0];
  if (above !== undefined) return `it lies below the managed path "${above}"`;
  return `the nearest managed path is "${nearest(path, managed) ?? nearestInTree(path, managed)}"`;
}

/** The managed path that shares the most leading directories, however few; the one least deep of several. */
function nearestInTree(path: string, managed: readonly string[]): string | undefined {
  const components = path.split("/");
  const ranked = managed.map((one) => {
    const others = one.split("/");
    const differs = components.findIndex((component, index) => component !== others[index]);
    return { one, shared: differs === -1 ? components.length : differs, depth: others.length };
  });
  return ranked.sort((a, b) => b.shared - a.shared || a.depth - b.depth)[0]?.one;
}
