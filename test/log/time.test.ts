import { expect, test } from "bun:test";
import { formatTime, lineTimeBytes, parseTime, parseTimeBytes } from "../../src/log/time.ts";

const bytesOf = (text: string) => Buffer.from(text);

test("formatTime() writes UTC with three digits and +00:00", () => {
  expect(formatTime(Date.UTC(2026, 4, 7, 10, 0, 1, 482))).toBe("2026-05-07T10:00:01.482+00:00");
  expect(formatTime(0)).toBe("1970-01-01T00:00:00.000+00:00");
});

test("parseTimeBytes() reads what formatTime() writes, at leap days and year ends too", () => {
  for (const timeMs of [
    0,
    Date.UTC(2024, 1, 29, 23, 59, 59, 999),
    Date.UTC(2025, 11, 31, 23, 59, 59, 999),
    Date.UTC(2026, 0, 1),
    Date.UTC(9999, 11, 31),
    -1,
  ]) {
    expect(parseTimeBytes(bytesOf(`xx${formatTime(timeMs)}`), 2)).toBe(timeMs);
  }
});

test("parseTimeBytes() refuses every other form, and times that don't exist", () => {
  const good = "2026-05-07T10:00:01.482+00:00";
  const bad = [
    "2026-02-30T10:00:01.482+00:00",
    "2025-02-29T10:00:01.482+00:00",
    "2026-13-07T10:00:01.482+00:00",
    "2026-00-07T10:00:01.482+00:00",
    "2026-05-00T10:00:01.482+00:00",
    "2026-05-07T24:00:01.482+00:00",
    "2026-05-07T10:60:01.482+00:00",
    "2026-05-07T10:00:60.482+00:00",
    "2026-05-07T10:00:01.482+01:00",
    "2026-05-07T10:00:01.48Z",
    "2026-05-07 10:00:01.482+00:00",
    good.slice(0, -1),
  ];
  for (const text of bad) expect(parseTimeBytes(bytesOf(text), 0)).toBeNaN();
  for (let i = 0; i < good.length; i++) {
    expect(parseTimeBytes(bytesOf(`${good.slice(0, i)}x${good.slice(i + 1)}`), 0)).toBeNaN();
  }
});

test("parseTime() reads all of RFC 3339 and nothing else", () => {
  expect(parseTime("2026-05-07T10:00:01Z")).toBe(Date.UTC(2026, 4, 7, 10, 0, 1));
  expect(parseTime("2026-05-07t12:00:01.48250+02:00")).toBe(Date.UTC(2026, 4, 7, 10, 0, 1, 482) + 0.5);
  for (const text of ["", "yesterday", "2026-05-07", "2026-05-07T10:00:01", "1778148001482"]) {
    expect(parseTime(text)).toBeNaN();
  }
});

test("lineTimeBytes() is NaN for lines that don't begin as ours do", () => {
  const time = "2026-05-07T10:00:01.482+00:00";
  expect(lineTimeBytes(bytesOf(`{"time":"${time}","x":1}`), 0)).toBe(Date.UTC(2026, 4, 7, 10, 0, 1, 482));
  for (const line of [`{"time": "${time}"}`, `{"a":1,"time":"${time}"}`, "", "{"]) {
    expect(lineTimeBytes(bytesOf(line), 0)).toBeNaN();
  }
});
