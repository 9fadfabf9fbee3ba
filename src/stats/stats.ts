// Events in numbers: who, what, with what, where and when. Lines as bytes go in, in any number; a summary of bounded size comes out.
// A line as fsmon writes it is read by one regular expression, any other is parsed. Hot.
import { parseObject } from "../log/json-text.ts";
import { lineTimeBytes, parseTime } from "../log/time.ts";
import type { ByteSink } from "../query/output.ts";
import { type LineKeys, numberKey, textKey } from "../show/event.ts";
import { LineSplitter } from "../show/lines.ts";
import { type GapSpan, gapOf } from "../show/state.ts";
import { Histogram } from "./histogram.ts";
import { type Counted, TopNames } from "./top.ts";

/** Users and programs: more than any machine has, unless somebody makes them up. */
const NAMES_MAX = 2000;
/** Paths are long: 4,000 of them are some hundred KB, 32 MB at worst. */
const PATHS_MAX = 2000;
const SHOWN_MAX = 100;
/** "?" can't be a name's beginning in a log of ours; what isn't known is counted together. */
const UNKNOWN = "\0";

const OURS =
  /^\{"time":"[^"]{29}","event_type":"([A-Z_]+)","path":"([^"\\]*)","pid":(?:\d+|null),"cmd":(?:"([^"\\]*)"|null),"user":(?:"([^"\\]*)"|null),"file_size":(\d+)/;

export interface Gaps {
  reason: string;
  count: number;
  durationMs: number;
}

export interface Name extends Omit<Counted, "name"> {
  /** Null: not known. */
  name: string | null;
}

export interface Summary {
  events: number;
  firstMs: number | null;
  lastMs: number | null;
  types: Name[];
  users: Name[];
  programs: Name[];
  directories: Name[];
  files: Name[];
  distinct: { directories: number | null; files: number | null };
  gaps: Gaps[];
  histogram: Histogram;
}

export class StatsSink implements ByteSink {
  private events = 0;
  private firstMs: number | null = null;
  private lastMs: number | null = null;
  private readonly types = new TopNames(100);
  private readonly users = new TopNames(NAMES_MAX);
  private readonly programs = new TopNames(NAMES_MAX);
  private readonly directories = new TopNames(PATHS_MAX);
  private readonly files = new TopNames(PATHS_MAX);
  private readonly histogram = new Histogram();
  private readonly gaps = new Map<string, Gaps>();
  /** A GAP stands in the log of each managed path. */
  private readonly told = new Set<string>();
  private readonly lines = new LineSplitter((bytes, start, end) => this.line(bytes, start, end));

  write(bytes: Uint8Array): boolean {
    this.lines.write(bytes);
    return true;
  }

  summary(): Summary {
    this.lines.end();
    const named = (names: TopNames) =>
      names.top(SHOWN_MAX).map((one): Name => ({ ...one, name: one.name === UNKNOWN ? null : one.name }));
    return {
      events: this.events,
      firstMs: this.firstMs,
      lastMs: this.lastMs,
      types: named(this.types),
      users: named(this.users),
      programs: named(this.programs),
      directories: named(this.directories),
      files: named(this.files),
      distinct: { directories: this.directories.distinct, files: this.files.distinct },
      gaps: [...this.gaps.values()],
      histogram: this.histogram,
    };
  }

  private line(bytes: Buffer, start: number, end: number): void {
    const timeMs = lineTimeBytes(bytes, start);
    const text = bytes.toString("utf8", start, end);
    const ours = Number.isNaN(timeMs) ? null : OURS.exec(text);
    if (ours !== null && ours[1] !== "GAP" && ours[1] !== "WATCH") {
      this.count(timeMs, ours[1]!, ours[2]!, ours[3] ?? null, ours[4] ?? null, Number(ours[5]));
      return;
    }
    const keys = parseObject(text);
    if (keys !== null) this.parsed(keys);
  }

  private parsed(keys: LineKeys): void {
    const gap = gapOf(keys);
    if (gap !== null) this.gap(gap);
    const type = textKey(keys, "event_type") ?? "";
    const timeMs = parseTime(textKey(keys, "time") ?? "");
    if (gap !== null || type === "WATCH" || Number.isNaN(timeMs)) return;
    const path = textKey(keys, "path") ?? "";
    this.count(
      timeMs,
      type,
      path,
      textKey(keys, "cmd"),
      textKey(keys, "user"),
      numberKey(keys, "file_size") ?? 0,
    );
  }

  private count(
    timeMs: number,
    type: string,
    path: string,
    cmd: string | null,
    user: string | null,
    fileSizeBytes: number,
  ): void {
    this.events++;
    this.firstMs ??= timeMs;
    this.lastMs = Math.max(this.lastMs ?? timeMs, timeMs);
    const writtenBytes = type === "CLOSE_WRITE" ? fileSizeBytes : 0;
    this.types.add(type, writtenBytes);
    this.users.add(user ?? UNKNOWN, writtenBytes);
    this.programs.add(cmd ?? UNKNOWN, writtenBytes);
    this.directories.add(path.slice(0, Math.max(1, path.lastIndexOf("/"))), writtenBytes);
    this.files.add(path, writtenBytes);
    this.histogram.add(timeMs);
  }

  private gap({ fromMs, toMs, reason }: GapSpan): void {
    const key = `${fromMs} ${toMs} ${reason}`;
    if (this.told.has(key)) return;
    if (this.told.size < 10_000) this.told.add(key);
    const gaps = this.gaps.get(reason) ?? { reason, count: 0, durationMs: 0 };
    gaps.count++;
    gaps.durationMs += toMs - fromMs;
    this.gaps.set(reason, gaps);
  }
}
