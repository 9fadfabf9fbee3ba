import { describe, expect, test } from "bun:test";
import { DecodeError } from "../../src/decode/error.ts";
import * as fan from "../../src/decode/fan.ts";
import * as abi from "../../src/kernel/abi.ts";
import { Random } from "../query/random-logs.ts";
import { Bytes } from "../support/bytes.ts";
import {
  at,
  batchOf,
  bufferOf,
  errorRecord,
  event,
  from,
  handle,
  inode,
  itself,
  object,
  to,
} from "./fan-bytes.ts";

/** One event's row in words a person reads. */
function row(batch: fan.EventBatch, i: number) {
  const bytes = (column: number): Buffer | null => {
    const start = batch.get(i, column);
    return start < 0 ? null : Buffer.from(batch.bytes.subarray(start, start + batch.get(i, column + 1)));
  };
  return {
    mask: batch.get(i, fan.MASK) >>> 0,
    pid: batch.get(i, fan.PID),
    directory: bytes(fan.DIR_AT),
    name: bytes(fan.NAME_AT),
    object: bytes(fan.OBJECT_AT),
    newDirectory: bytes(fan.NEW_DIR_AT),
    newName: bytes(fan.NEW_NAME_AT),
    error: batch.get(i, fan.ERROR),
    errorCount: batch.get(i, fan.ERROR_COUNT),
  };
}

const ABSENT = {
  directory: null,
  name: null,
  object: null,
  newDirectory: null,
  newName: null,
  error: -1,
  errorCount: -1,
};

/** Of each kind one, lengths that put later events at offsets which are multiples of 4 and no more. */
const SAMPLES = [
  event(abi.FAN_CREATE, 1, at(inode(2), "a"), object(inode(3))),
  event(abi.FAN_OPEN | abi.FAN_ONDIR, 2, itself(inode(2))),
  event(abi.FAN_RENAME, 3, from(inode(2), "old"), to(inode(4), "a longer name"), object(inode(3))),
  event(abi.FAN_DELETE_SELF, 4, object(inode(3))),
  event(abi.FAN_FS_ERROR, 0, object(handle([], 0xff)), errorRecord(117, 3)),
  event(abi.FAN_Q_OVERFLOW, 0),
  event(
    abi.FAN_MODIFY,
    5,
    at(handle([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], 0x81), Buffer.alloc(255, 0xff)),
  ),
];

/** What the lies below are told about. */
const one = event(abi.FAN_CREATE, 1, at(inode(2), "abc"), object(inode(3)));
const nameRecord = abi.METADATA_BYTES;
const objectRecord = nameRecord + at(inode(2), "abc").length;

