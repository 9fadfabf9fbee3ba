// Folders → one gzipped tar whose bytes depend on names and contents alone: root's files, one time for all, sorted. By GNU tar and gzip, which
// every Linux that builds fsmon has.
import { spawnSync } from "node:child_process";
import { Obstacle } from "../setup/step.mjs";

/** 51 MB instead of 53 for three times the time: not worth it. */
const GZIP_LEVEL = "-6";

/** What all files are dated: the commit's time, or what a packager sets (reproducible-builds.org). */
export function sourceTime(): number {
  const given = Number(process.env.SOURCE_DATE_EPOCH);
  if (Number.isInteger(given) && given > 0) return given;
  const git = spawnSync("git", ["log", "-1", "--format=%ct"], { encoding: "utf8" });
  return git.status === 0 ? Number(git.stdout.trim()) : 0;
}

/** @param names what to take of the folder */
export function packTar(dir: string, names: readonly string[]): Buffer {
  const fixed = [
    ...["--format=gnu", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"],
    `--mtime=@${sourceTime()}`,
  ];
  const tar = runFilter("tar", ["-C", dir, ...fixed, "-cf", "-", ...names], undefined);
  return runFilter("gzip", [GZIP_LEVEL, "-n", "-c"], tar);
}

export function gzip(text: string): Buffer {
  return runFilter("gzip", ["-9", "-n", "-c"], Buffer.from(text));
}

function runFilter(program: string, args: readonly string[], input: Buffer | undefined): Buffer {
  const done = spawnSync(program, [...args], { input, maxBuffer: 2 ** 30 });
  if (done.status === 0) return done.stdout;
  throw new Obstacle(`${program} failed: ${done.error?.message ?? done.stderr.toString().trim()}`);
}
