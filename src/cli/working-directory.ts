// Where a relative path starts from. Asked only when a path is relative: the directory may have been deleted.

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
