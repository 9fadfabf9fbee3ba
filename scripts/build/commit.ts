// Which state of the sources a build is made from: what `fsmon --version` prints behind the number.
import { spawnSync } from "node:child_process";

/** The files that decide what the binary does. A changed README makes no other binary. */
const SOURCES = [
  "src",
  "c",
  "build.ts",
  "scripts/build",
  "package.json",
  "package-lock.json",
  "tsconfig.json",
];

/** Twelve hex digits, "-dirty" behind them if a source differs from that commit; "unknown" outside git. */
export function commitId(): string {
  // Inside somebody else's repository (an unpacked archive, say) the commit would be that one's.
  if (git("rev-parse", "--show-cdup") !== "") return "unknown";
  const commit = git("rev-parse", "--short=12", "HEAD");
  if (!commit) return "unknown";
  return git("status", "--porcelain", "--", ...SOURCES) === "" ? commit : `${commit}-dirty`;
}

function git(...args: string[]): string | null {
  const result = spawnSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return result.status === 0 ? result.stdout.trim() : null;
}
