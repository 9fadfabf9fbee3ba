// Bytes and text as JSON text for a line. Bytes that aren't UTF-8 become U+FFFD; isUtf8() tells whether that lost any.
import { stringifySafely } from "./state.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const fatalDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function jsonOrNull(text: string | null): string {
  return text === null ? "null" : stringifySafely(text);
}

export function jsonBytes(bytes: Uint8Array): string {
  return stringifySafely(decoder.decode(bytes));
}

/** Without the quotes. */
export function jsonBody(text: string): string {
  return stringifySafely(text).slice(1, -1);
}

export function isUtf8(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i]! >= 0x80) {
      try {
        fatalDecoder.decode(bytes);
        return true;
      } catch {
        return false;
      }
    }
  }
  return true;
}
