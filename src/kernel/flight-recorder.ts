// The perf side-band as a flight recorder: per CPU a ring into which the kernel writes every file that is mapped to be
// executed, a new program's own first, over and over. Nobody drains it and nobody is woken: it is searched backwards
// when somebody asks. perf_event_open(2), write_backward (4.7).
import { closeSync, readFileSync } from "node:fs";
import { helper } from "./helper.ts";
import { onlineCpus } from "./perf.ts";
import { checked } from "./syscall.ts";

/**
 * A program with a libc writes four records, 500 B: the last 1,000 programs of each CPU are there, which is a second of a
 * busy shell script.
 */
const RING_BYTES = 1 << 19;
const ONLINE = "/sys/devices/system/cpu/online";
/** PATH_MAX (linux/limits.h) and the padding behind it. */
const PATH_BYTES = 4104;

export class FlightRecorder {
  private readonly rings = new Map<number, { fd: number; map: bigint }>();
  private cpus = "";
  private readonly path = Buffer.alloc(PATH_BYTES);
  private readonly timeNs = new Float64Array(1);

  /** @throws {SyscallError} EACCES/EPERM where perf is locked down, ENOSYS where it is missing */
  static open(): FlightRecorder {
    const recorder = new FlightRecorder();
    try {
      recorder.openMissingCpus();
    } catch (error) {
      recorder.close();
      throw error;
    }
    return recorder;
  }

  /**
   * The first file that a process mapped to be executed at sinceNs or later, as bytes; null when it isn't known: never
   * told, or overwritten by now. Costs microseconds for what was executed just now.
   */
  find(pid: number, sinceNs: number): Buffer | null {
    let path: Buffer | null = null;
    let firstNs = Number.POSITIVE_INFINITY;
    for (const { map } of this.rings.values()) {
      const length = helper().fh_flight_find(map, pid, sinceNs, this.path, PATH_BYTES, this.timeNs);
      if (length < 0) return null;
      if (length === 0 || this.timeNs[0]! >= firstNs) continue;
      firstNs = this.timeNs[0]!;
      path = Buffer.from(this.path.subarray(0, length));
    }
    return path;
  }

  /** Opens a ring for each online CPU that has none: at the start and after a CPU came online. */
  openMissingCpus(): void {
    const cpus = readFileSync(ONLINE, "latin1");
    if (cpus === this.cpus) return;
    this.cpus = cpus;
    for (const cpu of onlineCpus()) {
      if (this.rings.has(cpu)) continue;
      const map = new BigUint64Array(1);
      const fd = checked("perf_event_open", helper().fh_flight_open(cpu, RING_BYTES, map), `CPU ${cpu}`);
      this.rings.set(cpu, { fd, map: map[0]! });
    }
  }

  close(): void {
    for (const { fd } of this.rings.values()) closeSync(fd);
    this.rings.clear();
  }
}
