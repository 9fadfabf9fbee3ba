// Bytes of one perf ring → process records. Unknown record types are passed over. No I/O. linux/perf_event.h.
import * as abi from "../kernel/abi.ts";
import { DecodeError } from "./error.ts";
import { commAt, type ProcessRecord, timeAt } from "./process.ts";

/** {u32 pid, ppid, tid, ptid, u64 time} behind the header of FORK and EXIT. */
const TASK_BODY_BYTES = 24;

/**
 * Decodes bytes[0, length): whole records, as fh_perf_drain copied them.
 *
 * @throws {DecodeError} when a record is shorter than its header says it must be, or runs past the end
 */
export function decodePerfRecords(bytes: Buffer, length: number, out: ProcessRecord[]): void {
  let at = 0;
  while (at < length) {
    const available = length - at;
    if (available < abi.PERF_HEADER_BYTES) {
      throw new DecodeError("perf record", at, abi.PERF_HEADER_BYTES, available);
    }
    const type = bytes.readUInt32LE(at);
    const size = bytes.readUInt16LE(at + abi.PERF_SIZE);
    if (size < abi.PERF_HEADER_BYTES || size > available)
      throw new DecodeError("perf record", at, size, available);
    decodeRecord(bytes, type, at, size, out);
    at += size;
  }
}

function decodeRecord(bytes: Buffer, type: number, at: number, size: number, out: ProcessRecord[]): void {
  const body = at + abi.PERF_HEADER_BYTES;
  const bodyBytes = size - abi.PERF_HEADER_BYTES - abi.PERF_SAMPLE_ID_BYTES;
  /** sample_id_all puts the same trailer behind every record. */
  const timeNs = bodyBytes >= 0 ? timeAt(bytes, at + size - abi.PERF_SAMPLE_ID_BYTES + 8) : 0;
  switch (type) {
    case abi.PERF_RECORD_FORK:
    case abi.PERF_RECORD_EXIT: {
      if (bodyBytes < TASK_BODY_BYTES) throw new DecodeError("perf task record", at, size, size);
      const pid = bytes.readInt32LE(body);
      const parentPid = bytes.readInt32LE(body + 4);
      const tid = bytes.readInt32LE(body + 8);
      const parentTid = bytes.readInt32LE(body + 12);
      if (type === abi.PERF_RECORD_FORK) out.push({ kind: "fork", timeNs, pid, tid, parentPid, parentTid });
      else out.push({ kind: "exit", timeNs, pid, tid });
      break;
    }
    case abi.PERF_RECORD_COMM: {
      if (bodyBytes < 8) throw new DecodeError("perf comm record", at, size, size);
      const exec = (bytes.readUInt16LE(at + abi.PERF_MISC) & abi.PERF_RECORD_MISC_COMM_EXEC) !== 0;
      const comm = commAt(bytes, body + 8, body + bodyBytes);
      out.push({
        kind: "comm",
        timeNs,
        pid: bytes.readInt32LE(body),
        tid: bytes.readInt32LE(body + 4),
        comm,
        exec,
      });
      break;
    }
    case abi.PERF_RECORD_LOST:
      if (bodyBytes < 16) throw new DecodeError("perf lost record", at, size, size);
      out.push({ kind: "lost", timeNs, count: timeAt(bytes, body + 8) });
      break;
    default:
      break;
  }
}