describe("decodeFanEvents()", () => {
  test("reads an event with directory, name and object, byte by byte", () => {
    const bytes = new Bytes()
      .u32("event_len", 24 + 32 + 28)
      .u8("vers", 3)
      .u8("reserved", 0)
      .u16("metadata_len", 24)
      .u64("mask", abi.FAN_CREATE | abi.FAN_CLOSE_WRITE)
      .s32("fd", -1)
      .s32("pid", 4711)
      // DFID_NAME
      .u8("info_type", 2)
      .u8("pad", 0)
      .u16("len", 32)
      .u32("fsid[0]", 0xdeadbeef)
      .u32("fsid[1]", 0x12345678)
      .u32("directory's handle_bytes", 8)
      .s32("handle_type", 1)
      .raw("f_handle", [2, 0, 0, 0, 9, 9, 9, 9])
      .raw("name", "ab")
      .zeros("NUL and padding", 2)
      // FID
      .u8("info_type", 1)
      .u8("pad", 0)
      .u16("len", 28)
      .u32("fsid[0]", 0xdeadbeef)
      .u32("fsid[1]", 0x12345678)
      .u32("object's handle_bytes", 8)
      .s32("handle_type", 1)
      .raw("f_handle", [3, 0, 0, 0, 8, 8, 8, 8]);
    const batch = batchOf(bytes.done());
    expect(batch.count).toBe(1);
    expect(batch.usedBytes).toBe(84);
    expect(batch.get(0, fan.MASK)).toBe(abi.FAN_CREATE | abi.FAN_CLOSE_WRITE);
    expect(batch.get(0, fan.PID)).toBe(4711);
    expect(batch.get(0, fan.FSID_LOW)).toBe(0xdeadbeef | 0);
    expect(batch.get(0, fan.FSID_HIGH)).toBe(0x12345678);
    expect(batch.get(0, fan.DIR_AT)).toBe(bytes.at("directory's handle_bytes"));
    expect(batch.get(0, fan.DIR_BYTES)).toBe(16);
    expect(batch.get(0, fan.NAME_AT)).toBe(bytes.at("name"));
    expect(batch.get(0, fan.NAME_BYTES)).toBe(2);
    expect(batch.get(0, fan.OBJECT_AT)).toBe(bytes.at("object's handle_bytes"));
    expect(batch.get(0, fan.OBJECT_BYTES)).toBe(16);
    for (const column of [fan.NEW_DIR_AT, fan.NEW_NAME_AT, fan.ERROR, fan.ERROR_COUNT]) {
      expect(batch.get(0, column)).toBe(-1);
    }
  });

  test("reads events that start at an offset which is no multiple of 8", () => {
    const first = SAMPLES[0]!;
    expect(first.length % 8).toBe(4);
    const batch = batchOf(first, event(abi.FAN_DELETE, 7, at(inode(9), "b")));
    expect(row(batch, 1)).toEqual({
      ...ABSENT,
      mask: abi.FAN_DELETE,
      pid: 7,
      directory: inode(9),
      name: Buffer.from("b"),
    });
  });

  test("reads a rename with both directories and both names", () => {
    expect(row(batchOf(...SAMPLES), 2)).toEqual({
      ...ABSENT,
      mask: abi.FAN_RENAME,
      pid: 3,
      directory: inode(2),
      name: Buffer.from("old"),
      newDirectory: inode(4),
      newName: Buffer.from("a longer name"),
      object: inode(3),
    });
  });

  test("reads a queue overflow, which carries no record", () => {
    const batch = batchOf(event(abi.FAN_Q_OVERFLOW, 0));
    expect(row(batch, 0)).toEqual({ ...ABSENT, mask: abi.FAN_Q_OVERFLOW, pid: 0 });
  });

  test("reads a filesystem error without an inode: its handle is empty", () => {
    const batch = batchOf(event(abi.FAN_FS_ERROR, 0, object(handle([], 0xff)), errorRecord(117, 3)));
    expect(row(batch, 0)).toEqual({
      ...ABSENT,
      mask: abi.FAN_FS_ERROR,
      pid: 0,
      object: handle([], 0xff),
      error: 117,
      errorCount: 3,
    });
  });

  test("passes over padding behind an empty handle", () => {
    // The kernel keeps the room of a 4-byte handle there (FANOTIFY_NULL_FH_LEN).
    const padded = new Bytes()
      .raw("record", object(handle([], 0xff)))
      .zeros("padding", 4)
      .done();
    padded.writeUInt16LE(padded.length, 2);
    const batch = batchOf(event(abi.FAN_FS_ERROR, 0, padded, errorRecord(5, 1)));
    expect(row(batch, 0).object).toEqual(handle([], 0xff));
    expect(row(batch, 0).error).toBe(5);
  });

  test("keeps names byte by byte, whatever they hold", () => {
    const names = [
      Buffer.from([0xff, 0xfe, 0x80]),
      Buffer.from("new\nline\u001b[31m"),
      Buffer.from("日本語 😀"),
      Buffer.from([1]),
      Buffer.alloc(255, 0x7f),
      Buffer.from(".."),
    ];
    const batch = batchOf(...names.map((name) => event(abi.FAN_CREATE, 1, at(inode(2), name))));
    expect(names.map((_, i) => row(batch, i).name)).toEqual(names);
  });

  test("keeps handles of any length and type", () => {
    const handles = [0, 4, 8, 12, 20, 32, 128].map((size) => handle(Array(size).fill(size), size));
    const batch = batchOf(...handles.map((one) => event(abi.FAN_CREATE, 1, at(one, "x"), object(one))));
    expect(handles.map((_, i) => row(batch, i).directory)).toEqual(handles);
    expect(handles.map((_, i) => row(batch, i).object)).toEqual(handles);
    expect(handles.map((_, i) => row(batch, i).name)).toEqual(handles.map(() => Buffer.from("x")));
  });

  test("passes over info records of unknown type, and unknown mask bits survive", () => {
    const pidfd = new Bytes().u8("info_type", 4).u8("pad", 0).u16("len", 8).s32("pidfd", -1).done();
    const unheardOf = new Bytes().u8("info_type", 250).u8("pad", 0).u16("len", 4).done();
    const mask = (abi.FAN_CREATE | 0x80000000 | 0x02000000) >>> 0;
    const batch = batchOf(event(mask, 6, unheardOf, at(inode(2), "a"), pidfd, object(inode(3)), unheardOf));
    expect(row(batch, 0)).toEqual({
      ...ABSENT,
      mask,
      pid: 6,
      directory: inode(2),
      name: Buffer.from("a"),
      object: inode(3),
    });
  });

  test("takes a directory without a name (DFID)", () => {
    const bytes = Buffer.from(object(inode(2)));
    bytes[0] = abi.INFO_TYPE_DFID;
    expect(row(batchOf(event(abi.FAN_MODIFY, 1, bytes)), 0)).toEqual({
      ...ABSENT,
      mask: abi.FAN_MODIFY,
      pid: 1,
      directory: inode(2),
    });
  });

  test("trusts metadata_len, which later kernels may enlarge", () => {
    const bytes = new Bytes()
      .u32("event_len", 32 + 28)
      .u8("vers", 3)
      .u8("reserved", 0)
      .u16("metadata_len", 32)
      .u64("mask", abi.FAN_DELETE_SELF)
      .s32("fd", -1)
      .s32("pid", 8)
      .u64("what a later kernel adds", 0)
      .raw("FID", object(inode(3)));
    expect(row(batchOf(bytes.done()), 0).object).toEqual(inode(3));
  });

  test("appends a second read behind the first", () => {
    const first = SAMPLES[0]!;
    const second = SAMPLES[2]!;
    const batch = bufferOf(Buffer.concat([first, second]));
    fan.decodeFanEvents(batch, 0, first.length);
    expect(batch.usedBytes).toBe(first.length);
    fan.decodeFanEvents(batch, first.length, first.length + second.length);
    expect(batch.count).toBe(2);
    expect(row(batch, 0).name).toEqual(Buffer.from("a"));
    expect(row(batch, 1).newName).toEqual(Buffer.from("a longer name"));
  });

  test("has room for any number of events, and clear() forgets them", () => {
    const events = Array.from({ length: 5000 }, (_, i) => event(abi.FAN_OPEN, i, at(inode(i), `n${i}`)));
    const batch = batchOf(...events);
    expect(batch.count).toBe(5000);
    for (const i of [0, 1023, 1024, 2047, 2048, 4999]) {
      expect(row(batch, i)).toEqual({
        ...ABSENT,
        mask: abi.FAN_OPEN,
        pid: i,
        directory: inode(i),
        name: Buffer.from(`n${i}`),
      });
    }
    batch.clear();
    expect([batch.count, batch.usedBytes]).toEqual([0, 0]);
    batch.addRow();
    expect(batch.get(0, fan.NAME_AT)).toBe(-1);
  });

  test("says where each event stands, for a copy of it that decodes to the same", () => {
    const batch = batchOf(...SAMPLES);
    for (const [i, sample] of SAMPLES.entries()) {
      expect(sample.equals(batch.copyEvent(i))).toBe(true);
      expect(row(batchOf(batch.copyEvent(i)), 0)).toEqual(row(batch, i));
    }
  });

  test("yields whole events or a DecodeError for every possible cut", () => {
    const bytes = Buffer.concat(SAMPLES);
    const ends = [0];
    for (const sample of SAMPLES) ends.push(ends.at(-1)! + sample.length);
    for (let length = 0; length <= bytes.length; length++) {
      const batch = bufferOf(bytes.subarray(0, length));
      const whole = ends.indexOf(length);
      if (whole < 0) {
        expect(() => fan.decodeFanEvents(batch, 0, length)).toThrow(DecodeError);
      } else {
        fan.decodeFanEvents(batch, 0, length);
        expect(batch.count).toBe(whole);
      }
    }
  });

  describe("stops with a DecodeError at", () => {
    const lies: [claim: string, offset: number, bytes: 2 | 4, value: number][] = [
      ["an event length of 0", 0, 4, 0],
      ["an event length below its header", 0, 4, 20],
      ["an event length past the end", 0, 4, one.length + 4],
      ["an event length of 4 GB", 0, 4, 0xfffffffc],
      ["an event length that isn't aligned", 0, 4, one.length - 1],
      ["an event that ends inside a record", 0, 4, one.length - 4],
      ["a metadata length of 0", 6, 2, 0],
      ["a metadata length below the header", 6, 2, 20],
      ["a metadata length past the event", 6, 2, 0xfffc],
      ["a metadata length that isn't aligned", 6, 2, 25],
      ["a record length of 0", nameRecord + 2, 2, 0],
      ["a record length below its header", nameRecord + 2, 2, 3],
      ["a record length past the event", nameRecord + 2, 2, 0xfffc],
      ["a record length that isn't aligned", nameRecord + 2, 2, 30],
      ["a record too short for a handle", nameRecord + 2, 2, 16],
      ["an object record too short for a handle", objectRecord + 2, 2, 16],
      ["a handle one byte longer than its record", objectRecord + abi.INFO_HANDLE, 4, 9],
      ["a handle of 4 GB", objectRecord + abi.INFO_HANDLE, 4, 0xffffffff],
      ["a handle that leaves no room for the name's NUL", nameRecord + abi.INFO_HANDLE, 4, 12],
    ];
    for (const [claim, offset, width, value] of lies) {
      test(claim, () => {
        const bytes = Buffer.from(one);
        bytes.writeUIntLE(value, offset, width);
        const batch = bufferOf(bytes);
        expect(() => fan.decodeFanEvents(batch, 0, bytes.length)).toThrow(DecodeError);
      });
    }

    test("a name without its NUL", () => {
      const bytes = Buffer.from(one);
      bytes.fill(0x61, nameRecord + abi.INFO_HANDLE + 16, objectRecord);
      expect(() => fan.decodeFanEvents(bufferOf(bytes), 0, bytes.length)).toThrow(DecodeError);
    });

    test("an error record too short for its numbers", () => {
      const short = new Bytes().u8("info_type", 5).u8("pad", 0).u16("len", 8).s32("error", 5).done();
      const bytes = event(abi.FAN_FS_ERROR, 0, short, short);
      expect(() => fan.decodeFanEvents(bufferOf(bytes), 0, bytes.length)).toThrow(DecodeError);
    });
  });

  test("says where the record that lies stands, what it claims and what is there", () => {
    const bytes = Buffer.concat([one, one]);
    bytes.writeUInt16LE(0xfff0, one.length + objectRecord + 2);
    try {
      fan.decodeFanEvents(bufferOf(bytes), 0, bytes.length);
      throw new Error("nothing was thrown");
    } catch (error) {
      expect(error).toBeInstanceOf(DecodeError);
      expect((error as DecodeError).offset).toBe(one.length + objectRecord);
      expect((error as DecodeError).message).toContain(`claims ${0xfff0} bytes, 28 are there`);
    }
  });

  test("never throws anything else and never points out of the bytes, however they are damaged (seed 1)", () => {
    const random = new Random(1);
    const whole = Buffer.concat(SAMPLES);
    let errors = 0;
    for (let round = 0; round < 20_000; round++) {
      const bytes = Buffer.from(
        whole.subarray(0, random.chance(0.2) ? random.below(whole.length + 1) : whole.length),
      );
      for (let damage = random.below(4); damage >= 0 && bytes.length > 0; damage--) {
        bytes[random.below(bytes.length)] = random.pick([0, 1, 4, 0x7f, 0xff, random.below(256)]);
      }
      const batch = bufferOf(bytes);
      try {
        fan.decodeFanEvents(batch, 0, bytes.length);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        errors++;
        continue;
      }
      for (let i = 0; i < batch.count; i++) {
        for (const column of [fan.DIR_AT, fan.NAME_AT, fan.OBJECT_AT, fan.NEW_DIR_AT, fan.NEW_NAME_AT]) {
          const start = batch.get(i, column);
          if (start < 0) continue;
          expect(start).toBeGreaterThanOrEqual(abi.METADATA_BYTES);
          expect(start + batch.get(i, column + 1)).toBeLessThanOrEqual(bytes.length);
        }
      }
    }
    // Both outcomes were met often, or the loop proves nothing.
    expect(errors).toBeGreaterThan(1000);
    expect(errors).toBeLessThan(19_000);
  });
});
