// One step of a script: a program that runs to its end, and how a script ends when it can't go on.
// Plain Node without packages, because it runs before anything was installed. Never shows a stack trace for
// something that the person in front of it can put right.
import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The project's folder, without a trailing slash. */
export const projectDir = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** What stands in the way, in a sentence, and what to do about it: printed as two lines, exit code 1. */
export class Obstacle extends Error {
  /**
   * @param {string} message what can't be done, and why
   * @param {string | null} [hint] a thing to type or to install
   */
  constructor(message, hint = null) {
    super(message);
    this.name = "Obstacle";
    this.hint = hint;
  }
}

/**
 * Runs a script's main function; an Obstacle ends it with a sentence instead of a stack trace.
 *
 * @param {() => void | number | Promise<void | number>} work what it returns is the exit code
 */
export async function main(work) {
  try {
    process.exitCode = (await work()) ?? 0;
  } catch (error) {
    if (!(error instanceof Obstacle)) throw error;
    console.error(error.message);
    if (error.hint !== null) console.error(`  hint: ${error.hint}`);
    process.exitCode = 1;
  }
}

/**
 * Runs a program in the project's folder, its output on ours, and waits for its end.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, asTreeOwner?: boolean, quiet?: boolean, hint?: string }} [options] `quiet`: its output is
 *   kept and returned; `asTreeOwner`: see treeOwner(); `hint`: what to do when there is no such program
 * @returns {{ exitCode: number, output: string }} 128 + n when a signal ended it
 */
export function run(program, args, options = {}) {
  const owner = options.asTreeOwner ? treeOwner() : null;
  const result = spawnSync(program, args, {
    cwd: projectDir,
    env: {
      ...(options.env ?? process.env),
      ...(owner && { HOME: owner.home, USER: owner.name, LOGNAME: owner.name }),
    },
    ...(owner && { uid: owner.uid, gid: owner.gid }),
    stdio: options.quiet ? ["ignore", "pipe", "pipe"] : ["ignore", "inherit", "inherit"],
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.error) {
    const code = /** @type {NodeJS.ErrnoException} */ (result.error).code;
    throw new Obstacle(`Cannot run "${program}" (${code ?? result.error.message})`, options.hint);
  }
  // Which signal it was doesn't matter to any caller, only that it was none of the program's own exit codes.
  return { exitCode: result.status ?? 128, output: options.quiet ? result.stdout + result.stderr : "" };
}

/**
 * The person behind sudo, if the project's folder is theirs: packages and builds are then made as that person, or
 * their next `npm test` would meet files of root that it can't replace. Null in every other case.
 *
 * @returns {{ uid: number, gid: number, name: string, home: string } | null}
 */
function treeOwner() {
  if (process.getuid?.() !== 0 || !process.env.SUDO_UID) return null;
  const { uid, gid } = statSync(projectDir);
  if (uid === 0 || uid !== Number(process.env.SUDO_UID)) return null;
  for (const line of readFileSync("/etc/passwd", "utf8").split("\n")) {
    const [name, , id, , , home] = line.split(":");
    if (name && home && Number(id) === uid) return { uid, gid, name, home };
  }
  return null;
}
