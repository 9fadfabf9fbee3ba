import { describe, expect, test } from "bun:test";
import { DecodeError } from "../../src/decode/error.ts";
import { decodePerfRecords } from "../../src/decode/perf.ts";
import type { ProcessRecord } from "../../src/decode/process.ts";
import * as abi from "../../src/kernel/abi.ts";
import { Bytes } from "../support/bytes.ts";
import { attempt, refusedOf } from "./damage.ts";

function decode(bytes: Buffer, length = bytes.length): ProcessRecord[] {
  const records: ProcessRecord[] = [];
  decodePerfRecords(bytes, length, records);
  return records;
}

/** A record with the trailer that sample_id_all puts behind each. */
function perf(type: number, misc: number, body: Bytes, timeNs: number | bigint): Buffer {
  const record = new Bytes()
    .u32("type", type)
    .u16("misc", misc)
    .u16("size", 0)
    .raw("body", body.done())
    .u32("sample_id.pid", 1)
    .u32("sample_id.tid", 1)
    .u64("sample_id.time", timeNs)
    .u32("sample_id.cpu", 0)
    .u32("sample_id.res", 0);
  return record.set("size", record.length).done();
}

function task(pid: number, ppid: number, tid: number, ptid: number): Bytes {
  return new Bytes().u32("pid", pid).u32("ppid", ppid).u32("tid", tid).u32("ptid", ptid).u64("time", 99);
}

function named(pid: number, tid: number, comm: string | Uint8Array): Bytes {
  return new Bytes().u32("pid", pid).u32("tid", tid).raw("comm", comm).u8("NUL", 0).alignTo(8);
}

const FORK = perf(abi.PERF_RECORD_FORK, 0, task(20, 10, 20, 11), 1000);
const EXEC = perf(abi.PERF_RECORD_COMM, abi.PERF_RECORD_MISC_COMM_EXEC, named(20, 20, "true"), 2000);
const RENAME = perf(abi.PERF_RECORD_COMM, 0, named(20, 21, "a-thread-of-15c"), 3000);
const EXIT = perf(abi.PERF_RECORD_EXIT, 0, task(20, 10, 20, 10), 4000);
const LOST = perf(abi.PERF_RECORD_LOST, 0, new Bytes().u64("id", 5).u64("lost", 390), 5000);
const THROTTLE = perf(5, 0, new Bytes().u64("time", 1).u64("id", 2).u64("stream_id", 3), 6000);
const SAMPLES = [FORK, EXEC, RENAME, EXIT, LOST, THROTTLE];

describe("decodePerfRecords()", () => {
  test("reads fork, exec, a thread's new name, exit and loss, each with its time", () => {
    expect(FORK.length).toBe(56);
    expect(decode(Buffer.concat(SAMPLES))).toEqual([
      { kind: "fork", timeNs: 1000, pid: 20, tid: 20, parentPid: 10, parentTid: 11 },
      { kind: "comm", timeNs: 2000, pid: 20, tid: 20, comm: "true", exec: true },
      { kind: "comm", timeNs: 3000, pid: 20, tid: 21, comm: "a-thread-of-15c", exec: false },
      { kind: "exit", timeNs: 4000, pid: 20, tid: 20 },
      { kind: "lost", timeNs: 5000, count: 390 },
    ]);
  });

  test("gives a name byte by byte, as latin1", () => {
    const bytes = Buffer.from([0xff, 0x0a, 0x22, 0xc3, 0xa9, 0x7f]);
    const [record] = decode(perf(abi.PERF_RECORD_COMM, 0, named(1, 1, bytes), 1));
    expect(record).toMatchObject({ comm: bytes.toString("latin1") });
  });

  test("takes a name that fills its room without a NUL", () => {
    const body = new Bytes().u32("pid", 1).u32("tid", 1).raw("comm", "sixteen bytes it");
    expect(decode(perf(abi.PERF_RECORD_COMM, 0, body, 1))).toMatchObject([{ comm: "sixteen bytes it" }]);
  });

  test("takes an empty name", () => {
    const body = new Bytes().u32("pid", 1).u32("tid", 1);
    expect(decode(perf(abi.PERF_RECORD_COMM, 0, body, 1))).toMatchObject([{ comm: "" }]);
  });

  test("reads times beyond 32 bits", () => {
    const timeNs = 0x12_3456_789a;
    expect(decode(perf(abi.PERF_RECORD_EXIT, 0, task(1, 1, 1, 1), timeNs))).toMatchObject([{ timeNs }]);
  });

  test("gives the pid 0 and -1 of processes outside the namespace as they are", () => {
    expect(decode(perf(abi.PERF_RECORD_EXIT, 0, task(0, 0, 0xffffffff, 0), 1))).toMatchObject([
      { pid: 0, tid: -1 },
    ]);
  });

  test("passes over records of unknown type, even ones too short for the trailer", () => {
    const bare = new Bytes().u32("type", 77).u16("misc", 0).u16("size", 8).done();
    expect(decode(Buffer.concat([bare, EXIT, bare]))).toMatchObject([{ kind: "exit" }]);
  });

  test("appends to what is there", () => {
    const records: ProcessRecord[] = [];
    decodePerfRecords(FORK, FORK.length, records);
    decodePerfRecords(EXIT, EXIT.length, records);
    expect(records.map((one) => one.kind)).toEqual(["fork", "exit"]);
  });

  test("yields whole records or a DecodeError for every possible cut", () => {
    const bytes = Buffer.concat(SAMPLES);
    const ends = new Map([[0, 0]]);
    let end = 0;
    for (const [i, sample] of SAMPLES.entries()) {
      end += sample.length;
      ends.set(end, sample === THROTTLE ? i : i + 1);
    }
    for (let length = 0; length <= bytes.length; length++) {
      expect([length, attempt(() => decode(bytes, length).length)]).toEqual([
        length,
        ends.get(length) ?? null,
      ]);
    }
  });

  test("refuses every size that a record can't have, also where nothing stands behind it", () => {
    for (const sample of [FORK, EXEC, EXIT, LOST]) {
      const least = sample === EXEC ? 8 + 8 + 24 : sample === LOST ? 8 + 16 + 24 : 8 + 24 + 24;
      for (let size = 0; size < 256; size++) {
        if (size >= least && size <= sample.length) continue;
        const bytes = Buffer.from(sample);
        bytes.writeUInt16LE(size, abi.PERF_SIZE);
        expect(() => decode(bytes)).toThrow(DecodeError);
        if (size >= abi.PERF_HEADER_BYTES && size < least)
          expect(() => decode(bytes, size)).toThrow(DecodeError);
      }
    }
  });

  test("never throws anything but a DecodeError, however the bytes are damaged (seed 2)", () => {
    const refused = refusedOf(20_000, 2, Buffer.concat(SAMPLES), decode);
    expect(refused).toBeGreaterThan(1000);
    expect(refused).toBeLessThan(19_000);
  });
});
