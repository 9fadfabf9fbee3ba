import { describe, expect, test } from "bun:test";
import { Pace } from "../../src/pipeline/pace.ts";

describe("Pace", () => {
  const pace = new Pace();

  test("goes on at once while the queue wasn't read to its end", () => {
    expect(pace.next(0, false)).toBe(0);
    expect(pace.next(100_000, false)).toBe(0);
  });

  test("sleeps until something comes once a round found nothing", () => {
    expect(pace.next(0, true)).toBeNull();
  });

  test("waits a few milliseconds under load, longer the more there is, never longer than a person notices", () => {
    const delays = [1, 10, 199, 200, 100_000].map((events) => pace.next(events, true)!);
    expect(delays).toEqual([...delays].sort((a, b) => a - b));
    expect(delays[0]).toBeGreaterThanOrEqual(1);
    expect(delays.at(-1)).toBeGreaterThan(delays[0]!);
    expect(delays.at(-1)).toBeLessThanOrEqual(10);
  });
});
