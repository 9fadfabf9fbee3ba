// Where a relative path starts from. Asked only when a path is relative: the directory may have been deleted, and then the
// runtime's own resolve() would silently take the directory of the executable in its place.
import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { Failure } from "../failure.ts";

/** @throws {Failure} when typed is relative and there is no working directory any more */
export function workingDirectory(typed: string): string {
  if (typed.startsWith("/")) return "/";
  try {
    return process.cwd();
  } catch {
    throw new Failure(`Cannot find "${typed}": the current directory was deleted`, "name the path from / on");
  }
}

/** @throws {Failure} as workingDirectory() */
export function absolutePath(typed: string): string {
  return resolve(workingDirectory(typed), typed);
}

/** Where links lead; of what is gone, the part that is still there is followed. */
export function resolvedPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path === "/" ? path : join(resolvedPath(dirname(path)), basename(path));
  }
}
