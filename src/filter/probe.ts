// Whether a regular expression runs away: some, `(a+)+$` say, take twice as long for each further character of a name
// that somebody else chooses, and would stop the daemon. Tried when a pattern is added or read from the store; never per event.
// Texts (probe-texts.ts) are made of the pattern's own characters and grow slowly, so that the probe itself stays short. (JavaScriptCore
// gives up on a text after some 0.5 s by itself, and then says "no match", which may be wrong.)
import { UsageFailure } from "../failure.ts";
import { grown, type ProbeText, probeTexts } from "./probe-texts.ts";

/** `limitMs`: what a match may take at this length; `slowest`: how many of the texts go on to the next length. */
interface Step {
  readonly length: number;
  readonly limitMs: number;
  readonly slowest: number;
}

// Short texts: an honest expression takes microseconds, one that doubles per character passes 4 ms before it gets to 32.
const SHORT: readonly Step[] = [4, 8, 12, 16, 18, 20, 22, 24, 26, 28, 30, 32].map((length) => ({
  length,
  limitMs: 4,
  slowest: length < 32 ? Number.POSITIVE_INFINITY : 12,
}));
// Long texts, up to PATH_MAX (linux/limits.h): what is quadratic takes 5 to 20 ms at 4096 characters and is let pass; what
// is cubic takes minutes.
const LONG: readonly Step[] = [64, 128, 256, 512, 1024, 2048, 4096].map((length) => ({
  length,
  limitMs: 50,
  slowest: 12,
}));

// A text counts as slow when it is slow three times over: the first time the expression is compiled.
const TRIES = 3;

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
  for (const { length, limitMs, slowest } of [...SHORT, ...LONG]) {
    const timed: { text: ProbeText; tookMs: number }[] = [];
    for (const text of texts) {
      const tookMs = matchMs(regex, grown(text, length), limitMs);
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
    shortestMs = Math.min(shortestMs, performance.now() - startMs, (user + system) / 1000);
  }
  return shortestMs;
}
