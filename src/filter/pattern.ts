// Lists of patterns as typed after --exclude, --only-cmd and --exclude-cmd → compiled patterns.
// A list's elements are globs separated by commas or `|`; from `re:` on, the whole rest is one regular expression.
// Nothing is matched here, and nothing is accepted that does not parse.
import { UsageFailure } from "../failure.ts";
import type { GlobToken } from "./glob.ts";
import { GlobParser } from "./glob-parser.ts";

/** `tokens`: one list for each alternative of the braces. `typed`: the element as it stood in the list. */
export type Pattern =
  | { readonly kind: "glob"; readonly tokens: readonly (readonly GlobToken[])[]; readonly typed: string }
  | { readonly kind: "regex"; readonly regex: RegExp; readonly typed: string };

// A pattern is compared with paths, which the kernel bounds at 4096 bytes (PATH_MAX, linux/limits.h).
const MAX_LIST_CHARACTERS = 4096;

/**
 * Reads one typed list. Spaces around elements don't count.
 *
 * @returns at least one pattern
 * @throws {UsageFailure} quoting the text: empty or with an empty element, too long, unclosed, no valid regular expression
 */
export function parsePatternList(text: string): Pattern[] {
  if (text.length > MAX_LIST_CHARACTERS) {
    throw new UsageFailure(
      `Cannot use the pattern "${text.slice(0, 40)}…": it is ${text.length} characters long`,
      `use several patterns of at most ${MAX_LIST_CHARACTERS} characters`,
    );
  }
  const patterns: Pattern[] = [];
  const parser = new GlobParser(text);
  for (;;) {
    while (text[parser.at] === " ") parser.at++;
    if (text.startsWith("re:", parser.at)) {
      patterns.push(parseRegex(text.slice(parser.at)));
      return patterns;
    }
    const start = parser.at;
    const tokens = parser.element();
    if (parser.at === start) throw emptyElement(text);
    patterns.push({ kind: "glob", tokens, typed: text.slice(start, parser.at) });
    if (parser.at >= text.length) return patterns;
    // The separator.
    parser.at++;
  }
}

/** Most often a shell variable that isn't set: what was to be left out must not be recorded silently, nor the other way round. */
function emptyElement(text: string): UsageFailure {
  const isAlone = text.trim() === "";
  return new UsageFailure(
    `Cannot use the pattern "${text}": ${isAlone ? "it is empty" : "nothing stands between two of its commas or |, or at an end"}`,
    isAlone
      ? 'give a glob such as "*.swp", or several with commas between them'
      : "leave out the surplus comma or |; a backslash before one makes it part of a name",
  );
}

function parseRegex(typed: string): Pattern {
  const source = typed.slice("re:".length);
  if (source === "") {
    throw new UsageFailure(
      `Cannot use the pattern "${typed}": nothing stands after "re:"`,
      "give a regular expression such as re:\\.tmp[0-9]+$",
    );
  }
  // "s": a newline in a file name is a character like any other. "u" makes one of what is outside the BMP, but refuses
  // harmless escapes such as `\-`, so what it refuses is tried without it.
  for (const flags of ["su", "s"]) {
    try {
      return { kind: "regex", regex: new RegExp(source, flags), typed };
    } catch (error) {
      if (flags === "su") continue;
      const reason = error instanceof Error ? error.message.replace(/^Invalid regular expression: /, "") : "";
      throw new UsageFailure(
        `Cannot use the pattern "${typed}": it is no valid regular expression (${reason})`,
        "JavaScript's regular expressions are accepted; without re: the pattern is a glob",
      );
    }
  }
  throw new Error("unreachable");
}
