// The perf side-band: per CPU a ring into which the kernel writes every fork, exec and exit, synchronously,
// before a new program's first instruction runs. Bytes go out; decode/perf.ts reads them. perf_event_open(2).
import { closeSync } from "node:fs";
import { type CpuRing, CpuRings } from "./cpu-rings.ts";
import { helper } from "./helper.ts";
import { checked, errnoOf } from "./syscall.ts";

/**
 * About 160 B a short-lived process: 26,000 of them per CPU, which is seconds in which a daemon that shares a crowded CPU may
 * not get its turn (half a second is common at a load of 6 a CPU); a quarter of that on machines with many CPUs.
 */
const RING_BYTES_MOST = 1 << 22;
/** Wake-ups cost more than records: a wake-up every 3,000 processes even if nothing else happens. */
const WATERMARK_BYTES = 1 << 19;

/** Less room than that left in a ring: several times the longest record. */
const CROWDED_BYTES = 4096;

interface Ring extends CpuRing {
  lost: number;
}

export class PerfSideband {
  private readonly rings = new CpuRings<Ring>(RING_BYTES_MOST, (cpu, bytes) => this.openRing(cpu, bytes));
  private withLostCounter = true;
  /** A ring was nearly full when it was drained last: the next record may not have fitted. */
  private crowded = false;

  /** Rings' descriptors: readable at the watermark. */
  get fds(): number[] {
    return this.rings.all.map((ring) => ring.fd);
  }

  /** @throws {SyscallError} EACCES/EPERM where perf is locked down, ENOSYS where it is missing */
  static open(): PerfSideband {
    const sideband = new PerfSideband();
    try {
      sideband.rings.open();
    } catch (error) {
      sideband.close();
      throw error;
    }
    return sideband;
  }

  private openRing(cpu: number, ringBytes: number): Ring {
    const fd = this.openCpu(cpu);
    const map = helper().fh_perf_map(fd, ringBytes);
    if (map < 0n) {
      closeSync(fd);
      checked("mmap(perf ring)", Number(map), `CPU ${cpu}`);
    }
    return { cpu, fd, map, lost: 0 };
  }

  /** Other CPUs are online than when followCpus() was called. */
  get cpusChanged(): boolean {
    return this.rings.changed;
  }

  /**
   * To be called right after drain(): a ring that is closed takes its records along.
   *
   * @param gone CPUs that went, also those that are back already
   * @param closing is told each descriptor before it is closed
   * @returns descriptors of the new rings
   */
  followCpus(gone: ReadonlySet<number>, closing: (fd: number) => void): number[] {
    return this.rings.follow(gone, closing).map(({ fd }) => fd);
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
   * @param eachRing gets the bytes of one ring's whole records, and whether the ring may have had hardly any room left behind
   *   them; called again for a ring that held more than the buffer
   */
  drain(buffer: Uint8Array, eachRing: (bytes: number, crowded: boolean) => void): void {
    for (const ring of this.rings.all) {
      let held = 0;
      for (;;) {
        const got = checked("perf ring", helper().fh_perf_drain(ring.map, buffer, buffer.length));
        held += got;
        const crowded = held > this.rings.bytes - CROWDED_BYTES;
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
    for (const ring of this.rings.all) {
      const total = checked("read(perf)", helper().fh_perf_lost(ring.fd));
      lost += total - ring.lost;
      ring.lost = total;
    }
    return lost;
  }

  close(): void {
    this.rings.close();
  }
}
