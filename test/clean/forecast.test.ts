import { describe, expect, test } from "bun:test";
import { diskFullMs, forecast } from "../../src/clean/forecast.ts";
import type { SurveyedFile, SurveyedLog } from "../../src/clean/survey.ts";

const DAY_MS = 86_400_000;
const NOW = 1_800_000_000_000;
const MB = 2 ** 20;

function log(...files: { ageDays: number | null; mb: number }[]): SurveyedLog {
  return {
    hash: "0123456789abcdef",
    managedPath: "/srv",
    problems: [],
    files: files.map(({ ageDays, mb }, i): SurveyedFile => {
      const firstMs = ageDays === null ? null : NOW - ageDays * DAY_MS;
      const number = i === files.length - 1 ? null : i + 1;
      const file = {
        name: "n",
        path: "/n",
        number,
        packing: null,
        twinPaths: [],
        sizeBytes: mb * MB,
        dev: 1,
        ino: i,
      };
      return { ...file, firstMs, lastMs: firstMs, mtimeMs: NOW };
    }),
  };
}

describe("forecast()", () => {
  test("a log that grows slowly meets keep_days, and never max_size", () => {
    const seen = forecast(log({ ageDays: 2, mb: 10 }), { keepDays: 30, maxSizeBytes: 1024 * MB }, NOW);
    expect(seen).toEqual({
      sizeBytes: 10 * MB,
      firstMs: NOW - 2 * DAY_MS,
      bytesPerDay: 5 * MB,
      keepDaysFromMs: NOW + 28 * DAY_MS,
      maxSizeFromMs: null,
      growthBytes: 140 * MB,
    });
  });

  test("one that grows fast meets max_size, and never keep_days", () => {
    const seen = forecast(log({ ageDays: 2, mb: 200 }), { keepDays: 30, maxSizeBytes: 1000 * MB }, NOW);
    expect(seen).toMatchObject({
      keepDaysFromMs: null,
      maxSizeFromMs: NOW + 8 * DAY_MS,
      growthBytes: 800 * MB,
    });
  });

  test("what grew during the last day counts, not the quiet month before", () => {
    const slowThenFast = log({ ageDays: 30, mb: 1 }, { ageDays: 1.5, mb: 90 }, { ageDays: 0.5, mb: 60 });
    const seen = forecast(slowThenFast, { keepDays: 60, maxSizeBytes: 1024 * MB }, NOW);
    expect(seen.bytesPerDay).toBe(100 * MB);
  });

  test("a young log, an empty one and one without times tell no growth", () => {
    const limits = { keepDays: 30, maxSizeBytes: MB };
    const young = forecast(log({ ageDays: 0.001, mb: 1 }), limits, NOW);
    expect(young).toMatchObject({ bytesPerDay: null, maxSizeFromMs: null });
    expect(young.keepDaysFromMs).toBe(NOW + 29.999 * DAY_MS);
    expect(forecast(log({ ageDays: null, mb: 1 }), limits, NOW)).toMatchObject({
      firstMs: null,
      keepDaysFromMs: null,
    });
    expect(forecast(log(), limits, NOW)).toMatchObject({ sizeBytes: 0, firstMs: null, bytesPerDay: null });
  });
});

describe("diskFullMs()", () => {
  const fast = forecast(log({ ageDays: 1, mb: 100 }), { keepDays: 365, maxSizeBytes: 10_000 * MB }, NOW);

  test("tells when the growth of all logs has used up what is free", () => {
    expect(diskFullMs([fast, fast], 1000 * MB, null, NOW)).toBe(NOW + 5 * DAY_MS);
  });

  test("is null where the limits are met first", () => {
    expect(diskFullMs([fast], 20_000 * MB, null, NOW)).toBe(null);
    expect(diskFullMs([fast], 1000 * MB, 500 * MB, NOW)).toBe(null);
    expect(diskFullMs([], 0, null, NOW)).toBe(null);
  });
});
