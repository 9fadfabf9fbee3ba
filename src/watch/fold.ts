// Events → rows at a pace that a person can read: each by itself while they are few, folded with their number when they come
// faster. Parsed lines and the time go in, rows come out. State lines are never folded. Bounded.
import { dirname } from "node:path";
import { type LineKeys, textKey } from "../show/event.ts";
import type { EventRows } from "../show/rows.ts";
import { formatNumberOf } from "../show/size.ts";

/** A screenful may come at once … */
const BURST_ROWS = 24;
/** … and so many a second can still be followed by eye. */
const ROWS_PER_SECOND = 20;
/** How often what was folded is shown: slower than this feels stuck. */
const FOLD_MS = 500;
/** Rows of one showing. */
const FOLDED_ROWS = 10;
/** Kinds of events that are told apart meanwhile; the rest is counted together. */
const GROUPS_MAX = 1000;

interface Group {
  keys: LineKeys;
  timeMs: number;
  count: number;
  /** All of one path, not only of one directory. */
  samePath: boolean;
}

export class Fold {
  private readonly rows: EventRows;
  private readonly groups = new Map<string, Group>();
  private beyond = 0;
  private tokens = BURST_ROWS;
  private refilledAtMs: number;
  private shownAtMs: number;

  constructor(rows: EventRows, nowMs: number) {
    this.rows = rows;
    this.refilledAtMs = nowMs;
    this.shownAtMs = nowMs;
  }

  /** Something waits to be shown by tick(). */
  get holds(): boolean {
    return this.groups.size > 0 || this.beyond > 0;
  }

  /** @returns rows that are due at once; "" when the event was folded */
  add(keys: LineKeys, timeMs: number, nowMs: number): string {
    this.refill(nowMs);
    const type = textKey(keys, "event_type") ?? "";
    if (type === "GAP" || type === "WATCH") return this.showAll(nowMs) + this.rows.row(keys, timeMs);
    if (!this.holds && this.tokens >= 1) {
      this.tokens--;
      return this.rows.row(keys, timeMs);
    }
    this.fold(keys, timeMs, type, nowMs);
    return "";
  }

  /** Events that passed without being looked at. */
  passOver(count: number): void {
    this.beyond += count;
  }

  /** @returns what was folded, once its time has come */
  tick(nowMs: number): string {
    this.refill(nowMs);
    return this.holds && nowMs - this.shownAtMs >= FOLD_MS ? this.showAll(nowMs) : "";
  }

  private fold(keys: LineKeys, timeMs: number, type: string, nowMs: number): void {
    const path = textKey(keys, "path") ?? "";
    const key = [type, keys.cmd, keys.user, keys.monitored_path, dirname(path)].map(String).join("\0");
    if (!this.holds) this.shownAtMs = nowMs;
    const group = this.groups.get(key);
    if (group === undefined) {
      if (this.groups.size >= GROUPS_MAX) this.beyond++;
      else this.groups.set(key, { keys, timeMs, count: 1, samePath: true });
      return;
    }
    if (textKey(group.keys, "path") !== path) group.samePath = false;
    group.keys = keys;
    group.timeMs = timeMs;
    group.count++;
  }

  private showAll(nowMs: number): string {
    if (!this.holds) return "";
    this.shownAtMs = nowMs;
    const groups = [...this.groups.values()].sort((a, b) => b.count - a.count);
    const shown = groups.slice(0, Math.max(FOLDED_ROWS, Math.floor(this.tokens)));
    const rest = groups.slice(shown.length);
    this.tokens = Math.max(0, this.tokens - shown.length);
    let text = shown
      .sort((a, b) => a.timeMs - b.timeMs)
      .map((group) => this.rows.row(folded(group), group.timeMs, group.count))
      .join("");
    const more = rest.reduce((sum, { count }) => sum + count, this.beyond);
    if (more > 0) text += this.rows.remark(`${formatNumberOf(more, "more event")} (query shows each)`);
    this.groups.clear();
    this.beyond = 0;
    return text;
  }

  private refill(nowMs: number): void {
    const gained = ((nowMs - this.refilledAtMs) * ROWS_PER_SECOND) / 1000;
    this.tokens = Math.min(BURST_ROWS, this.tokens + Math.max(0, gained));
    this.refilledAtMs = nowMs;
  }
}

/** Of several paths in one directory, the directory is told: "sub/*". */
function folded({ keys, count, samePath }: Group): LineKeys {
  if (count === 1 || samePath) return keys;
  const { from: _from, to: _to, dir: _dir, ...rest } = keys;
  const directory = dirname(textKey(keys, "path") ?? "/");
  return { ...rest, path: directory === "/" ? "/*" : `${directory}/*` };
}
