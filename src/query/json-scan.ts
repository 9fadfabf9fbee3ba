// One JSON object that comes in pieces: is it JSON, where does it end, and what are some of its keys? Agrees with JSON.parse, but for bytes in
// strings that need not be valid UTF-8. Nothing is kept but the open brackets and the few texts that are asked for.
import { endOfEscape, endOfValue, isSpace, STRING_PLAIN, stringClass } from "./json-line.ts";

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPENING_BRACKET = 91;
const CLOSING_BRACKET = 93;
const OPENING_BRACE = 123;
const CLOSING_BRACE = 125;

/** A path's text is shorter: 4096 bytes, each escaped sixfold. A longer one answers no question. */
const TEXT_MAX_BYTES = 64 * 1024;
/** Of a number or a word; deeper, or longer, is nobody's event. */
const TOKEN_MAX_BYTES = 1024;
const DEPTH_MAX = 10_000;

/** What may come next. */
type Next =
  | "value"
  | "value or end"
  | "key"
  | "key or end"
  | "colon"
  | "comma"
  | "in string"
  | "in escape"
  | "in token";

export class JsonScan {
  /** "done" behind the closing brace; "bad" where this is no JSON object. */
  state: "open" | "done" | "bad" = "open";
  /** Of the outermost object: the wanted ones that are texts. */
  readonly keys: Record<string, string> = {};
  private readonly wanted: ReadonlySet<string>;
  private next: Next = "value";
  /** What encloses the place that was reached: true for an object. */
  private readonly enclosing: boolean[] = [];
  private isKey = false;
  /** The member of the outermost object that is being read. */
  private member = "";
  /** Of the string, escape or token that is being read. */
  private text: Buffer[] = [];
  private textBytes = 0;
  private escape: number[] = [];

  constructor(wanted: ReadonlySet<string>) {
    this.wanted = wanted;
  }

  /** @returns behind the object's last byte in this piece; the piece's length when the object goes on */
  push(piece: Buffer, from: number): number {
    let at = from;
    while (at < piece.length && this.state === "open") at = this.step(piece, at);
    return at;
  }

  private step(piece: Buffer, at: number): number {
    if (this.next === "in string") return this.inString(piece, at);
    const byte = piece[at]!;
    if (this.next === "in escape") return this.inEscape(byte, at);
    if (this.next === "in token") return this.inToken(byte, at);
    if (!isSpace(byte)) this.begin(byte);
    return at + 1;
  }

  /** A byte outside of strings and tokens. */
  private begin(byte: number): void {
    const next = this.next;
    const inObject = this.enclosing.at(-1) === true;
    if (next === "colon") this.expect(byte === COLON, "value");
    else if (next === "comma" && byte === COMMA) this.next = inObject ? "key" : "value";
    else if (byte === (inObject ? CLOSING_BRACE : CLOSING_BRACKET))
      this.close(next === "comma" || next.endsWith("or end"));
    else if (next === "comma") this.state = "bad";
    else if (next.startsWith("key")) this.expect(byte === QUOTE, "in string", true);
    else if (this.enclosing.length === 0 && byte !== OPENING_BRACE) this.state = "bad";
    else if (byte === OPENING_BRACE || byte === OPENING_BRACKET) this.open(byte === OPENING_BRACE);
    else {
      this.expect(true, byte === QUOTE ? "in string" : "in token");
      if (byte !== QUOTE) this.keep(Buffer.of(byte));
    }
  }

  private expect(isRight: boolean, next: Next, isKey = false): void {
    if (!isRight) this.state = "bad";
    this.next = next;
    this.isKey = isKey;
    this.text = [];
    this.textBytes = 0;
  }

  private open(isObject: boolean): void {
    this.forget();
    this.enclosing.push(isObject);
    this.next = isObject ? "key or end" : "value or end";
    if (this.enclosing.length > DEPTH_MAX) this.state = "bad";
  }

  private close(mayEnd: boolean): void {
    this.enclosing.pop();
    this.next = "comma";
    if (!mayEnd) this.state = "bad";
    else if (this.enclosing.length === 0) this.state = "done";
  }

  private inString(piece: Buffer, from: number): number {
    let at = from;
    while (at < piece.length && stringClass[piece[at]!] === STRING_PLAIN) at++;
    this.keep(piece.subarray(from, at));
    if (at === piece.length) return at;
    if (piece[at] === QUOTE) this.endString();
    else if (piece[at] === 92) {
      this.next = "in escape";
      this.escape = [92];
    } else this.state = "bad";
    return at + 1;
  }

  private inEscape(byte: number, at: number): number {
    this.escape.push(byte);
    const { length } = this.escape;
    if (length < (this.escape[1] === 117 ? 6 : 2)) return at + 1;
    if (endOfEscape(Uint8Array.from(this.escape), 0) < 0) this.state = "bad";
    this.keep(Buffer.from(this.escape));
    this.next = "in string";
    return at + 1;
  }

  private inToken(byte: number, at: number): number {
    if (byte !== COMMA && byte !== CLOSING_BRACE && byte !== CLOSING_BRACKET && !isSpace(byte)) {
      this.keep(Buffer.of(byte));
      if (this.textBytes > TOKEN_MAX_BYTES) this.state = "bad";
      return at + 1;
    }
    const token = Buffer.concat([...this.text, Buffer.of(COMMA)]);
    if (endOfValue(token, 0) !== token.length - 1) this.state = "bad";
    this.forget();
    this.next = "comma";
    return at;
  }

  private endString(): void {
    const text = this.textBytes <= TEXT_MAX_BYTES ? parsed(Buffer.concat(this.text)) : "";
    if (this.isKey) {
      if (this.enclosing.length === 1) this.member = text;
      this.next = "colon";
      return;
    }
    this.forget();
    if (this.enclosing.length === 1 && this.wanted.has(this.member)) this.keys[this.member] = text;
    this.next = "comma";
  }

  /** Of a name that comes twice the last value counts. */
  private forget(): void {
    if (this.enclosing.length === 1) delete this.keys[this.member];
  }

  /** Texts further in, and long ones, are of no interest. */
  private keep(bytes: Buffer): void {
    this.textBytes += bytes.length;
    if (this.textBytes > TEXT_MAX_BYTES || (this.enclosing.length > 1 && this.next !== "in token"))
      this.text = [];
    else if (bytes.length > 0) this.text.push(Buffer.from(bytes));
  }
}

function parsed(text: Buffer): string {
  return JSON.parse(`"${text.toString("utf8")}"`);
}
