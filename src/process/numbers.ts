// Process numbers → processes. A number can be given away again while what its earlier holder did is still in the queue:
// then both are known here, and an alias, a negative number, stands for the earlier one.
import { alike, type Process, UNKNOWN_IMAGE, type Unknowable, unknownProcess } from "./process.ts";

/** Stands for all that were forgotten for want of room. */
const DROPPED: Process = {
  ...unknownProcess(0, "gone_before_known"),
  exited: true,
  end: { comm: "", uid: 0 },
};
const ALIASES_MAX = 0x3fff_ffff;

/**
 * What is the same of two that are alike; their executables may differ. It is as old as the earlier one, and if either changed,
 * so did this.
 */
function common(later: Process, { forkedNs, changedNs, launchedNs }: Process): Process {
  const changed = later.changedNs > later.forkedNs || changedNs > forkedNs;
  return {
    ...later,
    earlier: null,
    alias: 0,
    cached: null,
    image: UNKNOWN_IMAGE,
    forkedNs,
    changedNs: changed ? Math.max(later.changedNs, changedNs) : forkedNs,
    launchedNs: changed ? 0 : Math.max(later.launchedNs, launchedNs),
  };
}

export class ProcessNumbers {
  /** The latest holder; the ones before hang on `earlier`. */
  private readonly processes = new Map<number, Process>();
  /** Numbers that more than one process has had while its events may still be in the queue. */
  private readonly reused = new Set<number>();
  /** Aliases given since the last sweep, and since the one before. */
  private aliases = new Map<number, Process>();
  private aliasesBefore = new Map<number, Process>();
  private lastAlias = 0;
  /** Those of whom nothing is known but their number, in those aliases. */
  private readonly nobodies = new Map<number, Process>();
  private mayHaveDropped = false;

  get size(): number {
    return this.processes.size;
  }

  /** The latest holders of all numbers. */
  values(): IterableIterator<Process> {
    return this.processes.values();
  }

  /** Hot. The latest holder of a number, or whom an alias stands for. */
  get(pid: number): Process | undefined {
    return this.processes.get(pid) ?? (pid < 0 ? this.meant(pid) : undefined);
  }

  private meant(alias: number): Process | undefined {
    return this.aliases.get(alias) ?? this.aliasesBefore.get(alias);
  }

  /** The number is this process's from now on, and nobody else can have left anything under it. */
  set(process: Process): void {
    this.processes.set(process.pid, process);
  }

  /** The same, but what the one before did may still be in the queue; null for one of those that were dropped. */
  succeed(process: Process, before: Process | null): void {
    process.earlier = before ?? DROPPED;
    this.reused.add(process.pid);
    this.processes.set(process.pid, process);
  }

  delete(pid: number): void {
    this.processes.delete(pid);
  }

  /** Nothing of it is left. */
  forget(process: Process): void {
    this.unlink(process, process.earlier);
  }

  /** There is no more room for it, though something of it may be left. */
  drop(process: Process): void {
    this.mayHaveDropped = true;
    this.unlink(process, DROPPED);
  }

  private unlink(process: Process, instead: Process | null): void {
    const latest = this.processes.get(process.pid);
    if (latest === process) {
      this.processes.delete(process.pid);
      return;
    }
    for (let one = latest ?? null; one !== null; one = one.earlier)
      if (one.earlier === process) one.earlier = instead;
    if (latest?.earlier === null) this.reused.delete(process.pid);
  }

  /** Hot. True while some number may mean more than one process. */
  get hasReused(): boolean {
    return this.reused.size > 0;
  }

  /**
   * Which of those that had a number did what was done after sinceNs and before untilNs.
   *
   * @returns the number itself where it was the latest, else an alias: of an earlier one, or of nobody where that can't
   *   be known
   */
  tellApart(pid: number, sinceNs: number, untilNs: number, whyDropped: Unknowable): number {
    const latest = this.processes.get(pid);
    if (latest === undefined || latest.earlier === null) return pid;
    let found: Process | null = null;
    let endedNs = Number.POSITIVE_INFINITY;
    for (let one: Process | null = latest; one !== null; one = one.earlier) {
      // A number is given away again when nothing of the one before is left: whatever it did came before that fork.
      const possible = one.forkedNs <= untilNs && endedNs >= sinceNs;
      // Where only ends are told nobody knows when it was forked.
      if (one.forkedNs > 0) endedNs = one.forkedNs;
      if (!possible) continue;
      if (found === null) found = one;
      else if (alike(found, one)) found = common(found, one);
      else return this.nobody(pid, "pid_reused");
    }
    if (found === DROPPED) return this.nobody(pid, whyDropped);
    return found === null || found === latest ? pid : this.aliasOf(found);
  }

  /** Hot in a storm. An alias for somebody of whom nothing is known but the number. */
  nobody(pid: number, why: Unknowable): number {
    let one = this.nobodies.get(pid);
    if (one?.nameBy !== why) {
      one = unknownProcess(pid, why);
      this.nobodies.set(pid, one);
    }
    return this.aliasOf(one);
  }

  private aliasOf(process: Process): number {
    if (this.aliases.get(process.alias) !== process) {
      // An alias can stand in an event that is held back to the next batches; by then there are far fewer than that.
      this.lastAlias = this.lastAlias <= -ALIASES_MAX ? -1 : this.lastAlias - 1;
      process.alias = this.lastAlias;
      this.aliases.set(process.alias, process);
    }
    return process.alias;
  }

  /**
   * The queue was read to its end.
   *
   * @param dropped whether something may be left of those that were dropped
   */
  sweep(dropped: boolean): void {
    if (!dropped && this.mayHaveDropped) this.forgetDropped();
    this.aliasesBefore = this.aliases;
    if (this.aliases.size > 0) this.aliases = new Map();
    this.nobodies.clear();
  }

  private forgetDropped(): void {
    this.mayHaveDropped = false;
    for (const pid of this.reused) {
      const latest = this.processes.get(pid) ?? null;
      for (let one = latest; one !== null; one = one.earlier) if (one.earlier === DROPPED) one.earlier = null;
      if (latest === null || latest.earlier === null) this.reused.delete(pid);
    }
  }
}
