// The perf side-band as a flight recorder: per CPU a ring into which the kernel writes every file that is mapped to be
// executed, a new program's own first, over and over. Nobody drains it and nobody is woken: it is searched backwards
// when somebody asks. perf_event_open(2), write_backward (4.7).
import { type CpuRing, CpuRings } from "./cpu-rings.ts";
import { helper } from "./helper.ts";
import { monotonicNs } from "./monotonic.ts";
import { checked } from "./syscall.ts";

/**
 * A program with a libc writes four records, 500 B: the last 4,000 programs of each CPU are there, which is some seconds of a
 * busy shell script; a quarter of that on machines with many CPUs.
 */
const RING_BYTES_MOST = 1 << 21;
/** 24 B a record that names a file, which takes 130 B and more of the ring. */
const INDEX_SHARE = 1 / 4;
/** PATH_MAX (linux/limits.h) and the padding behind it. */
const PATH_BYTES = 4104;

interface Ring extends CpuRing {
  /** What the helper knows of the ring's records (c/fanhelp.c, struct flight_index). */
  readonly index: Float64Array;
}

export class FlightRecorder {
  private readonly rings = new CpuRings<Ring>(RING_BYTES_MOST, openRing);
  /** Nothing is missing of what was executed since then. */
  private wholeSinceNs = 0;
  private readonly path = Buffer.alloc(PATH_BYTES);
  private readonly timeNs = new Float64Array(1);

  /** @throws {SyscallError} EACCES/EPERM where perf is locked down, ENOSYS where it is missing */
  static open(): FlightRecorder {
    const recorder = new FlightRecorder();
    try {
      recorder.rings.open();
      recorder.wholeSinceNs = monotonicNs();
    } catch (error) {
      recorder.close();
      throw error;
    }
    return recorder;
  }

  /** To be called when CPUs came or went. What was executed on those is not known. */
  followCpus(gone?: ReadonlySet<number>): void {
    this.rings.follow(gone);
    this.wholeSinceNs = monotonicNs();
  }

  /**
   * The first file that a process mapped to be executed at sinceNs or later, as bytes; null when it isn't known: never
   * told, or overwritten by now. Costs microseconds for what was executed just now.
   */
  find(pid: number, sinceNs: number): Buffer | null {
    // A later file, a library, may be told on another CPU.
    if (sinceNs < this.wholeSinceNs) return null;
    let path: Buffer | null = null;
    let firstNs = Number.POSITIVE_INFINITY;
    for (const { map, index } of this.rings.all) {
      const length = helper().fh_flight_find(
        map,
        index,
        index.byteLength,
        pid,
        sinceNs,
        this.path,
        PATH_BYTES,
        this.timeNs,
      );
      if (length < 0) return null;
      if (length === 0 || this.timeNs[0]! >= firstNs) continue;
      firstNs = this.timeNs[0]!;
      path = Buffer.from(this.path.subarray(0, length));
    }
    return path;
  }

  close(): void {
    this.rings.close();
  }
}

function openRing(cpu: number, ringBytes: number): Ring {
  const map = new BigUint64Array(1);
  const fd = checked("perf_event_open", helper().fh_flight_open(cpu, ringBytes, map), `CPU ${cpu}`);
  return { cpu, fd, map: map[0]!, index: new Float64Array((ringBytes * INDEX_SHARE) / 8) };
}
