import { describe, expect, test } from "bun:test";
import { LastSizes } from "../../src/pipeline/last-size.ts";

const name = (text: string) => Buffer.from(`..${text}..`);
const put = (sizes: LastSizes, place: number, text: string, size: number) =>
  sizes.set(place, name(text), 2, Buffer.byteLength(text), size);
const get = (sizes: LastSizes, place: number, text: string) =>
  sizes.get(place, name(text), 2, Buffer.byteLength(text));

describe("LastSizes", () => {
  test("tells the last size of a name in its place, and nothing of others", () => {
    const sizes = new LastSizes();
    expect(get(sizes, 1, "a")).toBe(-1);
    put(sizes, 1, "a", 10);
    put(sizes, 1, "a", 2 ** 40);
    put(sizes, 1, "empty", 0);
    expect([get(sizes, 1, "a"), get(sizes, 1, "empty")]).toEqual([2 ** 40, 0]);
    expect([get(sizes, 2, "a"), get(sizes, 1, "b"), get(sizes, 1, "aa"), get(sizes, 1, "")]).toEqual([
      -1, -1, -1, -1,
    ]);
  });

  test("forgets what has become unknown", () => {
    const sizes = new LastSizes();
    put(sizes, 1, "a", -1);
    put(sizes, 1, "a", 10);
    put(sizes, 1, "a", -1);
    expect(get(sizes, 1, "a")).toBe(-1);
  });

  test("agrees with a Map on 300,000 sizes, save that it forgets: never a wrong one", () => {
    const sizes = new LastSizes();
    const map = new Map<string, number>();
    let wrong = 0;
    let known = 0;
    for (let i = 0; i < 300_000; i++) {
      const [place, text] = [i % 97, `file-${(i * 7919) % 100_003}`];
      put(sizes, place, text, i);
      map.set(`${place} ${text}`, i);
    }
    for (const [key, size] of map) {
      const [place, text] = key.split(" ") as [string, string];
      const got = get(sizes, Number(place), text);
      if (got >= 0) known++;
      if (got >= 0 && got !== size) wrong++;
    }
    expect(wrong).toBe(0);
    // Its bound, of 300,000.
    expect(known).toBeGreaterThan(50_000);
    expect(known).toBeLessThanOrEqual(65_536);
  });
});
