// When to read: the first event after silence at once, under load a few milliseconds apart. A monitor's cost
// is its wake-ups: reading in batches costs 10 to 50 times less an event than reading each as it comes, and
// the watched programs run faster for it.

/**
 * Spacing of reads under load. Longer spacing merges more and costs less, but a person watching live would
 * notice.
 */
const SPACING_MIN_MS = 2;
const SPACING_MAX_MS = 5;
/** Events in one turn from which on the longest spacing is taken: a turn costs as much as 100 to 200 of them. */
const BUSY_EVENTS = 200;

export class Pace {
  /**
   * How long to wait after a round that read so many events.
   *
   * @returns milliseconds, 0 to go on at once (the queue was not read to its end), or null to sleep until
   *   something comes
   */
  next(eventsRead: number, emptied: boolean): number | null {
    if (!emptied) return 0;
    if (eventsRead === 0) return null;
    return eventsRead >= BUSY_EVENTS ? SPACING_MAX_MS : SPACING_MIN_MS;
  }
}
