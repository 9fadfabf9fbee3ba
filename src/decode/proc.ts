// Netlink datagrams of the proc connector → process records. Each datagram starts 4-byte aligned behind the
// one before (kernel/procconn.ts). Events of unknown kind are passed over. No I/O. linux/cn_proc.h.
import * as abi from "../kernel/abi.ts";
import { DecodeError } from "./error.ts";
import { commAt, type ProcessRecord, timeAt } from "./process.ts";

const EVENT_AT = abi.NLMSG_HEADER_BYTES + abi.CN_MSG_BYTES;

/**
 * Decodes bytes[0, length).
 *
 * @param wanted PROC_EVENT_* to decode; kernels before 6.6 send everything, whatever they are asked for
 * @throws {DecodeError} when a message is shorter than what it carries, or runs past the end
 */
export function decodeProcMessages(
  bytes: Buffer,
  length: number,
  wanted: number,
  out: ProcessRecord[],
): void {
  let at = 0;
  while (at < length) {
    const available = length - at;
    const size = available >= 4 ? bytes.readUInt32LE(at) : abi.NLMSG_HEADER_BYTES;
    if (size < abi.NLMSG_HEADER_BYTES || size > available) {
      throw new DecodeError("netlink message", at, size, available);
    }
    if (bytes.readUInt16LE(at + 4) === abi.NLMSG_DONE) decodeEvent(bytes, at, size, wanted, out);
    at += (size + 3) & ~3;
  }
}

function decodeEvent(bytes: Buffer, at: number, size: number, wanted: number, out: ProcessRecord[]): void {
  const event = at + EVENT_AT;
  const eventBytes = size - EVENT_AT;
  if (eventBytes < abi.PROC_DATA + 4)
    throw new DecodeError("process event", at, size, EVENT_AT + abi.PROC_DATA + 4);
  const what = bytes.readUInt32LE(event + abi.PROC_WHAT);
  if ((what & wanted) === 0) return;
  const timeNs = timeAt(bytes, event + abi.PROC_TIMESTAMP);
  const data = event + abi.PROC_DATA;
  const need = (dataBytes: number): void => {
    if (eventBytes < abi.PROC_DATA + dataBytes) {
      throw new DecodeError("process event", at, EVENT_AT + abi.PROC_DATA + dataBytes, size);
    }
  };
  switch (what) {
    case abi.PROC_EVENT_FORK: {
      need(16);
      // Order in the record: parent_pid parent_tgid child_pid child_tgid, where pid is the thread. For a
      // thread "parent" is the process's own parent, so a thread shows by its number differing from its
      // process's, and which one made it isn't told: the first stands for it.
      const tid = bytes.readInt32LE(data + 8);
      const pid = bytes.readInt32LE(data + 12);
      if (tid !== pid) out.push({ kind: "fork", timeNs, pid, tid, parentPid: pid, parentTid: pid });
      else {
        const parentPid = bytes.readInt32LE(data + 4);
        out.push({ kind: "fork", timeNs, pid, tid, parentPid, parentTid: bytes.readInt32LE(data) });
      }
      break;
    }
    case abi.PROC_EVENT_EXEC:
      need(8);
      out.push({ kind: "exec", timeNs, pid: bytes.readInt32LE(data + 4) });
      break;
    case abi.PROC_EVENT_UID:
      need(16);
      out.push({
        kind: "uid",
        timeNs,
        tid: bytes.readInt32LE(data),
        pid: bytes.readInt32LE(data + 4),
        uid: bytes.readUInt32LE(data + 8),
        euid: bytes.readUInt32LE(data + 12),
      });
      break;
    case abi.PROC_EVENT_COMM:
      need(8 + abi.COMM_BYTES);
      out.push({
        kind: "comm",
        timeNs,
        tid: bytes.readInt32LE(data),
        pid: bytes.readInt32LE(data + 4),
        comm: commAt(bytes, data + 8, data + 8 + abi.COMM_BYTES),
        exec: false,
      });
      break;
    case abi.PROC_EVENT_EXIT:
      need(8);
      out.push({ kind: "exit", timeNs, tid: bytes.readInt32LE(data), pid: bytes.readInt32LE(data + 4) });
      break;
    default:
      break;
  }
}
