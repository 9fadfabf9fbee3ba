// Names that others chose, made harmless for a terminal: what would move the cursor, change colours or turn the writing
// direction becomes a visible escape. For messages and tables only; data for programs stays exact.

/**
 * C0, DEL and C1 controls; line and paragraph separators; bidirectional controls and marks (Unicode 16, chapter 23.2);
 * zero-width characters, which hide differences between names; halves of surrogate pairs.
 */
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e" };

/** The text with every unsafe character as \n, \e, \x9b or \u202e. */
export function escapeForTerminal(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const short = SHORT[character];
    if (short !== undefined) return short;
    const code = character.charCodeAt(0);
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
