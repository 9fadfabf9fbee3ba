// Text in columns of a terminal: how many it takes, made to fit, filled up. Escaped text goes in (escape.ts), text of a known
// width comes out. Wide characters take two columns, combining ones none.

const ELLIPSIS = "…";
/** Only these take one column each for certain, so that nearly every text is done without being looked up. */
const PLAIN = /^[\x20-\x7e]*$/;

export function columnsOf(text: string): number {
  return PLAIN.test(text) ? text.length : Bun.stringWidth(text);
}

/** The text's end where it doesn't fit: a path's file name, a chain's program. */
export function fitEnd(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  if (columns < 1) return "";
  if (PLAIN.test(text)) return ELLIPSIS + text.slice(text.length - columns + 1);
  let kept = "";
  for (const character of [...text].reverse()) {
    if (columnsOf(character + kept) > columns - 1) break;
    kept = character + kept;
  }
  return ELLIPSIS + kept;
}

/** The text's beginning where it doesn't fit. */
export function fitBeginning(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  if (columns < 1) return "";
  if (PLAIN.test(text)) return text.slice(0, columns - 1) + ELLIPSIS;
  let kept = "";
  for (const character of text) {
    if (columnsOf(kept + character) > columns - 1) break;
    kept += character;
  }
  return kept + ELLIPSIS;
}

/** Filled up with spaces behind it. */
export function padRight(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - columnsOf(text)));
}

/** Filled up with spaces before it: numbers. */
export function padLeft(text: string, columns: number): string {
  return " ".repeat(Math.max(0, columns - columnsOf(text))) + text;
}
