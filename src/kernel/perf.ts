// The perf side-band: per CPU a ring into which the kernel writes every fork, exec and exit, synchronously,
// before a new program's first instruction runs. Bytes go out; decode/perf.ts reads them. perf_event_open(2).
import { closeSync, readFileSync } from "node:fs";
import { helper } from "./helper.ts";
import { checked, errnoOf } from "./syscall.ts";

/**
 * About 160 B a short-lived process: 1 MiB holds 6,500 of them per CPU while the daemon is busy elsewhere.
 */
const RING_BYTES = 1 << 20;
/** Wake-ups cost more than records: a wake-up every 3,000 processes even if nothing else happens. */
const WATERMARK_BYTES = RING_BYTES / 2;

/** Less room than that left in a ring: several times the longest record. */
const CROWDED_BYTES = 4096;

interface Ring {
  cpu: number;
  fd: number;
  map: bigint;
  lost: number;
}

export class PerfSideband {
  private readonly rings: Ring[] = [];
  private withLostCounter = true;
  /** A ring was nearly full when it was drained last: the next record may not have fitted. */
  private crowded = false;
  /** Rings' descriptors: readable at the watermark. */
  get fds(): number[] {
    return this.rings.map((ring) => ring.fd);
  }

  /** @throws {SyscallError} EACCES/EPERM where perf is locked down, ENOSYS where it is missing */
  static open(): PerfSideband {
    const sideband = new PerfSideband();
    try {
      sideband.openMissingCpus();
    } catch (error) {
      sideband.close();
      throw error;
    }
    return sideband;
  }

  /**
   * Opens a ring for each online CPU that has none: at the start and after a CPU came online. Returns the new
   * descriptors.
   */
  openMissingCpus(): number[] {
    const opened: number[] = [];
    for (const cpu of onlineCpus()) {
      if (this.rings.some((ring) => ring.cpu === cpu)) continue;
      const fd = this.openCpu(cpu);
      const map = helper().fh_perf_map(fd, RING_BYTES);
      if (map < 0n) {
        closeSync(fd);
        checked("mmap(perf ring)", Number(map), `CPU ${cpu}`);
      }
      this.rings.push({ cpu, fd, map, lost: 0 });
      opened.push(fd);
    }
    return opened;
  }

  private openCpu(cpu: number): number {
    if (this.withLostCounter) {
      const fd = helper().fh_perf_open(cpu, WATERMARK_BYTES, 1);
      if (-fd !== errnoOf("EINVAL")) return checked("perf_event_open", fd, `CPU ${cpu}`);
      // PERF_FORMAT_LOST is Linux 6.0; without it a loss shows as a LOST record once the ring has room again.
      this.withLostCounter = false;
    }
    return checked("perf_event_open", helper().fh_perf_open(cpu, WATERMARK_BYTES, 0), `CPU ${cpu}`);
  }

  /**
   * Hot. Moves what the rings hold into buffer, ring after ring (records of one process may lie in several:
   * sort by time).
   *
   * @param eachRing gets the bytes of one ring's whole records, and whether the ring had hardly any room left; called
   *   again for a ring that held more than the buffer
   */
  drain(buffer: Uint8Array, eachRing: (bytes: number, crowded: boolean) => void): void {
    for (const ring of this.rings) {
      for (;;) {
        const got = checked("perf ring", helper().fh_perf_drain(ring.map, buffer, buffer.length));
        const crowded = got > RING_BYTES - CROWDED_BYTES;
        if (crowded) this.crowded = true;
        if (got > 0) eachRing(got, crowded);
        // A record is at most 64 KiB, here under 100 bytes: less than that much room left means there may be
        // more.
        if (got < buffer.length - 256) break;
      }
    }
  }

  /** False before Linux 6.0: there a loss shows as a LOST record, once the ring has room again. */
  get countsLost(): boolean {
    return this.withLostCounter;
  }

  /** Records lost since the last call. A read(2) for each CPU, so only after a ring was found nearly full. */
  takeLost(): number {
    if (!this.crowded || !this.withLostCounter) return 0;
    this.crowded = false;
    let lost = 0;
    for (const ring of this.rings) {
      const total = checked("read(perf)", helper().fh_perf_lost(ring.fd));
      lost += total - ring.lost;
      ring.lost = total;
    }
    return lost;
  }

  close(): void {
    for (const ring of this.rings) closeSync(ring.fd);
    this.rings.length = 0;
  }
}

/** "0-3,8" → [0, 1, 2, 3, 8] (cpulist format, Documentation/admin-guide/cputopology.rst). */
export function onlineCpus(): number[] {
  const cpus: number[] = [];
  for (const range of readFileSync("/sys/devices/system/cpu/online", "latin1").trim().split(",")) {
    const [first, last] = range.split("-").map(Number);
    for (let cpu = first!; cpu <= (last ?? first!); cpu++) cpus.push(cpu);
  }
  return cpus;
}
