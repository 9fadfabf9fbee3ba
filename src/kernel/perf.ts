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
  private online = "";
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
      sideband.followCpus(() => {});
    } catch (error) {
      sideband.close();
      throw error;
    }
    return sideband;
  }

  private openRing(cpu: number): number {
    const fd = this.openCpu(cpu);
    const map = helper().fh_perf_map(fd, RING_BYTES);
    if (map < 0n) {
      closeSync(fd);
      checked("mmap(perf ring)", Number(map), `CPU ${cpu}`);
    }
    this.rings.push({ cpu, fd, map, lost: 0 });
    return fd;
  }

  /** CPUs came or went since followCpus(). */
  get cpusChanged(): boolean {
    return onlineText() !== this.online;
  }

  /**
   * Gives each CPU that came online a ring, and closes those of CPUs that are gone: the kernel doesn't take them up again
   * when the CPU comes back. To be called right after drain(): a ring that is closed takes its records along.
   *
   * @param closing is told each descriptor before it is closed
   * @returns descriptors of the new rings
   */
  followCpus(closing: (fd: number) => void): number[] {
    this.online = onlineText();
    const online = cpusOf(this.online);
    for (const ring of this.rings.filter(({ cpu }) => !online.includes(cpu))) {
      closing(ring.fd);
      this.closeRing(ring);
      this.rings.splice(this.rings.indexOf(ring), 1);
    }
    const missing = online.filter((cpu) => !this.rings.some((ring) => ring.cpu === cpu));
    return missing.map((cpu) => this.openRing(cpu));
  }

  private closeRing({ fd, map }: Ring): void {
    helper().fh_perf_unmap(map, RING_BYTES);
    closeSync(fd);
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
    for (const ring of this.rings) this.closeRing(ring);
    this.rings.length = 0;
  }
}

function onlineText(): string {
  return readFileSync("/sys/devices/system/cpu/online", "latin1").trim();
}

export function onlineCpus(): number[] {
  return cpusOf(onlineText());
}

/** "0-3,8" → [0, 1, 2, 3, 8] (cpulist format, Documentation/admin-guide/cputopology.rst). */
function cpusOf(text: string): number[] {
  const cpus: number[] = [];
  for (const range of text.split(",")) {
    const [first, last] = range.split("-").map(Number);
    for (let cpu = first!; cpu <= (last ?? first!); cpu++) cpus.push(cpu);
  }
  return cpus;
}
