// The patterns of one filter, compiled for what they are compared with: names and absolute paths (--exclude), or the
// names of programs (--only-cmd, --exclude-cmd). Patterns enter once, texts enter for every event.
// Hot: plain loops, nothing allocated but the joined path of an entry where a pattern has a slash.
import { UsageFailure } from "../failure.ts";
import { Glob, type GlobToken } from "./glob.ts";
import type { Pattern } from "./pattern.ts";

/** Any of several globs and regular expressions. */
class AnyOf {
  private readonly literals = new Set<string>();
  private readonly globs: Glob[] = [];
  private readonly regexes: RegExp[] = [];

  get empty(): boolean {
    return this.literals.size === 0 && this.globs.length === 0 && this.regexes.length === 0;
  }

  addGlob(glob: Glob): void {
    if (glob.literal === null) this.globs.push(glob);
    else this.literals.add(glob.literal);
  }

  addRegex(regex: RegExp): void {
    this.regexes.push(regex);
  }

  /** Hot. */
  matches(text: string): boolean {
    if (this.literals.has(text)) return true;
    const { globs, regexes } = this;
    for (let index = 0; index < globs.length; index++) {
      if (globs[index]?.matches(text) === true) return true;
    }
    for (let index = 0; index < regexes.length; index++) {
      if (regexes[index]?.test(text) === true) return true;
    }
    return false;
  }
}

/** The patterns of --exclude, parted by what they are compared with. */
export interface ExcludeMatcher {
  /** Globs without a slash, for the name of each component below the managed path. */
  readonly names: AnyOf;
  /** Globs with a slash and regular expressions, for the absolute path. */
  readonly paths: AnyOf;
}

/**
 * Sorts each alternative of each pattern: `{*.swp,/var/cache/*}` is one for names and one for paths. A slash at the end,
 * as a shell completes it, is dropped.
 *
 * @throws {UsageFailure} for a glob that nothing below a managed path can match: it begins with a name, or is the root
 */
export function excludeMatcher(patterns: readonly Pattern[]): ExcludeMatcher {
  const names = new AnyOf();
  const paths = new AnyOf();
  for (const pattern of patterns) {
    if (pattern.kind === "regex") {
      paths.addRegex(pattern.regex);
      continue;
    }
    for (const alternative of pattern.tokens) {
      const tokens = withoutSlashAtEnd(alternative);
      if (tokens.length === 1 && tokens[0] === "/") {
        throw new UsageFailure(
          `Cannot use the pattern "${pattern.typed}": it means the root directory, which lies below no managed path`,
          'name what to leave out: a directory ("/var/cache"), or every name like it ("*.swp")',
        );
      }
      if (!tokens.includes("/")) {
        names.addGlob(new Glob(tokens));
        continue;
      }
      if (typeof tokens[0] === "string" && tokens[0] !== "/") {
        throw new UsageFailure(
          `Cannot use the pattern "${pattern.typed}": with a slash it is compared with absolute paths, and none begins like this`,
          `write "*/${pattern.typed}", or begin it with /`,
        );
      }
      paths.addGlob(new Glob(tokens));
    }
  }
  return { names, paths };
}

function withoutSlashAtEnd(tokens: readonly GlobToken[]): readonly GlobToken[] {
  return tokens.length > 1 && tokens.at(-1) === "/" ? tokens.slice(0, -1) : tokens;
}

// TASK_COMM_LEN (linux/sched.h) is 16, the NUL at the end included: longer names are cut.
const COMM_BYTES = 15;

/** How sure a match is: "maybe" when the kernel cut off what decides it. */
export type Verdict = "yes" | "maybe" | "no";

/**
 * Patterns for program names. The kernel keeps 15 bytes of a name, so a comm of that length stands for every name that
 * begins with it, and
 * - a pattern without wildcards is cut to 15 bytes as well: `NetworkManager-dispatcher` matches `NetworkManager-`;
 * - a glob says "yes" when it matches the 15 bytes, or when they break off inside its own text (`systemd-*-generator`
 *   and `systemd-fstab-g`), and "maybe" when only a star could make up for the rest (`*er` and `systemd-journal`);
 * - a regular expression sees the 15 bytes and nothing else.
 */
export class CommandMatcher {
  private readonly exact = new AnyOf();
  private readonly globs: Glob[] = [];

  constructor(patterns: readonly Pattern[]) {
    for (const pattern of patterns) {
      if (pattern.kind === "regex") {
        this.exact.addRegex(pattern.regex);
        continue;
      }
      for (const tokens of pattern.tokens) {
        const glob = new Glob(tokens);
        if (glob.literal === null) this.globs.push(glob);
        else this.exact.addGlob(new Glob([...cutToComm(glob.literal)]));
      }
    }
  }

  get empty(): boolean {
    return this.exact.empty && this.globs.length === 0;
  }

  judge(comm: string): Verdict {
    if (this.exact.matches(comm)) return "yes";
    // A name that is not UTF-8 counts for more than its bytes here, which at worst makes a "no" a "maybe".
    const isCut = Buffer.byteLength(comm) >= COMM_BYTES;
    // The cut may go through a character; its rest was decoded as U+FFFD and says nothing.
    const start = comm.endsWith("\ufffd") ? comm.slice(0, -1) : comm;
    let verdict: Verdict = "no";
    for (const glob of this.globs) {
      if (glob.matches(comm)) return "yes";
      if (!isCut) continue;
      if (glob.breaksOffInside(start)) return "yes";
      if (glob.couldContinue(start)) verdict = "maybe";
    }
    return verdict;
  }
}

function cutToComm(name: string): string {
  return Buffer.from(name).subarray(0, COMM_BYTES).toString();
}
