// `fsmon who`: who changed a file, newest first. A path goes in; changes, and the gaps that limit what can be said, come out as
// they are found, read backwards out of the logs that may know of it. Needs no daemon, and never writes to a log.
import { dirname } from "node:path";
import { isAtOrBelow } from "../containment.ts";
import { causeOf } from "../failure.ts";
import type { Identity } from "../kernel/identity.ts";
import { recordedUntil } from "../log/lifetime.ts";
import { listLogs, logHash } from "../log/names.ts";
import { forgottenPaths } from "../query/recorded-paths.ts";
import { type Snapshot, type SnapshotFile, takeSnapshot } from "../query/snapshot.ts";
import { headOf } from "../query/sorted-files.ts";
import type { LineKeys } from "../show/event.ts";
import { gapOf } from "../show/state.ts";
import type { FoundLine } from "./backward.ts";
import { type Change, ChangeBuilder, type Item } from "./changes.ts";
import { LogHistory } from "./log-history.ts";
import { FollowedNames } from "./names.ts";
import { needlesFor } from "./needles.ts";

export interface WhoRequest {
  /** Absolute. */
  path: string;
  /** What lies below it, too. */
  recursive: boolean;
  /** So many changes; Infinity for all. */
  count: number;
  /** -Infinity: from the beginning of the log. */
  sinceMs: number;
  /** Event types that make a change. */
  types: ReadonlySet<string>;
  logDir: string;
  owner: Identity;
  /** The store's paths. */
  managedPaths: readonly string[];
}

/** From when to when little or nothing was recorded. */
export interface Pause {
  fromMs: number;
  /** Null: it lasts. */
  toMs: number | null;
  /** A GAP's; "removed" while the path was not managed, "no_daemon" while none is running. */
  reason: string;
}

export interface Answer {
  /** A line that belongs to a change, or a GAP, as it stands in the log; in order, so before its change is whole. */
  onLine(text: string): void;
  onChange(change: Change): void;
  onPause(pause: Pause): void;
  onProblem(sentence: string): void;
  /** The search goes on, for a while maybe: what has come so far can be shown. */
  onMoment(): void;
}

export interface WhoSummary {
  changes: number;
  /** The managed paths whose logs cover the path; none: nothing can be said. */
  covering: readonly string[];
  /** Since when the log covers it; null when the search ended before its beginning. */
  recordedSinceMs: number | null;
}

/** The managed paths, stored or forgotten, that have a log and that a path lies below (or with -r, that lie below it). */
export function coveringPaths(request: WhoRequest): { covering: string[]; all: string[] } {
  const { logDir, owner, managedPaths, path, recursive } = request;
  const hashes = new Set(listLogs(logDir, owner).keys());
  const forgotten = forgottenPaths(logDir, hashes, managedPaths, owner);
  // A log is named after its path, so what lies above needs no first line to be known.
  const all = [...new Set([...managedPaths, ...forgotten, ...withAbove(path)])].filter((one) =>
    hashes.has(logHash(one)),
  );
  const covering = all.filter((one) => isAtOrBelow(path, one) || (recursive && isAtOrBelow(one, path)));
  return { covering, all };
}

function withAbove(path: string): string[] {
  const above: string[] = [path];
  for (let one = path; one !== "/"; ) {
    one = dirname(one);
    above.push(one);
  }
  return above;
}

export async function findChanges(request: WhoRequest, answer: Answer): Promise<WhoSummary> {
  const { covering, all } = coveringPaths(request);
  const search = new Search(request, all, answer);
  try {
    return await search.run(covering);
  } finally {
    search.close();
  }
}

