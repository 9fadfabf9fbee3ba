// A path as typed → the path that is managed: absolute, plain, symlinks resolved once.
// What exists is followed link by link, as the kernel would; what doesn't exist yet, or may not be looked at, is kept as
// typed. Opens nothing.
import { lstatSync, readlinkSync } from "node:fs";
import { Failure, UsageFailure } from "../failure.ts";

export interface ResolvedPath {
  /** Absolute, without ".", "..", "//" and a slash at the end (except "/"). */
  readonly path: string;
  /** "symlink" when one was followed on the way, so that this may be another path than the one typed. */
  readonly changedBy: "symlink" | null;
}

// PATH_MAX (linux/limits.h) without the NUL.
const MAX_PATH_BYTES = 4095;
/** NAME_MAX of every filesystem that has names in bytes (limits.h). */
const MAX_NAME_BYTES = 255;
// MAXSYMLINKS (linux/namei.h): the kernel gives up after as many.
const MAX_LINKS = 40;

/**
 * @param cwd absolute; what a relative path starts from
 * @param action what is tried with the path, for the failure: "remove"
 * @throws {UsageFailure} for what can't be a path: empty, a NUL, not UTF-8, too long
 * @throws {Failure} for links that lead in a circle
 */
export function resolveManagedPath(typed: string, cwd: string, action: string): ResolvedPath {
  checkPath(typed, typed, action);
  const done: string[] = [];
  const waiting = componentsOf(typed.startsWith("/") ? typed : `${cwd}/${typed}`);
  let links = 0;
  for (let component = waiting.pop(); component !== undefined; component = waiting.pop()) {
    if (component === "..") {
      done.pop();
      continue;
    }
    done.push(component);
    const target = linkTarget(`/${done.join("/")}`);
    if (target === null) continue;
    links++;
    if (links > MAX_LINKS) {
      throw new Failure(
        `Cannot ${action} "${typed}": its symbolic links lead in a circle`,
        "name the directory or file itself",
      );
    }
    if (target.startsWith("/")) done.length = 0;
    else done.pop();
    waiting.push(...componentsOf(target));
  }
  const path = `/${done.join("/")}`;
  checkPath(path, typed, action);
  return { path, changedBy: links > 0 ? "symlink" : null };
}

/** Whether a path has the form that resolveManagedPath() gives. */
export function isManagedPath(path: string): boolean {
  const isPlain = path === `/${componentsOf(path).reverse().join("/")}` && !path.split("/").includes("..");
  return isPlain && pathProblem(path) === null;
}

/** The components that mean something, the last one first. */
function componentsOf(path: string): string[] {
  return path
    .split("/")
    .filter((component) => component !== "" && component !== ".")
    .reverse();
}

/** Where a symlink leads; null for anything else, for what doesn't exist and for what this user may not look at. */
function linkTarget(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null;
  } catch {
    return null;
  }
}

function pathProblem(path: string): string | null {
  if (path === "") return "it is empty";
  if (path.includes("\0")) return "it holds a NUL";
  // Arguments arrive decoded, with U+FFFD for each byte that was no UTF-8: which byte it was is lost.
  if (path.includes("\ufffd") || !path.isWellFormed()) return "it is not valid UTF-8";
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `it is longer than ${MAX_PATH_BYTES} bytes`;
  const tooLong = path.split("/").find((component) => Buffer.byteLength(component) > MAX_NAME_BYTES);
  if (tooLong !== undefined)
    return `a name in it is longer than ${MAX_NAME_BYTES} bytes, so it can never exist`;
  return null;
}

function checkPath(path: string, typed: string, action: string): void {
  const problem = pathProblem(path);
  if (problem === null) return;
  const shown = typed.length > 200 ? `${typed.slice(0, 200)}…` : typed;
  throw new UsageFailure(
    `Cannot ${action} "${shown}": ${problem}`,
    "name a directory or file, such as /var/www",
  );
}
