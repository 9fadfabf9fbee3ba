import { describe, expect, test } from "bun:test";
import { DecodeError } from "../../src/decode/error.ts";
import { decodeProcMessages } from "../../src/decode/proc.ts";
import type { ProcessRecord } from "../../src/decode/process.ts";
import * as abi from "../../src/kernel/abi.ts";
import { Bytes } from "../support/bytes.ts";
import { attempt, refusedOf } from "./damage.ts";

function decode(bytes: Buffer, length = bytes.length): ProcessRecord[] {
  const records: ProcessRecord[] = [];
  decodeProcMessages(bytes, length, -1, records);
  return records;
}

/** One datagram: nlmsghdr, cn_msg, proc_event. The kernel always sends all 24 bytes of event_data. */
function message(what: number, timeNs: number | bigint, data: Bytes, type = abi.NLMSG_DONE): Buffer {
  const bytes = new Bytes()
    .u32("nlmsg_len", 0)
    .u16("nlmsg_type", type)
    .u16("nlmsg_flags", 0)
    .u32("nlmsg_seq", 0)
    .u32("nlmsg_pid", 0)
    .u32("id.idx", 1)
    .u32("id.val", 1)
    .u32("seq", 7)
    .u32("ack", 0)
    .u16("len", 40)
    .u16("flags", 0)
    .u32("what", what)
    .u32("cpu", 1)
    .u64("timestamp_ns", timeNs)
    .raw("event_data", data.done())
    .zeros("rest of event_data", 24 - data.length);
  return bytes.set("nlmsg_len", bytes.length).done();
}

const FORK = message(
  abi.PROC_EVENT_FORK,
  1000,
  new Bytes().u32("parent_pid", 11).u32("parent_tgid", 10).u32("child_pid", 20).u32("child_tgid", 20),
);
const EXEC = message(abi.PROC_EVENT_EXEC, 2000, new Bytes().u32("process_pid", 20).u32("process_tgid", 20));
const UID = message(
  abi.PROC_EVENT_UID,
  3000,
  new Bytes().u32("process_pid", 21).u32("process_tgid", 20).u32("ruid", 1000).u32("euid", 0xfffffffe),
);
const COMM = message(
  abi.PROC_EVENT_COMM,
  4000,
  new Bytes().u32("process_pid", 21).u32("process_tgid", 20).raw("comm", "worker").zeros("NULs", 10),
);
const EXIT = message(
  abi.PROC_EVENT_EXIT,
  5000,
  new Bytes().u32("process_pid", 21).u32("process_tgid", 20).u32("exit_code", 0).u32("exit_signal", 17),
);
const ACK = message(0, 0, new Bytes().u32("err", 0));
const SID = message(0x80, 6000, new Bytes().u32("process_pid", 20).u32("process_tgid", 20));
const SAMPLES = [FORK, EXEC, UID, COMM, EXIT, ACK, SID];

describe("decodeProcMessages()", () => {
  test("reads fork, exec, change of user, rename and exit; the thread is pid there, the process tgid", () => {
    expect(FORK.length).toBe(76);
    expect(decode(Buffer.concat(SAMPLES))).toEqual([
      { kind: "fork", timeNs: 1000, pid: 20, tid: 20, parentPid: 10, parentTid: 11 },
      { kind: "exec", timeNs: 2000, pid: 20 },
      { kind: "uid", timeNs: 3000, pid: 20, tid: 21, uid: 1000, euid: 0xfffffffe },
      { kind: "comm", timeNs: 4000, pid: 20, tid: 21, comm: "worker", exec: false },
      { kind: "exit", timeNs: 5000, pid: 20, tid: 21 },
    ]);
  });

  test("shows a new thread as one whose parent is its own process", () => {
    // For a thread the kernel gives the process's parent as parent.
    const data = new Bytes()
      .u32("parent_pid", 1)
      .u32("parent_tgid", 1)
      .u32("child_pid", 22)
      .u32("child_tgid", 20);
    expect(decode(message(abi.PROC_EVENT_FORK, 1, data))).toMatchObject([
      { pid: 20, tid: 22, parentPid: 20 },
    ]);
  });

  test("gives a name byte by byte, up to all 16 of them", () => {
    const comm = Buffer.from([0xff, 0x0a, 0x22, 0xc3, 0xa9, 0x7f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const data = new Bytes().u32("process_pid", 1).u32("process_tgid", 1).raw("comm", comm);
    expect(decode(message(abi.PROC_EVENT_COMM, 1, data))).toMatchObject([{ comm: comm.toString("latin1") }]);
  });

  test("reads times beyond 2^53 in their order", () => {
    const before = decode(message(abi.PROC_EVENT_EXEC, 2n ** 53n + 4n, new Bytes()))[0]!;
    const after = decode(message(abi.PROC_EVENT_EXEC, 2n ** 53n + 8n, new Bytes()))[0]!;
    expect(before.timeNs).toBe(2 ** 53 + 4);
    expect(after.timeNs).toBeGreaterThan(before.timeNs);
  });

  test("passes over messages of other netlink types", () => {
    expect(decode(Buffer.concat([message(abi.PROC_EVENT_EXEC, 1, new Bytes(), 2), EXEC]))).toHaveLength(1);
  });

  test("goes on at the next multiple of 4 behind a message of odd length", () => {
    const odd = Buffer.concat([EXIT, Buffer.from([0xaa, 0, 0, 0])]);
    odd.writeUInt32LE(EXIT.length + 1, 0);
    expect(decode(Buffer.concat([odd, EXEC])).map((one) => one.kind)).toEqual(["exit", "exec"]);
  });

  test("yields whole messages or a DecodeError for every possible cut", () => {
    const bytes = Buffer.concat(SAMPLES);
    for (let length = 0; length <= bytes.length; length++) {
      const whole = length % 76 === 0 ? Math.min(5, length / 76) : null;
      expect([length, attempt(() => decode(bytes, length).length)]).toEqual([length, whole]);
    }
  });

  test("refuses every message length below what the event needs, and every one past the end", () => {
    const least = new Map([
      [FORK, 52 + 16],
      [EXEC, 52 + 8],
      [UID, 52 + 16],
      [COMM, 52 + 24],
      [EXIT, 52 + 8],
    ]);
    for (const [sample, needed] of least) {
      for (let length = 0; length < 200; length++) {
        if (length >= needed && length <= sample.length) continue;
        const bytes = Buffer.from(sample);
        bytes.writeUInt32LE(length, 0);
        expect(() => decode(bytes)).toThrow(DecodeError);
        // Also where nothing stands behind it.
        if (length >= 16 && length < needed) expect(() => decode(bytes, length)).toThrow(DecodeError);
      }
    }
    for (const length of [0x7fffffff, 0x80000000, 0xffffffff]) {
      const bytes = Buffer.from(FORK);
      bytes.writeUInt32LE(length, 0);
      expect(() => decode(bytes)).toThrow(DecodeError);
    }
  });

  test("never throws anything but a DecodeError, however the bytes are damaged (seed 3)", () => {
    const refused = refusedOf(20_000, 3, Buffer.concat(SAMPLES), decode);
    expect(refused).toBeGreaterThan(1000);
    expect(refused).toBeLessThan(19_000);
  });
});
