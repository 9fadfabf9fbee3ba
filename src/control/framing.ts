// Cuts a byte stream into a message: a TOML document without empty lines, ended by an empty line or by the end of input.
// Bytes enter in any portions, text leaves; it never holds more than its limit and never reads a line twice.

/** Why a message could not be read; the text is for the peer. */
export class FramingError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "FramingError";
  }
}

const NEWLINE = 10;
const RETURN = 13;
const NOTHING = new Uint8Array(0);
/** To begin with: most messages fit. */
const HELD_BYTES = 512;

/**
 * Puts together one message. Empty lines before the first line end nothing (a person at a keyboard presses Enter);
 * "\r\n" ends a line as well. What follows the message's empty line is ignored: one message a direction.
 */
export class MessageReader {
  private readonly sizeMaxBytes: number;
  /** One buffer that doubles: a client may send each byte by itself, and a buffer of its own for each takes a hundred. */
  private held = NOTHING;
  private sizeBytes = 0;
  /** True while the line being read has no character yet. */
  private lineEmpty = true;
  private started = false;

  constructor(sizeMaxBytes: number) {
    this.sizeMaxBytes = sizeMaxBytes;
  }

  /**
   * Takes the next bytes; they are copied, so the caller's buffer may be reused.
   *
   * @returns the message once it is complete, else null
   * @throws {FramingError} when it is longer than the limit or not UTF-8
   */
  push(bytes: Uint8Array): string | null {
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === RETURN) continue;
      if (byte !== NEWLINE) {
        this.lineEmpty = false;
        this.started = true;
      } else if (this.lineEmpty && this.started) {
        this.keep(bytes.subarray(0, at));
        return this.text();
      } else {
        this.lineEmpty = true;
      }
    }
    this.keep(bytes);
    return null;
  }

  /** The message that the end of input has ended; null when there was nothing but empty lines. */
  end(): string | null {
    return this.started ? this.text() : null;
  }

  private keep(bytes: Uint8Array): void {
    const before = this.sizeBytes;
    const after = before + bytes.length;
    if (after > this.sizeMaxBytes) {
      this.held = NOTHING;
      throw new FramingError(`The message is longer than ${this.sizeMaxBytes} bytes`);
    }
    if (after > this.held.length) {
      const roomBytes = Math.min(this.sizeMaxBytes, Math.max(HELD_BYTES, after, 2 * this.held.length));
      const held = new Uint8Array(roomBytes);
      held.set(this.held.subarray(0, before));
      this.held = held;
    }
    this.held.set(bytes, before);
    this.sizeBytes = after;
  }

  private text(): string {
    const bytes = this.held.subarray(0, this.sizeBytes);
    this.held = NOTHING;
    try {
      // The message's end may have been "\r\n": the TOML parser takes no lone "\r".
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/\r$/, "");
    } catch {
      throw new FramingError("The message is not UTF-8");
    }
  }
}

/** Turns a TOML document into a message: its empty lines go, one is put at the end. */
export function frame(toml: string): Uint8Array {
  // Safe on text: a TOML writer escapes every newline inside a string, so an empty line only ever separates tables.
  return Buffer.from(`${toml.replace(/\n{2,}/g, "\n").trimEnd()}\n\n`, "utf8");
}
