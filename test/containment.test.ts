import { describe, expect, test } from "bun:test";
import { isAtOrBelow } from "../src/containment.ts";

describe("isAtOrBelow()", () => {
  test("compares components, not prefixes", () => {
    expect(isAtOrBelow("/tmp/a", "/tmp/a")).toBe(true);
    expect(isAtOrBelow("/tmp/a/b", "/tmp/a")).toBe(true);
    expect(isAtOrBelow("/tmp/ab", "/tmp/a")).toBe(false);
    expect(isAtOrBelow("/tmp", "/tmp/a")).toBe(false);
    expect(isAtOrBelow("/tmp/A", "/tmp/a")).toBe(false);
  });

  test("has everything below the root", () => {
    expect(isAtOrBelow("/", "/")).toBe(true);
    expect(isAtOrBelow("/a", "/")).toBe(true);
    expect(isAtOrBelow("/", "/a")).toBe(false);
  });
});
