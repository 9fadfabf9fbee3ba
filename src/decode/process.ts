// Records of both process streams in one shape, so that the process table needs to know only one. comm is
// latin1: one character a byte.

export type ProcessRecord =
  /**
   * A new process, or a new thread when pid === parentPid. parentTid is the thread that forked: its name is
   * inherited.
   */
  | { kind: "fork"; timeNs: number; pid: number; tid: number; parentPid: number; parentTid: number }
  /** A program was executed (exec) or a thread renamed itself. */
  | { kind: "comm"; timeNs: number; pid: number; tid: number; comm: string; exec: boolean }
  /** exec seen by the connector: it carries no name. */
  | { kind: "exec"; timeNs: number; pid: number }
  /** A thread took other users; the process did where tid === pid. */
  | { kind: "uid"; timeNs: number; pid: number; tid: number; uid: number; euid: number }
  | { kind: "exit"; timeNs: number; pid: number; tid: number }
  /** Told by taskstats as a thread ends: the name and real user that it has then. It has no time. */
  | { kind: "end"; timeNs: number; pid: number; tid: number; parentPid: number; uid: number; comm: string }
  /** The stream itself says that `count` records were dropped here. */
  | { kind: "lost"; timeNs: number; count: number };

/**
 * Orders records of several streams: one process's fork and exec often lie in the rings of different CPUs.
 */
export function byTime(a: ProcessRecord, b: ProcessRecord): number {
  return a.timeNs - b.timeNs;
}

/** comm as it stands in a record: up to the first NUL. */
export function commAt(bytes: Buffer, at: number, end: number): string {
  let stop = at;
  while (stop < end && bytes[stop] !== 0) stop++;
  return bytes.toString("latin1", at, stop);
}

/**
 * u64 at a 4-byte aligned offset as a number. Nanoseconds pass 2^53 after 104 days up; the order of records
 * survives the rounding to 2 ns.
 */
export function timeAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + 4) * 4294967296 + bytes.readUInt32LE(at);
}
