import { expect, test } from "bun:test";
import { groupLogNames, liveName, logHash, parseLogName, segmentName } from "../../src/log/names.ts";

test("logHash() is the first 16 hex digits of the path's SHA-256", () => {
  // printf %s /var/www/myapp | sha256sum
  expect(logHash("/var/www/myapp")).toBe("c86b5b97ae0adc49");
  expect(logHash("/ü")).toBe(
    new Bun.CryptoHasher("sha256").update(Buffer.from("/ü")).digest("hex").slice(0, 16),
  );
});

test("segment names sort before the live name, so that cat *_log.jsonl is in order", () => {
  const hash = logHash("/a");
  const names = [liveName(hash), segmentName(hash, 10), segmentName(hash, 2), segmentName(hash, 1)];
  expect(names.toSorted()).toEqual([
    segmentName(hash, 1),
    segmentName(hash, 2),
    segmentName(hash, 10),
    liveName(hash),
  ]);
});

test("groupLogNames() orders segments by number beyond six digits and puts the live file last", () => {
  const hash = logHash("/a");
  const names = [
    liveName(hash),
    segmentName(hash, 1_000_000),
    segmentName(hash, 999_999),
    segmentName(hash, 3),
  ];
  const numbers = groupLogNames(names)
    .get(hash)
    ?.segments.map((segment) => segment.number);
  expect(numbers).toEqual([3, 999_999, 1_000_000, null]);
});

test("groupLogNames() takes the plain file where a packed one of the same number stands beside it", () => {
  const hash = logHash("/a");
  const names = [`${segmentName(hash, 1)}.zst`, segmentName(hash, 1), `${segmentName(hash, 2)}.gz`];
  expect(
    groupLogNames(names)
      .get(hash)
      ?.segments.map((segment) => segment.name),
  ).toEqual([segmentName(hash, 1), `${segmentName(hash, 2)}.gz`]);
});

test("parseLogName() refuses what no daemon writes", () => {
  const hash = logHash("/a");
  for (const name of [
    "daemon.lock",
    `${hash}_log.jsonl.1`,
    `${hash}_log.jsonl.gz`,
    `${hash}.1_log.jsonl`,
    `.${hash}_log.jsonl.clean`,
    `${hash.toUpperCase()}_log.jsonl`,
    `${hash}.000001_log.jsonl.xz`,
  ]) {
    expect(parseLogName(name)).toBeNull();
  }
});
