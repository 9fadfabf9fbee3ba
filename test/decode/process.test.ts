import { describe, expect, test } from "bun:test";
import { byTime, commAt, type ProcessRecord, timeAt } from "../../src/decode/process.ts";
import { Bytes } from "../support/bytes.ts";

describe("byTime()", () => {
  test("puts records of several rings in one order, and leaves those of the same instant as they came", () => {
    const exit = (pid: number, timeNs: number): ProcessRecord => ({ kind: "exit", timeNs, pid, tid: pid });
    const rings = [exit(1, 10), exit(2, 30), exit(3, 30), exit(4, 20), exit(5, 30), exit(6, 5)];
    expect(rings.sort(byTime).map((one) => "pid" in one && one.pid)).toEqual([6, 1, 4, 2, 3, 5]);
  });
});

describe("commAt()", () => {
  const bytes = Buffer.from("xab\0cd");
  test("ends at the first NUL", () => expect(commAt(bytes, 1, 6)).toBe("ab"));
  test("ends where its room ends", () => expect(commAt(bytes, 4, 6)).toBe("cd"));
  test("is empty without room, and where room is negative", () => {
    expect(commAt(bytes, 1, 1)).toBe("");
    expect(commAt(bytes, 5, 1)).toBe("");
  });
});

describe("timeAt()", () => {
  test("reads 64 bits at an offset that is a multiple of 4 only", () => {
    const bytes = new Bytes().u32("before", 1).u64("time", 0x1f_ffff_ffff_ffffn).done();
    expect(timeAt(bytes, 4)).toBe(Number.MAX_SAFE_INTEGER);
  });
});
