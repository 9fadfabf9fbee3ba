// Typed text → the tokens of globs: `*`, `?`, `[a-z]`, `[!a]`, `{a,b}`, backslash escapes, and the commas and `|`
// between the elements of a list. Braces are expanded here, so that a glob is matched without choices to try.
// Nothing is repaired: what is unclosed or means nothing is refused with the text quoted.
import { UsageFailure } from "../failure.ts";
import { ANY_CHARACTER, CharacterSet, type GlobToken, STAR } from "./glob.ts";

// Each alternative of the braces is a glob of its own; `{a,b}` twenty times over would be a million of them.
const MAX_ALTERNATIVES = 1000;

/** Reads the globs out of one typed text, one element at a time. */
export class GlobParser {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  /**
   * Reads up to the next comma or `|` outside braces and brackets, or to the end. Spaces around the element are not
   * part of it unless a backslash stands before them.
   *
   * @returns one token list for each alternative of the braces
   * @throws {UsageFailure} quoting the text, at something unclosed or a backslash at the end
   */
  element(): GlobToken[][] {
    return this.sequence(0);
  }

  private sequence(depth: number): GlobToken[][] {
    let alternatives: GlobToken[][] = [[]];
    let spaces = 0;
    const add = (token: GlobToken) => {
      for (const tokens of alternatives) tokens.push(token);
    };
    while (this.at < this.text.length) {
      const character = this.take();
      if (character === "," || (depth > 0 ? character === "}" : character === "|")) {
        this.at--;
        break;
      }
      spaces = character === " " && depth === 0 ? spaces + 1 : 0;
      if (character === "*") add(STAR);
      else if (character === "?") add(ANY_CHARACTER);
      else if (character === "[") add(this.set());
      else if (character === "{") alternatives = this.product(alternatives, this.braces(depth));
      else if (character === "}") throw this.malformed('a "}" without its "{"', "\\}");
      else if (character === "\\") add(this.escaped());
      else add(character);
    }
    if (spaces > 0) for (const tokens of alternatives) tokens.length -= spaces;
    return alternatives;
  }

  private braces(depth: number): GlobToken[][] {
    // Each level is a call of its own; 50 are more than anybody means.
    if (depth >= 50) throw this.malformed("braces nested too deep", "a shorter pattern");
    const alternatives: GlobToken[][] = [];
    for (;;) {
      alternatives.push(...this.sequence(depth + 1));
      const end = this.take();
      if (end === "}") return alternatives;
      if (end !== ",") throw this.malformed('a "{" without its "}"', "\\{");
    }
  }

  private product(left: GlobToken[][], right: GlobToken[][]): GlobToken[][] {
    if (left.length * right.length > MAX_ALTERNATIVES) {
      throw this.malformed(`more than ${MAX_ALTERNATIVES} alternatives`, "several patterns");
    }
    return left.flatMap((start) => right.map((end) => [...start, ...end]));
  }

  private set(): CharacterSet {
    const negated = this.text[this.at] === "!" || this.text[this.at] === "^";
    if (negated) this.at++;
    const ranges: number[] = [];
    const first = this.at;
    for (;;) {
      if (this.at >= this.text.length) throw this.malformed('a "[" without its "]"', "\\[");
      const isFirst = this.at === first;
      let from = this.take();
      // As everywhere since the first shell, a "]" that comes first stands for itself.
      if (from === "]" && !isFirst) return new CharacterSet(negated, ranges);
      if (from === "[" && this.text[this.at] === ":") {
        throw this.malformed('a named class such as "[:alpha:]"', "[a-zA-Z]");
      }
      if (from === "\\") from = this.escaped();
      let to = from;
      if (this.text[this.at] === "-" && this.at + 1 < this.text.length && this.text[this.at + 1] !== "]") {
        this.at++;
        to = this.take();
        if (to === "\\") to = this.escaped();
      }
      const low = from.codePointAt(0) ?? 0;
      const high = to.codePointAt(0) ?? 0;
      if (low > high) throw this.malformed(`the range "${from}-${to}" backwards`, `[${to}-${from}]`);
      ranges.push(low, high);
    }
  }

  private escaped(): string {
    if (this.at >= this.text.length) throw this.malformed("a backslash with nothing after it", "\\\\");
    return this.take();
  }

  /** The next code point, "" at the end. */
  private take(): string {
    const codePoint = this.text.codePointAt(this.at);
    if (codePoint === undefined) return "";
    const character = String.fromCodePoint(codePoint);
    this.at += character.length;
    return character;
  }

  private malformed(what: string, instead: string): UsageFailure {
    return new UsageFailure(
      `Cannot use the pattern "${this.text}": it has ${what}`,
      `write ${instead} instead`,
    );
  }
}
