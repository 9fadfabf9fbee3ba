// Is this line JSON, and where does it end? Bytes go in, an offset comes out; nothing is decoded or allocated. Hot: query looks
// at every byte that it prints, because a line that only looks like ours must not be printed as an event.
// Strict as JSON.parse, but for one thing: bytes inside strings need not be valid UTF-8 (a torn character is no torn line).

const QUOTE = 34;
const BACKSLASH = 92;
/** Deeper than this is nobody's log line; the bound keeps hostile input from filling the stack. */
const DEPTH_MAX = 64;

export const STRING_PLAIN = 0;
/** 0 plain, 1 quote, 2 backslash, 3 control: what may not stand in a string as it is. */
export const stringClass = new Uint8Array(256);
for (let i = 0; i < 32; i++) stringClass[i] = 3;
stringClass[QUOTE] = 1;
stringClass[BACKSLASH] = 2;

const isEscape = new Uint8Array(256);
for (const letter of '"\\/bfnrt') isEscape[letter.charCodeAt(0)] = 1;

const isHex = new Uint8Array(256);
for (const digit of "0123456789abcdefABCDEF") isHex[digit.charCodeAt(0)] = 1;

/**
 * The rest of an object after one of its members.
 *
 * @param at behind a member's value
 * @returns the offset behind the closing brace; -1 when this is no JSON
 */
export function endOfMembers(bytes: Uint8Array, at: number, depth = 0): number {
  for (;;) {
    if (isSpace(bytes[at])) at = skipSpace(bytes, at);
    const byte = bytes[at];
    if (byte === 125) return at + 1;
    if (byte !== 44) return -1;
    at++;
    if (bytes[at] !== QUOTE) at = skipSpace(bytes, at);
    at = endOfMember(bytes, at, depth);
    if (at < 0) return -1;
  }
}

/** @returns the offset behind the value (or -1); `at` is where it begins, without white space before it */
export function endOfValue(bytes: Uint8Array, at: number, depth = 0): number {
  const byte = bytes[at];
  if (byte === QUOTE) return endOfString(bytes, at);
  if (byte === 123) return endOfObject(bytes, at, depth + 1);
  if (byte === 91) return endOfArray(bytes, at, depth + 1);
  if (byte === 116) return matches(bytes, at, TRUE) ? at + 4 : -1;
  if (byte === 102) return matches(bytes, at, FALSE) ? at + 5 : -1;
  if (byte === 110) return matches(bytes, at, NULL) ? at + 4 : -1;
  return endOfNumber(bytes, at);
}

function endOfMember(bytes: Uint8Array, at: number, depth: number): number {
  if (bytes[at] !== QUOTE) return -1;
  at = endOfString(bytes, at);
  if (at < 0) return -1;
  if (bytes[at] !== 58) {
    at = skipSpace(bytes, at);
    if (bytes[at] !== 58) return -1;
  }
  at++;
  if (isSpace(bytes[at])) at = skipSpace(bytes, at);
  return endOfValue(bytes, at, depth);
}

function endOfString(bytes: Uint8Array, at: number): number {
  for (;;) {
    let kind = 0;
    do kind = stringClass[bytes[++at]!]!;
    while (kind === STRING_PLAIN);
    if (kind === 1) return at + 1;
    if (kind !== 2) return -1;
    at = endOfEscape(bytes, at);
    if (at < 0) return -1;
  }
}

/** @returns the escape's last byte (or -1); `at` is its backslash */
export function endOfEscape(bytes: Uint8Array, at: number): number {
  const escaped = bytes[at + 1]!;
  if (escaped !== 117) return isEscape[escaped] === 1 ? at + 1 : -1;
  for (let i = 2; i <= 5; i++) if (isHex[bytes[at + i]!] !== 1) return -1;
  return at + 5;
}

function endOfObject(bytes: Uint8Array, at: number, depth: number): number {
  if (depth > DEPTH_MAX) return -1;
  at = skipSpace(bytes, at + 1);
  if (bytes[at] === 125) return at + 1;
  at = endOfMember(bytes, at, depth);
  return at < 0 ? -1 : endOfMembers(bytes, at, depth);
}

function endOfArray(bytes: Uint8Array, at: number, depth: number): number {
  if (depth > DEPTH_MAX) return -1;
  at = skipSpace(bytes, at + 1);
  if (bytes[at] === 93) return at + 1;
  for (;;) {
    at = endOfValue(bytes, at, depth);
    if (at < 0) return -1;
    at = skipSpace(bytes, at);
    if (bytes[at] === 93) return at + 1;
    if (bytes[at] !== 44) return -1;
    at = skipSpace(bytes, at + 1);
  }
}

function endOfNumber(bytes: Uint8Array, at: number): number {
  if (bytes[at] === 45) at++;
  if (bytes[at] === 48) at++;
  else if (isDigit(bytes[at])) at = skipDigits(bytes, at);
  else return -1;
  if (bytes[at] === 46) {
    if (!isDigit(bytes[at + 1])) return -1;
    at = skipDigits(bytes, at + 1);
  }
  const exponent = bytes[at];
  if (exponent === 101 || exponent === 69) {
    at++;
    if (bytes[at] === 43 || bytes[at] === 45) at++;
    if (!isDigit(bytes[at])) return -1;
    at = skipDigits(bytes, at);
  }
  return at;
}

const TRUE = Uint8Array.of(116, 114, 117, 101);
const FALSE = Uint8Array.of(102, 97, 108, 115, 101);
const NULL = Uint8Array.of(110, 117, 108, 108);

function matches(bytes: Uint8Array, at: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word[i]) return false;
  return true;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 48 && byte <= 57;
}

function skipDigits(bytes: Uint8Array, at: number): number {
  while (isDigit(bytes[at])) at++;
  return at;
}

/** White space that may stand inside a line: a newline ends it. */
export function isSpace(byte: number | undefined): boolean {
  return byte === 32 || byte === 9 || byte === 13;
}

export function skipSpace(bytes: Uint8Array, at: number): number {
  while (isSpace(bytes[at])) at++;
  return at;
}
