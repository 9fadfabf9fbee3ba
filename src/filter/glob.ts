// One glob without braces against one text. Tokens from glob-parser.ts enter, yes or no leaves.
// The glob is cut at its stars into pieces, and the leftmost place of each piece is always good enough: a match costs at
// most text × pattern, so nothing that a person types can make it run away, as a regular expression could.

/** A bracket expression. Ranges are pairs of code points, both ends included. */
export class CharacterSet {
  readonly negated: boolean;
  readonly ranges: readonly number[];

  constructor(negated: boolean, ranges: readonly number[]) {
    this.negated = negated;
    this.ranges = ranges;
  }

  has(codePoint: number): boolean {
    const { ranges } = this;
    for (let index = 0; index < ranges.length; index += 2) {
      if (codePoint >= (ranges[index] ?? 0) && codePoint <= (ranges[index + 1] ?? 0)) return !this.negated;
    }
    return this.negated;
  }
}

/** What `?` stands for. */
export const ANY_CHARACTER = new CharacterSet(true, []);
export const STAR = Symbol("*");

/** A string is one literal character (one code point). */
export type GlobToken = string | CharacterSet | typeof STAR;

/** What lies between two stars. `literal` is the whole piece when it has no sets: then the engine's own search serves. */
class Piece {
  readonly tokens: readonly (string | CharacterSet)[];
  readonly literal: string | null;

  constructor(tokens: readonly (string | CharacterSet)[]) {
    this.tokens = tokens;
    this.literal = tokens.every((token) => typeof token === "string") ? tokens.join("") : null;
  }

  /** Where the piece ends when it stands at `at`; -1 when it doesn't. */
  endAt(text: string, at: number): number {
    if (this.literal !== null) return text.startsWith(this.literal, at) ? at + this.literal.length : -1;
    return this.seenAt(text, at) === this.tokens.length ? this.lastEnd : -1;
  }

  /** Where the leftmost occurrence at or after `at` ends; -1 when there is none. */
  endOfFirst(text: string, at: number): number {
    if (this.literal !== null) {
      const found = text.indexOf(this.literal, at);
      return found < 0 ? -1 : found + this.literal.length;
    }
    for (let start = at; start < text.length; start += widthAt(text, start)) {
      const end = this.endAt(text, start);
      if (end >= 0) return end;
    }
    return -1;
  }

  /** Whether the text ends with the piece, and the piece begins at `at` or later. */
  endsText(text: string, at: number): boolean {
    if (this.literal !== null) {
      return text.length - this.literal.length >= at && text.endsWith(this.literal);
    }
    let start = text.length;
    for (let count = this.tokens.length; count > 0; count--) {
      if (start <= at) return false;
      const low = text.charCodeAt(start - 1);
      start -= low >= 0xdc00 && low <= 0xdfff && start - 2 >= at ? 2 : 1;
    }
    return this.endAt(text, start) === text.length;
  }

  /** Where the last seenAt() stopped. */
  lastEnd = 0;

  /** How many of the piece's characters stand at `at` before the text differs or ends. */
  seenAt(text: string, at: number): number {
    const { tokens } = this;
    let position = at;
    let seen = 0;
    for (; seen < tokens.length && position < text.length; seen++) {
      const token = tokens[seen];
      const width = widthAt(text, position);
      if (typeof token === "string") {
        if (!text.startsWith(token, position)) break;
      } else if (token?.has(text.codePointAt(position) ?? 0) !== true) break;
      position += width;
    }
    this.lastEnd = position;
    return seen;
  }
}

function widthAt(text: string, at: number): 1 | 2 {
  const high = text.charCodeAt(at);
  return high >= 0xd800 && high <= 0xdbff && at + 1 < text.length ? 2 : 1;
}

/** One brace-free glob. */
export class Glob {
  private readonly head: Piece;
  private readonly middle: readonly Piece[];
  /** null without any star: then the head is the whole glob. */
  private readonly tail: Piece | null;
  /** The text itself when the glob has neither stars nor sets, for lookups in a Set. */
  readonly literal: string | null;

  constructor(tokens: readonly GlobToken[]) {
    const pieces: (string | CharacterSet)[][] = [[]];
    for (const token of tokens) {
      if (token !== STAR) pieces.at(-1)?.push(token);
      else pieces.push([]);
    }
    this.head = new Piece(pieces[0] ?? []);
    this.tail = pieces.length > 1 ? new Piece(pieces.at(-1) ?? []) : null;
    // An empty piece is `**`, which means no more than `*`.
    this.middle = pieces
      .slice(1, -1)
      .filter((piece) => piece.length > 0)
      .map((piece) => new Piece(piece));
    this.literal = this.tail === null ? this.head.literal : null;
  }

  /** Hot. Whether the whole text matches; `*`, `?` and sets match slashes like any other character. */
  matches(text: string): boolean {
    let at = this.head.endAt(text, 0);
    if (at < 0) return false;
    if (this.tail === null) return at === text.length;
    const { middle } = this;
    for (let index = 0; index < middle.length; index++) {
      at = middle[index]?.endOfFirst(text, at) ?? -1;
      if (at < 0) return false;
    }
    return this.tail.endsText(text, at);
  }

  /**
   * Whether some longer text that begins with `start` could match: everything up to the first star fits, and from
   * there on the star can take what is left.
   */
  couldContinue(start: string): boolean {
    const seen = this.head.seenAt(start, 0);
    return this.head.lastEnd === start.length || (this.tail !== null && seen === this.head.tokens.length);
  }

  /**
   * Whether `start` breaks off inside one of the glob's pieces, so that the glob itself, not a star, speaks for its
   * end: inside the head, or at least two characters deep in a later piece.
   */
  breaksOffInside(start: string): boolean {
    let at = this.head.endAt(start, 0);
    if (at < 0 || at === start.length) {
      this.head.seenAt(start, 0);
      return this.head.lastEnd === start.length;
    }
    if (this.tail === null) return false;
    for (const piece of [...this.middle, this.tail]) {
      for (let from = at; from < start.length; from += widthAt(start, from)) {
        if (piece.seenAt(start, from) >= 2 && piece.lastEnd === start.length) return true;
      }
      at = piece.endOfFirst(start, at);
      if (at < 0) return false;
    }
    return false;
  }
}
