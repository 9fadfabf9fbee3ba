// Under which names a file (or what is below a directory) goes at a moment of the past. Lines go in from the newest to the
// oldest; each is judged (does it tell of our file, and how?), and renames change the names for everything older.
//
// The name that was asked for is followed for ever: what was deleted and made again under it belongs to the answer. A name
// that only a rename led to is followed back to where it was made: before that it was another file's.
import { isAtOrBelow } from "../containment.ts";
import { parseTime } from "../log/time.ts";
import { type LineKeys, textKey } from "../show/event.ts";

/** Each save by rename adds one and its CREATE takes it away; where CREATE isn't recorded, the oldest are given up. */
const FOLLOWED_MAX = 24;
/** The two ends of a rename stand next to each other; in the logs of two managed paths, a few lines may lie between. */
const ARRIVALS_MAX = 8;

/** What one program does to a file within this belongs together. */
const SAVE_MS = 1000;

interface Moment {
  pid: unknown;
  timeMs: number;
}

function momentOf(keys: LineKeys): Moment {
  return { pid: keys.pid, timeMs: parseTime(textKey(keys, "time") ?? "") };
}

export interface Relation {
  /** What our file was called right after the event. */
  name: string;
  /** The event moved a directory above it: `from` and `to` are then what that made of our file's name. */
  byDirectory: boolean;
  from: string | null;
  to: string | null;
}

export class FollowedNames {
  private readonly asked: string;
  /** What lies below the names belongs to the answer, too. */
  private readonly recursive: boolean;
  /** Oldest first. Never the asked one. */
  private readonly followed: string[] = [];
  /** False while we look at a time before the asked name was made, until the log tells of it again. */
  private exists = true;
  /** Followed names whose CREATE was met. */
  private readonly born = new Map<string, Moment>();
  /** The last DELETE_SELF met: of a file that a rename replaced, it stands right behind the rename. */
  private overwritten: Moment = { pid: null, timeMs: Number.NEGATIVE_INFINITY };
  private lastExchange = "";
  /** `from` and `path` of the newest arrivals, whose other ends are still to come. */
  private readonly arrivals: string[] = [];
  /** Counts the changes of the names, so that needles are made anew only then. */
  version = 0;

  constructor(asked: string, recursive: boolean) {
    this.asked = asked;
    this.recursive = recursive;
  }

  get all(): string[] {
    return [this.asked, ...this.followed];
  }

  /**
   * Judges the next older line and follows its rename.
   *
   * @returns null when the line isn't about our file, or says what another line says better
   */
  judge(keys: LineKeys): Relation | null {
    const path = textKey(keys, "path");
    if (path === null) return null;
    const from = textKey(keys, "from");
    const to = textKey(keys, "to");
    const other = from ?? to;
    const type = keys.event_type;
    if (keys.exchange === true && other !== null) return this.judgeExchange(path, other, keys);
    if (type === "MOVED_TO") return this.judgeArrival(path, from, keys);
    if (type === "MOVED_FROM") return this.judgeDeparture(path, to, keys);
    const holder = this.holderOf(path);
    if (holder === null) return null;
    if (path === this.asked) this.exists = type !== "CREATE";
    if (path === holder && !this.isStillOurs(holder, keys)) return null;
    if (type === "DELETE_SELF") this.overwritten = momentOf(keys);
    return { name: path, byDirectory: false, from: null, to: null };
  }

  /**
   * A name that a rename led to is followed back to its CREATE, and no further: what the log tells of it before is another file's.
   * But a program that moves or deletes a file and makes it anew at once has saved it.
   */
  private isStillOurs(name: string, keys: LineKeys): boolean {
    if (name === this.asked) return true;
    const born = this.born.get(name);
    const ends = keys.event_type === "DELETE" || keys.event_type === "MOVED_FROM";
    if (born === undefined) {
      if (keys.event_type === "CREATE") this.born.set(name, momentOf(keys));
      else if (ends) this.forget(name);
      return !ends;
    }
    const { pid, timeMs } = momentOf(keys);
    if (ends && pid === born.pid && born.timeMs - timeMs <= SAVE_MS) {
      this.born.delete(name);
      return true;
    }
    this.forget(name);
    return false;
  }

