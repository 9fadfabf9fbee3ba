// A TypeScript source with its comments, or its comments and its texts, replaced by blanks, so that a rule which looks
// for a word doesn't trip over prose. Positions and line ends stay what they were. Not a parser: it knows where a
// comment, a text or a regular expression begins and ends, and nothing else.

export interface Masked {
  /** Comments blanked. */
  withoutComments: string;
  /** Comments, and what lies between quotes or slashes, blanked; code inside `${}` stays. */
  codeOnly: string;
}

/** Whether a `/` after this begins a regular expression; after anything else it divides. */
const BEFORE_REGEX =
  /(^|[=(,:;[{}!&|?<>+\-*%~^]|\b(return|typeof|case|in|of|do|else|void|delete|throw|await|yield))$/;

export function mask(source: string): Masked {
  const withoutComments = source.split("");
  const codeOnly = source.split("");
  const blank = (target: string[], from: number, to: number) => {
    for (let at = from; at < to; at++) if (target[at] !== "\n") target[at] = " ";
  };
  const blankText = (from: number, to: number) => blank(codeOnly, from, to);

  // Depths of braces at which a template's `${` was opened: its `}` leads back into the template.
  const templateDepths: number[] = [];
  let depth = 0;
  let at = 0;

  const skipTemplate = (from: number) => {
    const end = templateChunkEnd(source, from);
    blankText(from, end);
    at = end + (source[end] === "`" ? 1 : 2);
    if (source[end] === "$") templateDepths.push(depth++);
  };

  while (at < source.length) {
    const char = source[at];
    if (source.startsWith("//", at) || source.startsWith("/*", at)) {
      const close = source[at + 1] === "/" ? source.indexOf("\n", at) : source.indexOf("*/", at + 2) + 2;
      const end = close <= 1 && source[at + 1] === "*" ? source.length : close === -1 ? source.length : close;
      blank(withoutComments, at, end);
      blank(codeOnly, at, end);
      at = end;
    } else if (char === '"' || char === "'") {
      const end = quotedEnd(source, at + 1, char);
      blankText(at + 1, end);
      at = end + 1;
    } else if (char === "`") {
      skipTemplate(at + 1);
    } else if (char === "}" && templateDepths.at(-1) === depth - 1) {
      templateDepths.pop();
      depth--;
      skipTemplate(at + 1);
    } else if (
      char === "/" &&
      BEFORE_REGEX.test(
        codeOnly
          .slice(Math.max(0, at - 80), at)
          .join("")
          .trimEnd(),
      )
    ) {
      const end = regexEnd(source, at + 1);
      blankText(at + 1, end);
      at = end + 1;
    } else {
      if (char === "{") depth++;
      if (char === "}") depth--;
      at++;
    }
  }
  return { withoutComments: withoutComments.join(""), codeOnly: codeOnly.join("") };
}

/** Index of the closing quote, or of the line's end where there is none. */
function quotedEnd(source: string, from: number, quote: string): number {
  let at = from;
  while (at < source.length && source[at] !== quote && source[at] !== "\n") at += source[at] === "\\" ? 2 : 1;
  return at;
}

/** Index of the backquote, or of the `$` of a `${`. */
function templateChunkEnd(source: string, from: number): number {
  let at = from;
  while (at < source.length && source[at] !== "`" && !source.startsWith("${", at))
    at += source[at] === "\\" ? 2 : 1;
  return at;
}

/** Index of the closing slash; a slash in brackets doesn't close. */
function regexEnd(source: string, from: number): number {
  let inClass = false;
  let at = from;
  while (at < source.length && source[at] !== "\n" && (inClass || source[at] !== "/")) {
    if (source[at] === "[") inClass = true;
    if (source[at] === "]") inClass = false;
    at += source[at] === "\\" ? 2 : 1;
  }
  return at;
}
