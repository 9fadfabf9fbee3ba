// Which of the kernel's ways to identify processes are used, and how exact that is, in words.
import { UsageFailure } from "../failure.ts";

/** perf side-band, proc connector, taskstats; /proc can always be read. */
export const SOURCES = ["perf", "connector", "taskstats", "proc"] as const;
export type Source = (typeof SOURCES)[number];

/** What the opened streams tell by themselves. */
export interface Tells {
  /** Births and deaths. */
  readonly forks: boolean;
  /** The name of each program that is executed. */
  readonly names: boolean;
  /** Every change of user. */
  readonly users: boolean;
  /** Name and user of each process at its end. */
  readonly ends: boolean;
}

export const ALL_TOLD: Tells = { forks: true, names: true, users: true, ends: false };

/**
 * "perf,connector" → those; null → all.
 *
 * @throws {UsageFailure} for a word that is none of them
 */
export function parseSources(text: string | null): ReadonlySet<Source> {
  if (text === null) return new Set(SOURCES);
  const sources = new Set<Source>();
  for (const word of text.split(",")) {
    const source = SOURCES.find((one) => one === word.trim());
    if (source === undefined) {
      throw new UsageFailure(
        `Cannot identify processes by "${word.trim()}"`,
        `--identify takes ${SOURCES.join(", ")}, separated by commas`,
      );
    }
    sources.add(source);
  }
  return sources;
}

/** One sentence, for the start message and health: what is in use, and what that means for the lines. */
export function wayText({ forks, names, users, ends }: Tells): string {
  if (names && users) return "perf side-band and proc connector: exact";
  const late = ends
    ? "from /proc, or at a process's end by taskstats"
    : "from /proc; the short-lived have none";
  if (names) return `perf side-band: names exact, users ${late}`;
  if (users) return `proc connector: users exact, names ${late}`;
  if (forks || ends) return `taskstats and /proc: names and users ${late}`;
  return "/proc only: names and users of those that live long enough to be looked at";
}
