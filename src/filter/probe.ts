// Whether a regular expression runs away: some, `(a+)+$` say, take twice as long for each further character of a name
// that somebody else chooses, and would stop the daemon. Tried when a pattern is added or read from the store; never per event.
// Texts (probe-texts.ts) are made of the pattern's own characters and grow slowly, so that the probe itself stays short. (JavaScriptCore
// gives up on a text after some 0.5 s by itself, and then says "no match", which may be wrong.)
import { UsageFailure } from "../failure.ts";
import { grown, type ProbeText, probeTexts } from "./probe-texts.ts";

/** The middle of a text is its unit so many times, cut at so many characters. `slowest`: how many texts go on to the next step. */
interface Step {
  readonly repeats: number;
  readonly characters: number;
  /** What a match may take. */
  readonly limitMs: number;
  readonly slowest: number;
}

const ALL = Number.POSITIVE_INFINITY;
const SLOW = 12;
const SHORT = [4, 8, 12, 16, 18, 20, 22, 24, 26, 28, 30, 32];
// Short texts: an honest expression takes microseconds, one that doubles per character passes 4 ms before it gets to 32, one that
// doubles per unit before 32 of them. What is quadratic takes 0.3 ms at 512 characters. Grows by little, so that what runs away
// is seen long before it has.
// Long texts, up to PATH_MAX (linux/limits.h): what is quadratic takes 5 to 20 ms at 4096 characters and is let pass; what
// is cubic takes minutes.
const STEPS: readonly Step[] = [
  ...SHORT.map((characters) => ({ repeats: ALL, characters, limitMs: 4, slowest: ALL })),
  ...SHORT.map((repeats) => ({ repeats, characters: 512, limitMs: 4, slowest: repeats < 32 ? ALL : SLOW })),
  ...[64, 128, 256, 512, 1024, 2048, 4096].map((characters) => ({
    repeats: ALL,
    characters,
    limitMs: 50,
    slowest: SLOW,
  })),
];

// A text counts as slow when it is slow three times over: the first time the expression is compiled.
const TRIES = 3;
/** On the CPU; neither compiling nor a busy machine takes as much. */
const DECISIVE_MS = 100;

/** A store may hold the same expression for thousands of paths. */
const HONEST_MAX = 1000;
const knownHonest = new Set<string>();

/**
 * Tries the expression on texts that make it work hardest; one that was found honest isn't tried again.
 *
 * @throws {UsageFailure} quoting `typed` when one of them takes too long
 */
export function refuseRunaway(regex: RegExp, typed: string): void {
  if (knownHonest.has(String(regex))) return;
  let texts = probeTexts(regex);
  for (const { repeats, characters, limitMs, slowest } of STEPS) {
    const timed: { text: ProbeText; tookMs: number }[] = [];
    for (const text of texts) {
      const tookMs = matchMs(regex, grown(text, repeats, characters), limitMs);
      if (tookMs > limitMs) {
        throw new UsageFailure(
          `Cannot use the pattern "${typed}": it takes too long on long names`,
          "avoid a repetition inside a repetition such as (a+)+, or use a glob",
        );
      }
      timed.push({ text, tookMs });
    }
    if (slowest >= timed.length) continue;
    timed.sort((left, right) => right.tookMs - left.tookMs);
    texts = timed.slice(0, slowest).map(({ text }) => text);
  }
  if (knownHonest.size >= HONEST_MAX) knownHonest.clear();
  knownHonest.add(String(regex));
}

/**
 * The shortest of up to three tries; the first that is within the limit is enough. A busy machine may stop this process for longer
 * than the limit each time, so the time on the CPU counts where it is shorter; alone it is too coarse (a clock tick, 1 to 10 ms).
 */
function matchMs(regex: RegExp, text: string, limitMs: number): number {
  let shortestMs = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < TRIES && shortestMs > limitMs; tries++) {
    const startMs = performance.now();
    const cpu = process.threadCpuUsage();
    regex.test(text);
    const { user, system } = process.threadCpuUsage(cpu);
    const cpuMs = (user + system) / 1000;
    if (cpuMs > DECISIVE_MS) return cpuMs;
    shortestMs = Math.min(shortestMs, performance.now() - startMs, cpuMs);
  }
  return shortestMs;
}
