// Lines → changes: what one process did to one file at a time is one change, though it took several events (created, written,
// renamed). Related lines go in from the newest to the oldest; finished changes come out in the same order. Bounded.
import { type LineKeys, textKey } from "../show/event.ts";
import type { Relation } from "./names.ts";

/** Events of one process that are further apart are changes of their own. */
const WINDOW_MS = 1000;
/** Events kept of a change; a storm on one file has more, which are only counted. */
const EVENTS_MAX = 64;
/** Changes that may be open at a time: files that one process changes within a second (with -r). */
const OPEN_MAX = 10_000;

export interface ChangeEvent {
  keys: LineKeys;
  timeMs: number;
  relation: Relation;
}

export interface Change {
  newestMs: number;
  oldestMs: number;
  /** Newest first; the newest ones where there are too many. */
  events: ChangeEvent[];
  eventCount: number;
  /** How often it was written. */
  writes: number;
}

/** A change, or something else that has its place among them (a GAP). */
export type Item<T> = { kind: "change"; change: Change } | { kind: "other"; other: T };

export class ChangeBuilder<T> {
  private readonly perName: boolean;
  /** Newest first. */
  private readonly order: ({ kind: "change"; change: Change; file: string } | { kind: "other"; other: T })[] =
    [];
  /** By file: what older events may still belong to, and who made it. */
  private readonly open = new Map<string, { change: Change; who: string; last: Relation }>();
  /** Changes that were begun, finished ones included. */
  begun = 0;

  /** @param perName each name is a file of its own (-r); otherwise all names are one file's */
  constructor(perName: boolean) {
    this.perName = perName;
  }

  /** No line before this moment can belong to what is open. */
  get reachesBackToMs(): number {
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const { change } of this.open.values()) oldestMs = Math.min(oldestMs, change.oldestMs);
    return oldestMs - WINDOW_MS;
  }

  /**
   * Takes the next older event.
   *
   * @param max of the changes that are wanted: no further ones are begun
   * @returns whether it belongs to one of them
   */
  add(event: ChangeEvent, max: number): boolean {
    const { keys, timeMs, relation } = event;
    const who = [keys.pid, keys.cmd, keys.user, keys.who_reason].map(String).join("\0");
    const file = this.perName ? relation.name : "";
    let open = this.open.get(file);
    // What somebody else did in between parts two changes, and so does another name, unless a rename led to it.
    const last = open?.last;
    const sameFile = last === undefined || last.name === relation.name || last.from !== null;
    if (open === undefined || open.who !== who || !sameFile || open.change.oldestMs - timeMs > WINDOW_MS) {
      if (this.begun >= max) return false;
      this.begun++;
      const change = { newestMs: timeMs, oldestMs: timeMs, events: [], eventCount: 0, writes: 0 };
      open = { change, who, last: relation };
      this.open.set(file, open);
      this.order.push({ kind: "change", file, change });
    }
    const { change } = open;
    open.last = relation;
    change.oldestMs = Math.min(change.oldestMs, timeMs);
    change.eventCount++;
    if (textKey(keys, "event_type") === "CLOSE_WRITE") change.writes++;
    if (change.events.length < EVENTS_MAX) change.events.push(event);
    return true;
  }

  /** Puts something between the changes so far and older ones. */
  addOther(other: T): void {
    this.order.push({ kind: "other", other });
  }

  /** What no line of this time or an older one can belong to any more, newest first. */
  finished(timeMs: number): Item<T>[] {
    const done: Item<T>[] = [];
    for (let first = this.order[0]; first !== undefined; first = this.order[0]) {
      if (first.kind === "change") {
        const { change, file } = first;
        const open = this.open.get(file);
        if (open?.change === change) {
          if (change.oldestMs - timeMs <= WINDOW_MS && this.order.length <= OPEN_MAX) break;
          this.open.delete(file);
        }
      }
      this.order.shift();
      done.push(first);
    }
    return done;
  }
}
