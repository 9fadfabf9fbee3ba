// How many events there were lately: counters are looked at once a second and compared with a minute ago. Nothing is done
// per event.

export interface Counted {
  eventsRead: number;
  eventsLogged: number;
  eventsFiltered: number;
}

/** What was counted within the last windowMs. */
export interface Recent extends Counted {
  windowMs: number;
}

/** A minute of one sample a second: short enough to be about now, long enough for a quiet machine. */
const SAMPLES_MAX = 60;

export class Rates {
  private readonly samples: (Counted & { atMs: number })[] = [];

  /** @param atMs monotonic */
  sample(now: Counted, atMs: number): void {
    const { eventsRead, eventsLogged, eventsFiltered } = now;
    this.samples.push({ eventsRead, eventsLogged, eventsFiltered, atMs });
    if (this.samples.length > SAMPLES_MAX) this.samples.shift();
  }

  /** Since the oldest sample; zeros before there is one. */
  recent(now: Counted, atMs: number): Recent {
    const since = this.samples[0];
    if (since === undefined) return { windowMs: 0, eventsRead: 0, eventsLogged: 0, eventsFiltered: 0 };
    return {
      windowMs: Math.max(0, Math.round(atMs - since.atMs)),
      eventsRead: now.eventsRead - since.eventsRead,
      eventsLogged: now.eventsLogged - since.eventsLogged,
      eventsFiltered: now.eventsFiltered - since.eventsFiltered,
    };
  }
}
