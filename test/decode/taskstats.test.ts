import { describe, expect, test } from "bun:test";
import type { ProcessRecord } from "../../src/decode/process.ts";
import { decodeTaskStats } from "../../src/decode/taskstats.ts";
import * as abi from "../../src/kernel/abi.ts";
import { Bytes } from "../support/bytes.ts";
import { attempt, refusedOf } from "./damage.ts";

const FAMILY = 31;

function decode(bytes: Buffer, length = bytes.length): ProcessRecord[] {
  const records: ProcessRecord[] = [];
  decodeTaskStats(bytes, length, records);
  return records;
}

/** struct taskstats, as far as it is read. */
function figures(version: number, tid: number, tgid: number): Buffer {
  const bytes = Buffer.alloc(416);
  bytes.writeUInt16LE(version, 0);
  bytes.write("cron\0rest", abi.TASKSTATS_COMM, "latin1");
  bytes.writeUInt32LE(1000, abi.TASKSTATS_UID);
  bytes.writeUInt32LE(tid, abi.TASKSTATS_PID);
  bytes.writeUInt32LE(77, abi.TASKSTATS_PPID);
  bytes.writeUInt32LE(tgid, abi.TASKSTATS_TGID);
  return bytes;
}

function attribute(type: number, body: Buffer): Buffer {
  const bytes = new Bytes()
    .u16("nla_len", 4 + body.length)
    .u16("nla_type", type)
    .raw("body", body)
    .done();
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}

/** One datagram: nlmsghdr, genlmsghdr, the thread's number and figures, and those of its group. */
function message(version: number, tid: number, tgid: number, type = FAMILY): Buffer {
  const number = attribute(1, Buffer.from([tid, 0, 0, 0]));
  const stats = attribute(abi.TASKSTATS_TYPE_STATS, figures(version, tid, tgid));
  const body = Buffer.concat([
    attribute(abi.TASKSTATS_TYPE_AGGR_PID, Buffer.concat([number, stats])),
    attribute(5, Buffer.concat([number, stats])),
  ]);
  const head = new Bytes()
    .u32("nlmsg_len", 20 + body.length)
    .u16("nlmsg_type", type)
    .u16("nlmsg_flags", 0)
    .u32("nlmsg_seq", 0)
    .u32("nlmsg_pid", 0)
    .raw("genlmsghdr", Buffer.from([2, 1, 0, 0]));
  return Buffer.concat([head.done(), body]);
}

describe("decodeTaskStats()", () => {
  test("reads who ended; what is told of whole groups is passed over", () => {
    expect(decode(Buffer.concat([message(13, 21, 20), message(13, 30, 30)]))).toEqual([
      { kind: "end", timeNs: 0, pid: 20, tid: 21, parentPid: 77, uid: 1000, comm: "cron" },
      { kind: "end", timeNs: 0, pid: 30, tid: 30, parentPid: 77, uid: 1000, comm: "cron" },
    ]);
  });

  test("takes a thread for a process where the kernel doesn't tell which it belongs to", () => {
    expect(decode(message(11, 21, 20))).toMatchObject([{ pid: 21, tid: 21 }]);
  });

  test("passes over what isn't of a family's", () => {
    expect(decode(message(13, 21, 20, abi.NLMSG_ERROR))).toEqual([]);
  });

  test("yields whole messages or a DecodeError for every possible cut, and for damaged bytes", () => {
    const bytes = Buffer.concat([message(13, 21, 20), message(13, 30, 30)]);
    for (let length = 0; length <= bytes.length; length++) attempt(() => decode(bytes, length));
    expect(refusedOf(2000, 7, bytes, decode)).toBeGreaterThan(0);
  });
});
