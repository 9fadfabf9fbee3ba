// A perf ring for each CPU that is online. The kernel doesn't take a ring up again when its CPU goes and comes back, so rings
// follow the CPUs. perf_event_open(2).
import { closeSync, readFileSync } from "node:fs";
import { helper } from "./helper.ts";

export interface CpuRing {
  readonly cpu: number;
  readonly fd: number;
  /** Address of the mapping. */
  readonly map: bigint;
}

export class CpuRings<Ring extends CpuRing> {
  private rings: Ring[] = [];
  private online = "";

  /**
   * @param ringBytes of one, without the page before it
   * @param open throws {SyscallError}
   */
  constructor(
    private readonly ringBytes: number,
    private readonly open: (cpu: number) => Ring,
  ) {}

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
      const ring = this.open(cpu);
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