class Search {
  private readonly request: WhoRequest;
  private readonly recorded: readonly string[];
  private readonly answer: Answer;
  private readonly names: FollowedNames;
  private readonly builder: ChangeBuilder<Pause>;
  private readonly histories = new Map<string, LogHistory>();
  private readonly covering = new Set<string>();
  private readonly snapshots: Snapshot[] = [];
  /** The last state line met of each covering log, and when it was written: what is older is still to come. */
  private readonly newerState = new Map<string, { keys: LineKeys; timeMs: number }>();
  /** Lines of one moment, so that what two logs tell is told once. */
  private moment = { timeMs: Number.NaN, seen: new Set<string>() };
  private readonly pauses = new Set<string>();
  private readonly oldestFile = new Map<string, SnapshotFile>();
  private readonly knownNeedles = new Map<string, { version: number; needles: Buffer[] }>();

  constructor(request: WhoRequest, recorded: readonly string[], answer: Answer) {
    this.request = request;
    this.recorded = recorded;
    this.answer = answer;
    this.names = new FollowedNames(request.path, request.recursive);
    this.builder = new ChangeBuilder(request.recursive);
  }

  async run(covering: readonly string[]): Promise<WhoSummary> {
    for (const path of covering) this.covering.add(path);
    this.tellWhetherItLasts();
    await this.open(covering, Number.POSITIVE_INFINITY);
    let version = this.names.version;
    for (let newest = this.newest(); newest !== null; newest = this.newest()) {
      const line = newest.head!;
      if (line.timeMs < this.floorMs()) {
        newest.head = null;
        continue;
      }
      this.emit(line.timeMs);
      this.take(line, newest.managedPath);
      if (this.names.version === version) {
        await newest.advance(this.needles(newest.managedPath), this.floorMs());
      } else {
        version = this.names.version;
        await this.followOn(newest, line.timeMs);
      }
    }
    const enough = this.builder.begun >= this.request.count;
    this.emit(Number.NEGATIVE_INFINITY);
    return {
      changes: this.builder.begun,
      covering,
      recordedSinceMs: enough ? null : this.beginning(),
    };
  }

  close(): void {
    for (const history of this.histories.values()) history.close();
    for (const snapshot of this.snapshots) snapshot.close();
  }

  /** Older lines aren't wanted: out of the range, or all changes are begun and none of them reaches further back. */
  private floorMs(): number {
    const { sinceMs, count } = this.request;
    return this.builder.begun < count ? sinceMs : Math.max(sinceMs, this.builder.reachesBackToMs);
  }

  private newest(): LogHistory | null {
    let newest: LogHistory | null = null;
    for (const history of this.histories.values()) {
      if (history.head !== null && (newest === null || history.head.timeMs > newest.head!.timeMs))
        newest = history;
    }
    return newest;
  }

  private take(line: FoundLine, managedPath: string): void {
    const { keys, timeMs, text } = line;
    if (keys.event_type === "GAP" || keys.event_type === "WATCH") {
      if (this.covering.has(managedPath)) this.takeState(line, managedPath);
      return;
    }
    if (this.isTold(line)) return;
    const relation = this.names.judge(keys);
    if (relation === null || !this.request.types.has(String(keys.event_type))) return;
    if (this.builder.add({ keys, timeMs, relation }, this.request.count)) this.answer.onLine(text);
  }

  /** Two managed paths, one below the other, both log an event; and a log that is searched anew tells a moment again. */
  private isTold({ keys, timeMs }: FoundLine): boolean {
    if (this.histories.size < 2) return false;
    if (this.moment.timeMs !== timeMs) this.moment = { timeMs, seen: new Set() };
    const { event_type, path, pid, from, to } = keys;
    const event = [event_type, path, pid, from, to].map(String).join("\0");
    const told = this.moment.seen.has(event);
    this.moment.seen.add(event);
    return told;
  }

  private takeState({ keys, timeMs, text }: FoundLine, managedPath: string): void {
    const newer = this.newerState.get(managedPath);
    this.newerState.set(managedPath, { keys, timeMs });
    const gap = gapOf(keys);
    if (gap !== null) {
      this.pause({ fromMs: gap.fromMs, toMs: gap.toMs, reason: gap.reason }, text);
    } else if (keys.state === "stopped") {
      if (newer === undefined) this.pause({ fromMs: timeMs, toMs: null, reason: "removed" });
      else if (newer.keys.state === "started")
        this.pause({ fromMs: timeMs, toMs: newer.timeMs, reason: "removed" });
    }
  }

