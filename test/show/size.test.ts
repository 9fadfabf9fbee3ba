import { expect, test } from "bun:test";
import { formatCount, formatNumberOf, formatSize } from "../../src/show/size.ts";

test("formatSize() shows at most three digits that matter and never four before the point", () => {
  const shown: [number, string][] = [
    [0, "0B"],
    [999, "999B"],
    [1000, "0.98KB"],
    [1536, "1.5KB"],
    [1_234_567, "1.18MB"],
    [64 * 2 ** 20, "64MB"],
    [1023.9 * 2 ** 20, "1GB"],
    [12.34 * 2 ** 30, "12.3GB"],
    [3 * 2 ** 50, "3072TB"],
  ];
  for (const [sizeBytes, text] of shown) expect(formatSize(sizeBytes)).toBe(text);
});

test("counts have commas between thousands, and their noun its number", () => {
  expect([0, 999, 1000, 1_234_567].map(formatCount)).toEqual(["0", "999", "1,000", "1,234,567"]);
  expect(formatNumberOf(1, "event")).toBe("1 event");
  expect(formatNumberOf(2500, "event")).toBe("2,500 events");
  expect(formatNumberOf(0, "directory", "directories")).toBe("0 directories");
});
