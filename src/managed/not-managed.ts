// What a person is told who names a path that isn't managed: which managed path comes nearest, however far that is.
import { isAtOrBelow } from "../containment.ts";
import { Failure } from "../failure.ts";
import { nearest } from "../filter/nearest.ts";

/** @param managed all managed paths */
export function notManaged(path: string, managed: readonly string[]): Failure {
  return new Failure(`Cannot remove "${path}": it is not managed`, hintFor(path, managed));
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
