import { describe, expect, test } from "bun:test";
import { UsageFailure } from "../../src/failure.ts";
import { formatSizeExactly, parseDays, parseSize, parseTime } from "../../src/filter/units.ts";

function refusal(work: () => unknown): UsageFailure {
  try {
    work();
  } catch (error) {
    if (error instanceof UsageFailure) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("parseSize()", () => {
  const accepted: [string, number][] = [
    ["0", 0],
    ["1024", 1024],
    ["12B", 12],
    ["500K", 512_000],
    ["500KB", 512_000],
    ["500kb", 512_000],
    ["500 KB", 512_000],
    ["1MB", 1_048_576],
    ["1.5GB", 1_610_612_736],
    [".5K", 512],
    ["1GiB", 1_073_741_824],
    ["1gib", 1_073_741_824],
    ["2T", 2_199_023_255_552],
    ["0.3K", 307],
    [" 7M ", 7_340_032],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ];
  for (const [text, sizeBytes] of accepted) {
    test(`takes "${text}" for ${sizeBytes} bytes`, () => expect(parseSize(text)).toBe(sizeBytes));
  }

  const refused = "|-1|-5MB|+5|abc|1X|1KBB|KB|1.5|1.5B|1.|1e3|0x10|1,5G|1_000|5iB|1 0|NaN|Infinity".split(
    "|",
  );
  for (const text of [...refused, "9007199254740992", "9000000T", "9".repeat(400), "1MB\n2"]) {
    test(`refuses ${JSON.stringify(text.slice(0, 20))} and quotes it`, () => {
      const failure = refusal(() => parseSize(text));
      expect(failure.message).toContain(`"${text}"`);
      expect(failure.hint).toContain("1.5GB");
    });
  }
});

test("formatSizeExactly() is read back by parseSize() without a loss", () => {
  expect([1024, 1536, 1001, 0, 2 ** 30].map(formatSizeExactly)).toEqual(["1KB", "1.5KB", "1001", "0", "1GB"]);
  for (let sizeBytes = 0; sizeBytes < 200_000; sizeBytes += 37) {
    expect(parseSize(formatSizeExactly(sizeBytes))).toBe(sizeBytes);
  }
});

describe("parseTime()", () => {
  const nowMs = Date.UTC(2026, 4, 7, 10, 0, 1, 482);
  const accepted: [string, number][] = [
    ["now", nowMs],
    ["45s", nowMs - 45_000],
    ["30m", nowMs - 1_800_000],
    ["1h", nowMs - 3_600_000],
    ["1h ago", nowMs - 3_600_000],
    ["1.5h", nowMs - 5_400_000],
    ["7d", nowMs - 604_800_000],
    ["2w", nowMs - 1_209_600_000],
    ["0s", nowMs],
    ["2026-05-01T00:00:00Z", Date.UTC(2026, 4, 1)],
    ["2026-05-01t00:00:00z", Date.UTC(2026, 4, 1)],
    ["2026-05-01 00:00:00Z", Date.UTC(2026, 4, 1)],
    ["2026-05-01T02:00:00+02:00", Date.UTC(2026, 4, 1)],
    ["2026-04-30T19:30:00-04:30", Date.UTC(2026, 4, 1)],
    ["2026-05-01T00:00:00.48250Z", Date.UTC(2026, 4, 1, 0, 0, 0, 482) + 0.5],
    ["2026-05-01T00:00:00.482000Z", Date.UTC(2026, 4, 1, 0, 0, 0, 482)],
    ["2026-05-01T00:00:00.5Z", Date.UTC(2026, 4, 1, 0, 0, 0, 500)],
    ["2026-05-07T10:00:01.482+00:00", nowMs],
    ["2016-12-31T23:59:60Z", Date.UTC(2017, 0, 1)],
    ["2017-01-01T00:59:60+01:00", Date.UTC(2017, 0, 1)],
    ["2024-02-29T00:00:00Z", Date.UTC(2024, 1, 29)],
    ["2026-05-01", new Date(2026, 4, 1).getTime()],
    ["2026-05-01 10:00", new Date(2026, 4, 1, 10).getTime()],
    ["2026-05-01 10:00:30", new Date(2026, 4, 1, 10, 0, 30).getTime()],
    ["2026-05-01T10:00:30", new Date(2026, 4, 1, 10, 0, 30).getTime()],
    ["0099-01-01T00:00:00Z", Date.parse("0099-01-01T00:00:00Z")],
    [" now ", nowMs],
  ];
  for (const [text, timeMs] of accepted) {
    test(`reads "${text}"`, () => expect(parseTime(text, nowMs)).toBe(timeMs));
  }

  const refused = [
    ..."|yesterday|1|1x|1 day|-1h|+1h|1H|h|2026|2026-5-1|2026-05|05/01/2026|2026-13-01|2026-00-01".split("|"),
    ..."2026-02-30|2026-02-29|2100-02-29|2026-04-31|2026-05-00|2026-05-01 24:00|2026-05-01 10:60".split("|"),
    ..."2026-05-01 10|2026-05-01T10:00:61Z|2026-05-01T10:00:60Z|2026-05-01T10:00:00+24:00".split("|"),
    ..."2026-05-01T10:00:00+0200|2026-05-01T10:00:00+02:60|2026-05-01T10:00:00.Z|2026-05-01Z".split("|"),
    ..."12026-05-01T00:00:00Z|99999999999w|1e3s|NaN|2026-05-01T10:00:00ZZ".split("|"),
  ];
  for (const text of refused) {
    test(`refuses "${text}" and quotes it`, () => {
      const failure = refusal(() => parseTime(text, nowMs));
      expect(failure.message).toContain(`"${text}"`);
      expect(failure.hint).toContain("2026-05-01T00:00:00Z");
    });
  }

  test("reads local times by the rules of the zone, summer time included", () => {
    const script = `import { parseTime } from "${import.meta.dir}/../../src/filter/units.ts";
      process.stdout.write(JSON.stringify(["2026-01-15", "2026-07-15 10:00", "1970-01-01"].map((t) => parseTime(t, 0))));`;
    const run = Bun.spawnSync([process.execPath, "-e", script], { env: { TZ: "Europe/Berlin" } });
    expect(JSON.parse(run.stdout.toString())).toEqual([
      Date.UTC(2026, 0, 14, 23),
      Date.UTC(2026, 6, 15, 8),
      -3_600_000,
    ]);
  });
});

test("parseDays() takes whole days from 0 on and quotes what it refuses", () => {
  expect(["0", "30", " 7 ", "1000000"].map(parseDays)).toEqual([0, 30, 7, 1_000_000]);
  for (const text of ["", "-1", "1.5", "30d", "abc", "1000001", "1e3", "9".repeat(30)]) {
    expect(refusal(() => parseDays(text)).message).toContain(`"${text}"`);
  }
});
