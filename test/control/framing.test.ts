import { describe, expect, test } from "bun:test";
import { FramingError, frame, MessageReader } from "../../src/control/framing.ts";

const bytes = (text: string) => Buffer.from(text, "utf8");

describe("MessageReader", () => {
  test("ends a message at the empty line", () => {
    const reader = new MessageReader(100);
    expect(reader.push(bytes("a = 1\nb = 2\n"))).toBeNull();
    expect(reader.push(bytes("\nc = 3\n"))).toBe("a = 1\nb = 2\n");
  });

  test("ends a message at the end of input", () => {
    const reader = new MessageReader(100);
    reader.push(bytes("a = 1"));
    expect(reader.end()).toBe("a = 1");
  });

  test("takes a message byte by byte, also inside a character", () => {
    const reader = new MessageReader(100);
    const message = bytes('a = "ä→𝄞"\n\n');
    let text: string | null = null;
    for (const byte of message) text ??= reader.push(Uint8Array.of(byte));
    expect(text).toBe('a = "ä→𝄞"\n');
  });

  test("takes carriage returns at line ends", () => {
    expect(new MessageReader(100).push(bytes("a = 1\r\n\r\n"))).toBe("a = 1\r\n");
  });

  test("is not ended by empty lines before the first line", () => {
    const reader = new MessageReader(10);
    expect(reader.push(bytes("\n\r\n"))).toBeNull();
    expect(reader.end()).toBeNull();
    expect(reader.push(bytes("\na = 1\n\n"))).toBe("\n\r\n\na = 1\n");
  });

  test("refuses more than its limit, empty lines included", () => {
    const reader = new MessageReader(10);
    reader.push(bytes("a = 123456"));
    expect(() => reader.push(bytes("7"))).toThrow(FramingError);
    expect(() => new MessageReader(10).push(bytes("\n".repeat(11)))).toThrow(FramingError);
  });

  test("refuses what is not UTF-8", () => {
    expect(() => new MessageReader(10).push(Uint8Array.of(0xff, 0x3d, 10, 10))).toThrow("not UTF-8");
  });

  test("copies what it takes", () => {
    const reader = new MessageReader(100);
    const shared = bytes("a = 1\n");
    reader.push(shared);
    shared.fill(0x78);
    expect(reader.push(bytes("\n"))).toBe("a = 1\n");
  });
});

test("frame() leaves exactly one empty line, at the end", () => {
  const text = Buffer.from(frame("a = 1\n\n[t]\nb = 2\n\n\n[u]\nc = 3\n")).toString();
  expect(text).toBe("a = 1\n[t]\nb = 2\n[u]\nc = 3\n\n");
});
