// Where in the event queue the events of each process stand, of those that were read ahead: the second half of an exchange is the next event
// of its process, however many of other processes' come between. Holds 8 bytes an event, and only when it was asked for.
import { type EventBatch, NUMBER } from "../decode/fan.ts";

interface Places {
  readonly all: number[];
  /** Those before this one were asked past. */
  from: number;
}

export class ProcessPlaces {
  private readonly byPid = new Map<number, Places>();
  indexedTo = 0;

  clear(): void {
    this.byPid.clear();
  }

  /** Takes in what a batch holds, from where the index ends on. */
  index(batch: EventBatch): void {
    if (this.indexedTo >= batch.endsAt) return;
    for (let i = 0; i < batch.count; i++) {
      const place = batch.placeOf(i);
      if (place < this.indexedTo) continue;
      const pid = batch.get(i, NUMBER);
      const places = this.byPid.get(pid);
      if (places === undefined) this.byPid.set(pid, { all: [place], from: 0 });
      else places.all.push(place);
    }
    this.indexedTo = batch.endsAt;
  }

  /** An event of a process at or behind a place, which never goes back, after so many others of it; -1 for none. */
  at(pid: number, from: number, skipped: number): number {
    const places = this.byPid.get(pid);
    if (places === undefined) return -1;
    while (places.from < places.all.length && places.all[places.from]! < from) places.from++;
    return places.all[places.from + skipped] ?? -1;
  }
}