  private pause(pause: Pause, text: string | null = null): void {
    if (this.builder.begun >= this.request.count) return;
    const key = `${pause.fromMs} ${pause.toMs} ${pause.reason}`;
    if (this.pauses.has(key) || (pause.toMs === null && this.pauses.has("lasting"))) return;
    this.pauses.add(key);
    if (pause.toMs === null) this.pauses.add("lasting");
    this.builder.addOther(pause);
    if (text !== null) this.answer.onLine(text);
  }

  private tellWhetherItLasts(): void {
    const { logDir, owner } = this.request;
    const untilMs = recordedUntil(logDir, owner);
    if (untilMs !== null) this.pause({ fromMs: untilMs, toMs: null, reason: "no_daemon" });
  }

  /** What is known by now need not wait for the rest of a large log. */
  private passed(timeMs: number): void {
    if (this.histories.size !== 1) return;
    this.emit(timeMs);
    this.answer.onMoment();
  }

  private emit(timeMs: number): void {
    for (const item of this.builder.finished(timeMs)) this.tell(item);
  }

  private tell(item: Item<Pause>): void {
    if (item.kind === "change") this.answer.onChange(item.change);
    else this.answer.onPause(item.other);
  }

  /** The names are others from here on: every log is searched anew for what is older, and others may know of them. */
  private async followOn(taken: LogHistory, timeMs: number): Promise<void> {
    for (const history of this.histories.values()) {
      const needles = this.needles(history.managedPath);
      if (history === taken) await history.searchOn(needles, this.floorMs());
      else await history.searchFrom(timeMs + 1, needles, this.floorMs());
    }
    const names = [...this.names.all];
    const isRecorded = (name: string) => this.recorded.some((managed) => isAtOrBelow(name, managed));
    // Where nobody records a place, any log may tell that something went there.
    const anywhere = !names.every(isRecorded);
    const further = this.recorded.filter(
      (managed) =>
        !this.histories.has(managed) && (anywhere || names.some((name) => isAtOrBelow(name, managed))),
    );
    if (further.length > 0) await this.open(further, timeMs + 1);
  }

  /** The directory is read once for all of them: there may be thousands. */
  private async open(managedPaths: readonly string[], beforeMs: number): Promise<void> {
    const { logDir, owner } = this.request;
    const snapshot = takeSnapshot(logDir, new Set(managedPaths.map(logHash)), owner);
    this.snapshots.push(snapshot);
    for (const problem of snapshot.problems) this.answer.onProblem(problem);
    const filesOf = Map.groupBy(snapshot.files, ({ hash }) => hash);
    for (const managedPath of managedPaths) {
      const files = filesOf.get(logHash(managedPath)) ?? [];
      const first = files[0];
      if (first !== undefined) this.oldestFile.set(managedPath, first);
      const history = new LogHistory(
        managedPath,
        files,
        beforeMs,
        (timeMs) => this.passed(timeMs),
        (file, error) => this.answer.onProblem(`Cannot read all of "${file.path}": ${causeOf(error)}`),
      );
      this.histories.set(managedPath, history);
      await history.advance(this.needles(managedPath), this.floorMs());
    }
  }

  private needles(managedPath: string): Buffer[] {
    const known = this.knownNeedles.get(managedPath);
    const { version } = this.names;
    if (known?.version === version) return known.needles;
    const { recursive } = this.request;
    const withState = this.covering.has(managedPath);
    const needles = needlesFor(this.names.all, { managedPath, recursive, withState });
    this.knownNeedles.set(managedPath, { version, needles });
    return needles;
  }

  /** The earliest line of the covering logs. */
  private beginning(): number | null {
    const times = [...this.covering].flatMap((path) => {
      const file = this.oldestFile.get(path);
      const timeMs = file === undefined ? Number.NaN : headOf(file).timeMs;
      return Number.isNaN(timeMs) ? [] : [timeMs];
    });
    return times.length === 0 ? null : Math.min(...times);
  }
}
