// One event → one line of the log, as bytes. Hot: runs for every line, so what repeats (directory, process,
// managed path) is kept as ready-made JSON text and only copied; names that need no escape are copied byte by
// byte. docs/events.md specifies the keys.
import type { EventType } from "../event.ts";
import { isUtf8, jsonBody, jsonBytes, stringifySafely } from "./json-text.ts";
import type { ProcessText } from "./process-text.ts";
import { formatTime } from "./time.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A directory's path as JSON text, ready for a name to follow. */
export interface PathText {
  /** The absolute path, raw bytes, empty for "/". */
  readonly raw: Uint8Array;
  /** Escaped path and slash. */
  readonly json: Uint8Array;
  /** True when the path is valid UTF-8, so that the text says it all. */
  readonly exact: boolean;
}

export function pathText(raw: Uint8Array): PathText {
  return { raw, json: encoder.encode(`${jsonBody(decoder.decode(raw))}/`), exact: isUtf8(raw) };
}

/** The piece with monitored_path. */
export function monitoredText(path: string): Uint8Array {
  return encoder.encode(`,"monitored_path":${stringifySafely(path)}`);
}

/** Other end of a rename, flags and error as JSON text; null when there is nothing to say. */
export function extraText(extra: {
  otherEnd: Uint8Array | null;
  otherKey: "from" | "to" | null;
  exchange: boolean;
  directory: boolean;
  merged: boolean;
  /** By reading a directory, not by an event. */
  found?: boolean;
  error: number;
  errorCount: number;
}): Uint8Array | null {
  let text = "";
  if (extra.otherEnd !== null && extra.otherKey !== null) {
    text += `,"${extra.otherKey}":${jsonBytes(extra.otherEnd)}`;
    if (!isUtf8(extra.otherEnd))
      text += `,"${extra.otherKey}_b64":"${Buffer.from(extra.otherEnd).toString("base64")}"`;
    if (extra.exchange) text += `,"exchange":true`;
  }
  if (extra.directory) {
    if (text === "" && !extra.merged && extra.found !== true && extra.error === 0) return DIRECTORY_TEXT;
    text += `,"dir":true`;
  }
  if (extra.merged) text += `,"merged":true`;
  if (extra.found === true) text += `,"origin":"scan"`;
  if (extra.error !== 0) text += `,"error":${extra.error},"error_count":${extra.errorCount}`;
  return text === "" ? null : encoder.encode(text);
}

const DIRECTORY_TEXT = encoder.encode(`,"dir":true`);

const typeTexts = new Map<EventType, Uint8Array>();

function typeText(type: EventType): Uint8Array {
  let text = typeTexts.get(type);
  if (text === undefined) {
    text = encoder.encode(`","event_type":"${type}","path":"`);
    typeTexts.set(type, text);
  }
  return text;
}

/** From the first line on: most of thousands of managed paths may be silent. */
const START_BYTES = 16384;
/** The longest a line can get besides its path and process text. */
const LINE_ROOM_BYTES = 512;

/** Lines of one log that wait to be written. */
export class LineBuffer {
  bytes: Buffer = Buffer.alloc(0);
  used = 0;
  lines = 0;
  private timeMs = -1;
  private timeText: Uint8Array = new Uint8Array(0);

  clear(): void {
    this.used = 0;
    this.lines = 0;
  }

  /**
   * Hot. Appends one line.
   *
   * @param name raw bytes [nameAt, nameAt + nameBytes); no name: the directory itself
   * @param monitored of monitoredText()
   */
  add(
    timeMs: number,
    type: EventType,
    directory: PathText,
    name: Uint8Array,
    nameAt: number,
    nameBytes: number,
    process: ProcessText,
    fileSizeBytes: number,
    monitored: Uint8Array,
    extra: Uint8Array | null,
  ): void {
    if (timeMs !== this.timeMs) {
      this.timeMs = timeMs;
      this.timeText = encoder.encode(`{"time":"${formatTime(timeMs)}`);
    }
    // Worst case of a name: 255 bytes, each an escape of six.
    this.reserve(
      LINE_ROOM_BYTES +
        directory.json.length +
        nameBytes * 6 +
        process.middle.length +
        process.tail.length +
        monitored.length +
        (extra === null ? 0 : extra.length),
    );
    this.copy(this.timeText);
    this.copy(typeText(type));
    const exact = this.path(directory, name, nameAt, nameBytes);
    this.copy(process.middle);
    this.number(fileSizeBytes);
    this.copy(monitored);
    if (!exact) {
      this.rawPath(directory, name, nameAt, nameBytes);
      this.reserve(process.tail.length + (extra === null ? 0 : extra.length));
    }
    if (extra !== null) this.copy(extra);
    this.copy(process.tail);
    this.lines++;
  }

  /** Returns false when the text can't say the exact bytes. */
  private path(directory: PathText, name: Uint8Array, nameAt: number, nameBytes: number): boolean {
    this.copy(directory.json);
    if (nameBytes === 0) {
      // The directory itself: without the slash at its end, except for the root.
      if (directory.raw.length > 0) this.used--;
      return directory.exact;
    }
    const { bytes } = this;
    let at = this.used;
    const end = nameAt + nameBytes;
    for (let i = nameAt; i < end; i++) {
      const byte = name[i]!;
      if (byte < 0x20 || byte >= 0x7f || byte === 0x22 || byte === 0x5c) {
        return this.escapedName(name.subarray(nameAt, end)) && directory.exact;
      }
      bytes[at++] = byte;
    }
    this.used = at;
    return directory.exact;
  }

  private escapedName(name: Uint8Array): boolean {
    const exact = isUtf8(name);
    this.copy(encoder.encode(jsonBody(decoder.decode(name))));
    return exact;
  }

  private rawPath(directory: PathText, name: Uint8Array, nameAt: number, nameBytes: number): void {
    const slash = nameBytes > 0 ? [Uint8Array.of(0x2f)] : [];
    const raw = Buffer.concat([directory.raw, ...slash, name.subarray(nameAt, nameAt + nameBytes)]);
    const text = encoder.encode(`,"path_b64":"${raw.toString("base64")}"`);
    this.reserve(text.length);
    this.copy(text);
  }

  private number(value: number): void {
    if (value < 10) {
      this.bytes[this.used++] = 0x30 + value;
      return;
    }
    const digits = String(value);
    for (let i = 0; i < digits.length; i++) this.bytes[this.used++] = digits.charCodeAt(i);
  }

  private copy(text: Uint8Array): void {
    const { bytes } = this;
    const { length } = text;
    let at = this.used;
    if (length > 48) {
      bytes.set(text, at);
      this.used = at + length;
      return;
    }
    for (let i = 0; i < length; i++) bytes[at++] = text[i]!;
    this.used = at;
  }

  private reserve(more: number): void {
    if (this.used + more <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(START_BYTES, (this.used + more) * 2));
    larger.set(this.bytes.subarray(0, this.used));
    this.bytes = larger;
  }
}