  /** Four lines tell of one exchange: the first that we meet says it all. */
  private judgeExchange(path: string, other: string, keys: LineKeys): Relation | null {
    const pair = [...[path, other].sort(), String(keys.time), String(keys.pid)].join("\0");
    if (pair === this.lastExchange) return null;
    for (const [now, before] of [
      [path, other],
      [other, path],
    ] as const) {
      const name = this.holderOf(now) === null ? (keys.dir === true ? this.below(now) : null) : now;
      if (name === null) continue;
      this.lastExchange = pair;
      const origin = before + name.slice(now.length);
      const holder = this.holderOf(name) ?? name;
      if (this.holderOf(origin) === null) this.follow(origin, name, holder);
      return { name, byDirectory: name !== now, from: origin, to: null };
    }
    return null;
  }

  private judgeArrival(path: string, from: string | null, keys: LineKeys): Relation | null {
    const holder = this.holderOf(path);
    const above = holder === null && keys.dir === true ? this.below(path) : null;
    const name = holder === null ? above : path;
    if (name === this.asked) this.exists = holder === null;
    if (name !== null) {
      const origin = from === null ? null : from + name.slice(path.length);
      this.arrivals.push(`${from}\0${path}`);
      if (this.arrivals.length > ARRIVALS_MAX) this.arrivals.shift();
      const { pid, timeMs } = momentOf(keys);
      // What it replaced was an earlier version: that name is ours still further back.
      const replaced = pid === this.overwritten.pid && this.overwritten.timeMs - timeMs <= SAVE_MS;
      if (origin !== null && this.holderOf(origin) === null)
        this.follow(origin, name, replaced ? null : (holder ?? name));
      else if (name === holder) this.forget(name);
      return { name, byDirectory: above !== null, from: origin, to: null };
    }
    // Only this end of a departure may be recorded (the other one is filtered out).
    return from === null ? null : this.judgeLeaving(from, path, keys);
  }

  private judgeDeparture(path: string, to: string | null, keys: LineKeys): Relation | null {
    // The arrival came first, and told it already.
    if (this.arrivals.includes(`${path}\0${to}`)) return null;
    // Only this end of an arrival is recorded: of a file, or of a directory above it.
    if (to !== null && (this.holderOf(to) !== null || (keys.dir === true && this.below(to) !== null)))
      return this.judgeArrival(to, path, keys);
    return this.judgeLeaving(path, to, keys);
  }

  /** Our file, or a directory above it, went to a name that isn't ours. */
  private judgeLeaving(path: string, to: string | null, keys: LineKeys): Relation | null {
    const holder = this.holderOf(path);
    const above = holder === null && keys.dir === true ? this.below(path) : null;
    const name = holder === null ? above : path;
    if (name === null) return null;
    if (name === this.asked) this.exists = true;
    // It can't have left before it was here.
    if (name === (holder ?? above) && !this.isStillOurs(name, keys)) return null;
    const target = to === null ? null : to + name.slice(path.length);
    return { name, byDirectory: above !== null, from: null, to: target };
  }

  /** The name that a path is, or with -r lies below. */
  private holderOf(path: string): string | null {
    if (this.holds(this.asked, path)) return this.asked;
    for (const name of this.followed) if (this.holds(name, path)) return name;
    return null;
  }

  private holds(name: string, path: string): boolean {
    return path === name || (this.recursive && isAtOrBelow(path, name));
  }

  /** The name that lies below a directory, and existed then. */
  private below(directory: string): string | null {
    const names = this.exists ? this.all : this.followed;
    const isMoved = (name: string) =>
      name !== directory && !this.born.has(name) && isAtOrBelow(name, directory);
    return names.find(isMoved) ?? null;
  }

  /** What is `name` now was `origin` before. With -r, single files that come and go are no new places to look at. */
  private follow(origin: string, name: string, former: string | null): void {
    if (this.recursive && !this.all.includes(name)) return;
    if (former !== null) this.forget(former);
    this.followed.push(origin);
    if (this.followed.length > FOLLOWED_MAX) this.followed.shift();
    this.version++;
  }

  private forget(name: string): void {
    this.born.delete(name);
    const at = this.followed.indexOf(name);
    if (at < 0) return;
    this.followed.splice(at, 1);
    this.version++;
  }
}
