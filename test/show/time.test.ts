import { describe, expect, test } from "bun:test";
import { formatAge, formatDuration, formatMoment, formatTimeOfDay } from "../../src/show/time.ts";

const S = 1000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;

test("formatDuration() shows the two units that matter, and never one that is full", () => {
  const shown: [number, string][] = [
    [-5, "0ms"],
    [0, "0ms"],
    [999.4, "999ms"],
    [999.6, "1s"],
    [4850, "4.8s"],
    [9949, "9.9s"],
    [9951, "10s"],
    [59_499, "59s"],
    [59_501, "1m"],
    [12 * M + 5 * S, "12m 5s"],
    [H - 400, "1h"],
    [5 * H + 12 * M, "5h 12m"],
    [D - 20 * S, "1d"],
    [12 * D + 5 * H, "12d 5h"],
    [412 * D, "412d"],
  ];
  for (const [durationMs, text] of shown) expect(formatDuration(durationMs)).toBe(text);
});

test("formatAge() names one unit, and the future now", () => {
  const ages: [number, string][] = [
    [-D, "now"],
    [999, "now"],
    [59_999, "59s ago"],
    [M, "1m ago"],
    [H, "1h ago"],
    [3 * D, "3d ago"],
    [3 * 365 * D, "3y ago"],
  ];
  for (const [ageMs, text] of ages) expect(formatAge(1e12 - ageMs, 1e12)).toBe(text);
});

describe("moments are local", () => {
  for (const [zone, text] of [
    ["Europe/Berlin", "2026-05-07 12:00:01"],
    ["Asia/Kolkata", "2026-05-07 15:30:01"],
    ["America/New_York", "2026-05-07 06:00:01"],
  ] as const) {
    test(zone, () => {
      const before = process.env.TZ;
      process.env.TZ = zone;
      try {
        const timeMs = Date.parse("2026-05-07T10:00:01.042Z");
        expect(formatMoment(timeMs)).toBe(text);
        expect(formatTimeOfDay(timeMs, true)).toBe(`${text.slice(11)}.042`);
      } finally {
        if (before === undefined) delete process.env.TZ;
        else process.env.TZ = before;
      }
    });
  }
});
