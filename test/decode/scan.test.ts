import { describe, expect, test } from "bun:test";
import { DecodeError } from "../../src/decode/error.ts";
import { decodeScan, ScanEntry } from "../../src/decode/scan.ts";
import { Bytes } from "../support/bytes.ts";
import { attempt, refusedOf } from "./damage.ts";
import { handle, inode } from "./fan-bytes.ts";

interface Found {
  handle: Buffer;
  name: Buffer;
  mounted: boolean;
  times?: number[];
  regular?: boolean;
}

function decode(bytes: Buffer, length = bytes.length): Found[] {
  const found: Found[] = [];
  const one = new ScanEntry();
  decodeScan(bytes, length, one, () => {
    const { handleAt, handleBytes, nameAt, nameBytes, mounted, regular } = one;
    const times = [one.bornMs, one.writtenMs, one.changedMs, one.sizeBytes];
    found.push({
      handle: Buffer.from(bytes.subarray(handleAt, handleAt + handleBytes)),
      name: Buffer.from(bytes.subarray(nameAt, nameAt + nameBytes)),
      mounted,
      ...(one.timed ? { times, regular } : {}),
    });
  });
  return found;
}

function entry(fileHandle: Uint8Array, name: string | Uint8Array, flags = 0, times: number[] = []): Buffer {
  const bytes = new Bytes()
    .u32("record_len", 0)
    .u32("flags", flags)
    .raw("times", new Uint8Array(Float64Array.from(times).buffer))
    .raw("handle", fileHandle)
    .raw("name", name)
    .u8("NUL", 0)
    .alignTo(4);
  return bytes.set("record_len", bytes.length).done();
}

const SAMPLES = [
  entry(inode(12), "a"),
  entry(inode(13), "mounted", 1),
  entry(handle(Array(32).fill(7), 0x4d), Buffer.alloc(255, 0xff)),
];

describe("decodeScan()", () => {
  test("reads handle, name and whether another filesystem is mounted there", () => {
    expect(decode(Buffer.concat(SAMPLES))).toEqual([
      { handle: inode(12), name: Buffer.from("a"), mounted: false },
      { handle: inode(13), name: Buffer.from("mounted"), mounted: true },
      { handle: handle(Array(32).fill(7), 0x4d), name: Buffer.alloc(255, 0xff), mounted: false },
    ]);
  });

  test("reads times and size where a record has them", () => {
    const times = [1.5e12, 1.6e12, 1.7e12, 4711];
    const none = Buffer.alloc(8);
    const timed = [entry(inode(12), "d", 4, times), entry(none, "f", 4 | 2 | 8, times), SAMPLES[0]!];
    expect(decode(Buffer.concat(timed))).toEqual([
      { handle: inode(12), name: Buffer.from("d"), mounted: false, times, regular: false },
      { handle: none, name: Buffer.from("f"), mounted: false, times, regular: true },
      { handle: inode(12), name: Buffer.from("a"), mounted: false },
    ]);
  });

  test("finds nothing in nothing", () => {
    expect(decode(Buffer.alloc(0))).toEqual([]);
  });

  test("yields whole records or a DecodeError for every possible cut", () => {
    const bytes = Buffer.concat(SAMPLES);
    const ends = new Map([[0, 0]]);
    let end = 0;
    for (const [i, sample] of SAMPLES.entries()) {
      end += sample.length;
      ends.set(end, i + 1);
    }
    for (let length = 0; length <= bytes.length; length++) {
      expect([length, attempt(() => decode(bytes, length).length)]).toEqual([
        length,
        ends.get(length) ?? null,
      ]);
    }
  });

  test("refuses every record length that cuts the name, and every one past the end", () => {
    const sample = SAMPLES[1]!;
    const least = 8 + inode(13).length + "mounted".length + 1;
    for (const length of [...Array(200).keys(), 0x7fffffff, 0x80000000, 0xffffffff]) {
      if (length >= least && length <= sample.length) continue;
      const bytes = Buffer.from(sample);
      bytes.writeUInt32LE(length, 0);
      expect(() => decode(bytes)).toThrow(DecodeError);
    }
  });

  test("refuses a handle that leaves no room for a name", () => {
    for (const handleBytes of [16, 17, 100, 0x7fffffff, 0xfffffff8, 0xffffffff]) {
      const bytes = Buffer.from(SAMPLES[0]!);
      bytes.writeUInt32LE(handleBytes, 8);
      expect(() => decode(bytes)).toThrow(DecodeError);
    }
  });

  test("refuses a name whose NUL stands in the next record", () => {
    const bytes = Buffer.concat(SAMPLES);
    bytes.fill(0x61, 24, SAMPLES[0]!.length);
    expect(() => decode(bytes)).toThrow(DecodeError);
  });

  test("never throws anything else and never points out of the bytes, however they are damaged (seed 4)", () => {
    const refused = refusedOf(20_000, 4, Buffer.concat(SAMPLES), (bytes, length) => {
      const one = new ScanEntry();
      decodeScan(bytes, length, one, () => {
        const { handleAt, handleBytes, nameAt, nameBytes } = one;
        if (handleAt + handleBytes > nameAt || nameAt + nameBytes >= length) throw new Error("out of bounds");
      });
    });
    expect(refused).toBeGreaterThan(1000);
    expect(refused).toBeLessThan(19_000);
  });
});
