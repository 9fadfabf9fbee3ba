// What /proc told of those that live. It is of the moment when it was read, and events that wait are older; from the second
// look at an empty queue on it holds exactly, because the streams tell every change since.
import { monotonicNs } from "../kernel/monotonic.ts";
import type { Process } from "./process.ts";
import type { Tells } from "./way.ts";

export class Provisional {
  private since: Process[] = [];
  private before: Process[] = [];
  /** When /proc was read last. */
  private lookedNs = 0;

  constructor(private readonly tells: Tells) {}

  /** It was read just now. */
  add(process: Process): void {
    this.lookedNs = monotonicNs();
    this.since.push(process);
  }

  /** What was read of a parent is exact for a child that was born later; for others it holds as long as for the parent. */
  addChild(child: Process): void {
    if (child.nameBy === null && child.userBy === null) return;
    if (child.forkedNs > this.lookedNs) settle(child, this.tells);
    else this.since.push(child);
  }

  /** None of what was read has to be doubted: it was read before any event. */
  clear(): void {
    this.since.length = 0;
  }

  /** The queue was read to its end. */
  sweep(): void {
    for (const process of this.before) settle(process, this.tells);
    this.before = this.since;
    if (this.since.length > 0) this.since = [];
  }
}

function settle(process: Process, { users }: Tells): void {
  if (process.nameBy === "proc" || process.nameBy === "lost") process.nameBy = null;
  if (users && (process.userBy === "proc" || process.userBy === "lost")) process.userBy = null;
  process.cached = null;
}
