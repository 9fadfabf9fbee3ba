// Values, text and bytes as JSON text for a line, and an object back from it. Bytes that aren't UTF-8 become U+FFFD; isUtf8() tells whether that lost any.

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const fatalDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A value as JSON on one line, with every control character escaped: JSON.stringify leaves U+007F to U+009F as they are,
 * and a terminal obeys some of them.
 */
export function stringifySafely(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\x7f-\x9f]/g,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Null for what is no JSON object. */
export function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

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
