// What the daemon does about its own memory, in quiet moments only: what a storm has left behind is collected, and the pages of
// the binary that nothing needs any more are given back. Never while events come.
import { pageOutProgram } from "../kernel/page-out.ts";

/**
 * Events a tick up to which a moment is quiet. Collecting takes some milliseconds, which a few events may wait; and many machines are
 * never without: what happens elsewhere on a watched filesystem counts too.
 */
const QUIET_EVENTS = 1000;
/** Quiet ticks before what a storm left is collected: storms come in gusts. */
const COLLECT_AFTER_TICKS = 3;
/** After the start: by then everything was loaded that an idle daemon needs. */
const FIRST_PAGE_OUT_TICKS = 8;
/** Later: reading a page of the binary again takes as long as the disk does, so only what nobody missed for long is given back. */
const PAGE_OUT_AFTER_TICKS = 600;

export class MemoryCare {
  private quietTicks = 0;
  private lastEvents = 0;
  /** Something happened since the last time. */
  private collectable = true;
  private pageable = true;
  private pageOutAfter = FIRST_PAGE_OUT_TICKS;

  constructor(
    private readonly collect: () => void = collectGarbage,
    private readonly pageOut: () => void = pageOutProgram,
  ) {}

  /**
   * Once a second.
   *
   * @param events read since the start
   */
  tick(events: number): void {
    const quiet = events - this.lastEvents <= QUIET_EVENTS;
    this.lastEvents = events;
    if (!quiet) {
      this.quietTicks = 0;
      this.collectable = true;
      this.pageable = true;
      return;
    }
    this.quietTicks++;
    if (this.collectable && this.quietTicks >= COLLECT_AFTER_TICKS) {
      this.collectable = false;
      this.collect();
    }
    if (this.pageable && this.quietTicks >= this.pageOutAfter) {
      this.pageable = false;
      this.pageOutAfter = PAGE_OUT_AFTER_TICKS;
      this.pageOut();
    }
  }
}

/** Also drops compiled code that isn't used and gives the allocator's empty pages back, which Bun.gc() doesn't. */
function collectGarbage(): void {
  Bun.shrink();
}
