import { describe, expect, test } from "bun:test";
import { columnsOf, fitBeginning, fitEnd, padLeft, padRight } from "../../src/show/width.ts";

describe("text fits its columns", () => {
  const texts = [
    "",
    "a",
    "short",
    "/srv/a/long/path/name.txt",
    "日本語の名前.txt",
    "e\u0301te\u0301 e\u0301te\u0301",
    "👩🏽👩🏽👩🏽",
  ];
  for (const text of texts) {
    test(JSON.stringify(text), () => {
      for (let columns = 0; columns < 30; columns++) {
        for (const fitted of [fitEnd(text, columns), fitBeginning(text, columns)]) {
          expect(columnsOf(fitted)).toBeLessThanOrEqual(columns);
          if (columnsOf(text) <= columns) expect(fitted).toBe(text);
        }
        expect(columnsOf(padRight(fitEnd(text, columns), columns))).toBe(columns);
        expect(columnsOf(padLeft(fitEnd(text, columns), columns))).toBe(columns);
      }
    });
  }

  test("the end of a path is kept, the beginning of a word", () => {
    expect(fitEnd("/srv/a/long/path/name.txt", 10)).toBe("…/name.txt");
    expect(fitEnd("日本語.txt", 7)).toBe("…語.txt");
    expect(fitBeginning("kworker/u8:3", 8)).toBe("kworker…");
    expect(fitBeginning("日本語", 4)).toBe("日…");
  });
});
