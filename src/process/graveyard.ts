// The dead whose file events may still be in the queue. A process leaves it once the queue was read to its end
// after its number was free: EXIT records come before a process closes its files (since 6.17), so they don't say when.
import { helper } from "../kernel/helper.ts";
import type { Process } from "./process.ts";

/**
 * About 300 bytes each, 20 MB at the most. A batch spans milliseconds and a fork takes 50 µs, so hundreds are normal;
 * the bound matters when the daemon itself was stopped: the rings of three CPUs hold as many.
 */
export const DEAD_MAX = 65536;
/** How often zombies are looked at: nobody may have waited for them for hours. */
const ZOMBIES_EVERY_MS = 1000;

export class Graveyard {
  private dead: Process[] = [];
  /** Dead, but their number isn't free: their parent didn't wait for them yet, or other threads go on working. */
  private zombies: Process[] = [];
  private lookedMs = 0;
  private sweeps = 0;
  private droppedAt = -2;

  /**
   * @param forget is told whom to forget
   * @param drop is told of those for whom there is no more room, though there may be events of theirs
   */
  constructor(
    private readonly forget: (process: Process) => void,
    private readonly drop: (process: Process) => void,
  ) {}

  /** Some for whom there was no room may have left events in the queue. */
  get dropped(): boolean {
    return this.sweeps - this.droppedAt < 2;
  }

  bury(process: Process): void {
    this.dead.push(process);
    if (this.dead.length <= DEAD_MAX) return;
    this.droppedAt = this.sweeps;
    // Half of them at a time: taking one from the front of an array this long would move all the others each time.
    for (const one of this.dead.splice(0, DEAD_MAX / 2)) if (one.exited) this.drop(one);
  }

  /** Its number was given to another. */
  noteGone(process: Process): void {
    process.goneAt = this.sweeps;
  }

  /** The queue was read to its end. */
  sweep(): void {
    const { dead } = this;
    if (dead.length > 0) {
      this.dead = [];
      for (let i = 0; i < dead.length; i++) this.consider(dead[i]!, this.zombies);
    }
    if (this.zombies.length > 0 && performance.now() - this.lookedMs >= ZOMBIES_EVERY_MS) {
      this.lookedMs = performance.now();
      const zombies = this.zombies;
      this.zombies = [];
      for (const one of zombies) this.consider(one, this.zombies);
    }
    this.sweeps++;
  }

  /** Hot. */
  private consider(one: Process, stillThere: Process[]): void {
    // An exec from a thread has revived it.
    if (!one.exited) return;
    // Found free since the last sweep: the queue may have been read to its end before that.
    if (one.goneAt >= 0 && one.goneAt < this.sweeps) {
      this.forget(one);
      return;
    }
    if (one.goneAt < 0 && helper().fh_alive(one.pid) !== 0) one.goneAt = this.sweeps;
    if (one.goneAt >= 0) this.dead.push(one);
    else stillThere.push(one);
  }
}
