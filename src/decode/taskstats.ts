// Netlink datagrams of taskstats → process records: one for each thread that ended, with the name and user that it had.
// What is told of whole processes is passed over. No I/O. linux/taskstats.h.
import * as abi from "../kernel/abi.ts";
import { DecodeError } from "./error.ts";
import { commAt, type ProcessRecord } from "./process.ts";

const ATTRIBUTE_BYTES = 4;

/**
 * Decodes bytes[0, length).
 *
 * @throws {DecodeError} when a message or an attribute is shorter than what it carries, or runs past the end
 */
export function decodeTaskStats(bytes: Buffer, length: number, out: ProcessRecord[]): void {
  let at = 0;
  while (at < length) {
    const available = length - at;
    const size = available >= 4 ? bytes.readUInt32LE(at) : abi.NLMSG_HEADER_BYTES;
    if (size < abi.NLMSG_HEADER_BYTES || size > available) {
      throw new DecodeError("netlink message", at, size, available);
    }
    // What isn't of a family's is the protocol's own (an error, a padding).
    if (bytes.readUInt16LE(at + 4) >= abi.GENL_ID_CTRL) {
      eachAttribute(
        bytes,
        at + abi.NLMSG_HEADER_BYTES + abi.GENL_HEADER_BYTES,
        at + size,
        (type, from, to) => {
          if (type !== abi.TASKSTATS_TYPE_AGGR_PID) return;
          eachAttribute(bytes, from, to, (inner, start, end) => {
            if (inner === abi.TASKSTATS_TYPE_STATS) out.push(decodeEnd(bytes, start, end));
          });
        },
      );
    }
    at += (size + 3) & ~3;
  }
}

function eachAttribute(
  bytes: Buffer,
  from: number,
  to: number,
  each: (type: number, from: number, to: number) => void,
): void {
  for (let at = from; at < to; ) {
    const size = to - at >= ATTRIBUTE_BYTES ? bytes.readUInt16LE(at) : 0;
    if (size < ATTRIBUTE_BYTES || size > to - at)
      throw new DecodeError("netlink attribute", at, size, to - at);
    each(bytes.readUInt16LE(at + 2), at + ATTRIBUTE_BYTES, at + size);
    at += (size + 3) & ~3;
  }
}

function decodeEnd(bytes: Buffer, at: number, end: number): ProcessRecord {
  if (end - at < abi.TASKSTATS_PPID + 4)
    throw new DecodeError("taskstats", at, abi.TASKSTATS_PPID + 4, end - at);
  const tid = bytes.readUInt32LE(at + abi.TASKSTATS_PID);
  const tellsProcess =
    bytes.readUInt16LE(at) >= abi.TASKSTATS_TGID_VERSION && end - at >= abi.TASKSTATS_TGID + 4;
  return {
    kind: "end",
    timeNs: 0,
    // Older kernels tell of threads alone: the first one has its process's number.
    pid: tellsProcess ? bytes.readUInt32LE(at + abi.TASKSTATS_TGID) : tid,
    tid,
    parentPid: bytes.readUInt32LE(at + abi.TASKSTATS_PPID),
    uid: bytes.readUInt32LE(at + abi.TASKSTATS_UID),
    comm: commAt(bytes, at + abi.TASKSTATS_COMM, at + abi.TASKSTATS_COMM + abi.COMM_BYTES),
  };
}
