// A perf ring for each CPU that is online. The kernel doesn't take a ring up again when its CPU goes and comes back, so rings
// follow the CPUs. perf_event_open(2).
import { closeSync, readFileSync } from "node:fs";
import { helper } from "./helper.ts";
import { SyscallError } from "./syscall.ts";

/** Many CPUs share what four would have in all, until each has a quarter of it: the kernel's memory, which is never swapped. */
const CPUS_IN_FULL = 4;
const LEAST_SHARE = 1 / 4;

export interface CpuRing {
  readonly cpu: number;
  readonly fd: number;
  /** Address of the mapping. */
  readonly map: bigint;
}

export class CpuRings<Ring extends CpuRing> {
  private rings: Ring[] = [];
  private online = "";
  private ringBytes: number;

  /**
   * @param mostBytes of one ring where there are few CPUs, without the page before it
   * @param openRing throws {SyscallError}
   */
  constructor(
    private readonly mostBytes: number,
    private readonly openRing: (cpu: number, ringBytes: number) => Ring,
  ) {
    this.ringBytes = mostBytes;
    const cpus = cpusOf(onlineText()).length;
    while (!this.isLeast && this.ringBytes * cpus > mostBytes * CPUS_IN_FULL) this.ringBytes /= 2;
  }

  /** Of one. */
  get bytes(): number {
    return this.ringBytes;
  }

  private get isLeast(): boolean {
    return this.ringBytes <= this.mostBytes * LEAST_SHARE;
  }

  /**
   * Gives each CPU a ring, smaller ones where less memory may be locked.
   *
   * @throws {SyscallError} when not even those can be opened
   */
  open(): void {
    for (;;) {
      try {
        this.follow();
        return;
      } catch (error) {
        this.close();
        if (!(error instanceof SyscallError && error.code === "EPERM") || this.isLeast) throw error;
        this.ringBytes /= 2;
      }
    }
  }

  /** Hot. */
  get all(): readonly Ring[] {
    return this.rings;
  }

  /** Other CPUs are online than when follow() was called. */
  get changed(): boolean {
    return onlineText() !== this.online;
  }

  /**
   * Gives each CPU that has none a ring, and closes those of CPUs that went away. A ring that is closed takes its records
   * along.
   *
   * @param gone CPUs that went, also those that are back already
   * @param closing is told each descriptor before it is closed
   * @returns the new rings
   * @throws {SyscallError} when one can't be opened
   */
  follow(gone: ReadonlySet<number> = new Set(), closing: (fd: number) => void = () => {}): Ring[] {
    this.online = onlineText();
    const online = cpusOf(this.online);
    const isDead = ({ cpu }: Ring) => gone.has(cpu) || !online.includes(cpu);
    for (const ring of this.rings.filter(isDead)) {
      closing(ring.fd);
      this.closeRing(ring);
    }
    this.rings = this.rings.filter((ring) => !isDead(ring));
    const opened: Ring[] = [];
    for (const cpu of online) {
      if (this.rings.some((ring) => ring.cpu === cpu)) continue;
      const ring = this.openRing(cpu, this.ringBytes);
      this.rings.push(ring);
      opened.push(ring);
    }
    return opened;
  }

  private closeRing({ fd, map }: CpuRing): void {
    helper().fh_perf_unmap(map, this.ringBytes);
    closeSync(fd);
  }

  close(): void {
    for (const ring of this.rings) this.closeRing(ring);
    this.rings = [];
  }
}

function onlineText(): string {
  return readFileSync("/sys/devices/system/cpu/online", "latin1").trim();
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
