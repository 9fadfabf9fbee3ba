// Events as aligned rows, one line each: time, type, user, program, size, path. Parsed lines go in, text for a terminal of any
// width, or for a pipe, comes out. Every name is escaped; columns grow with what they have seen, up to a share of the width.
import type { Colours } from "./colour.ts";
import { escapeForTerminal } from "./escape.ts";
import {
  chainOf,
  type EventKind,
  kindOf,
  type LineKeys,
  programOf,
  relativeTo,
  sizeBytesOf,
  textKey,
  userOf,
} from "./event.ts";
import { formatCount, formatSize } from "./size.ts";
import { gapOf, gapText, watchText } from "./state.ts";
import { formatDate, formatTimeOfDay } from "./time.ts";
import { columnsOf, fitBeginning, fitEnd, padLeft, padRight } from "./width.ts";

export interface RowOptions {
  colours: Colours;
  /** Asked before each row, because a terminal may be resized; null: nothing is cut (a pipe, a file). */
  columns: () => number | null;
  /** Each row bears its date; otherwise a line of its own tells when the date changes. */
  dated: boolean;
  /** The only managed path there is, so that nobody needs to be told; null: each row names its own. */
  onlyPath: () => string | null;
}

/** "CLOSE_NOWRITE"; what is rarer than the default types may push its row to the right. */
const TYPE_COLUMNS = 11;
const SIZE_COLUMNS = 6;
const USER_MAX_COLUMNS = 16;
/** comm has 15 bytes (TASK_COMM_LEN). */
const CMD_MAX_COLUMNS = 16;
const CHAIN_MAX_COLUMNS = 36;
/** From here on there is room for milliseconds and ancestry; below the other one user and size have to go. */
const WIDE_COLUMNS = 110;
const NARROW_COLUMNS = 64;
/** Below this, and the date where there is one, only type and path are left, the type cut to a third. */
const TINY_COLUMNS = 36;

type Paint = (text: string) => string;

export function paintOf(kind: EventKind, colours: Colours): Paint {
  switch (kind) {
    case "made":
      return colours.green;
    case "written":
      return colours.yellow;
    case "gone":
      return colours.red;
    case "moved":
      return colours.magenta;
    case "attributes":
      return colours.cyan;
    case "read":
      return colours.blue;
    case "state":
      return colours.bold;
    case "fault":
      return (text) => colours.bold(colours.red(text));
  }
}

export class EventRows {
  private readonly options: RowOptions;
  private date = "";
  private userColumns = 5;
  private programColumns = 8;

  constructor(options: RowOptions) {
    this.options = options;
  }

  /**
   * One row with its newline; before it a line with the date, where that has changed.
   *
   * @param count how many events the row stands for; their paths are then below `path`
   */
  row(keys: LineKeys, timeMs: number, count = 1): string {
    const { colours, dated } = this.options;
    const columns = this.options.columns();
    const date = formatDate(timeMs);
    const heading = !dated && this.date !== "" && date !== this.date ? `${colours.dim(date)}\n` : "";
    this.date = date;
    const wide = columns === null || columns >= WIDE_COLUMNS;
    const time = formatTimeOfDay(timeMs, wide);
    const type = escapeForTerminal(String(keys.event_type));
    const kind = kindOf(type);
    const paint = paintOf(kind, colours);
    if (columns !== null && columns < TINY_COLUMNS + (dated ? date.length + 1 : 0)) {
      const what = fitBeginning(type, Math.floor(columns / 3));
      const room = columns - columnsOf(what) - 1;
      const isState = kind === "state" || keys.event_type === "GAP";
      const rest = isState ? this.stateText(keys, room) : this.pathText(keys, room, count);
      return `${heading}${paint(what)} ${rest}\n`;
    }
    const left = [colours.dim(dated ? `${date} ${time}` : time), paint(padRight(type, TYPE_COLUMNS))];
    let used = (dated ? date.length + 1 : 0) + time.length + 1 + Math.max(TYPE_COLUMNS, columnsOf(type));
    if (kind === "state" || keys.event_type === "GAP") {
      const room = columns === null ? null : columns - used - 1;
      return `${heading}${[...left, this.stateText(keys, room)].join(" ")}\n`;
    }
    const narrow = columns !== null && columns < NARROW_COLUMNS;
    if (!narrow) {
      const user = this.user(keys, columns);
      left.push(user);
      used += 1 + columnsOf(user);
    }
    const program = this.program(keys, columns, wide);
    used += 1 + columnsOf(program);
    left.push(colours.bold(program));
    if (!narrow) {
      const size = padLeft(sizeText(keys, count), SIZE_COLUMNS);
      left.push(size);
      used += 1 + columnsOf(size);
    }
    const room = columns === null ? null : Math.max(1, columns - used - 1);
    return `${heading}${[...left, this.pathText(keys, room, count)].join(" ")}\n`;
  }

  /** A row that is no event. */
  remark(sentence: string): string {
    const columns = this.options.columns();
    const text = `… ${sentence}`;
    return `${this.options.colours.dim(columns === null ? text : fitBeginning(text, columns))}\n`;
  }

  private user(keys: LineKeys, columns: number | null): string {
    const max = columns === null ? USER_MAX_COLUMNS * 2 : Math.min(USER_MAX_COLUMNS, Math.floor(columns / 7));
    const user = columns === null ? userOf(keys) : fitBeginning(userOf(keys), max);
    this.userColumns = Math.min(max, Math.max(this.userColumns, columnsOf(user)));
    return padRight(user, this.userColumns);
  }

  private program(keys: LineKeys, columns: number | null, wide: boolean): string {
    const share = columns === null ? CHAIN_MAX_COLUMNS : Math.floor(columns / (wide ? 4 : 6));
    const max = Math.min(wide ? CHAIN_MAX_COLUMNS : CMD_MAX_COLUMNS, Math.max(6, share));
    const text = wide ? chainOf(keys) : programOf(keys);
    // A pipe loses nothing: there a long chain pushes its row to the right.
    const fitted = columns === null ? text : wide ? fitEnd(text, max) : fitBeginning(text, max);
    this.programColumns = Math.min(max, Math.max(this.programColumns, columnsOf(fitted)));
    return padRight(fitted, this.programColumns);
  }

  private pathText(keys: LineKeys, room: number | null, count: number): string {
    const { colours } = this.options;
    const onlyPath = this.options.onlyPath();
    const managed = textKey(keys, "monitored_path") ?? "";
    const shown = (path: string) => {
      const relative = relativeTo(path, managed);
      const whole = managed === onlyPath || relative === path ? relative : relative === "." ? path : null;
      const text = escapeForTerminal(whole ?? relative);
      return { before: whole === null ? escapeForTerminal(managed === "/" ? "/" : `${managed}/`) : "", text };
    };
    const path = shown(textKey(keys, "path") ?? "?");
    const name = keys.dir === true && !path.text.endsWith("/") ? `${path.text}/` : path.text;
    const from = textKey(keys, "from");
    const to = textKey(keys, "to");
    const end = from !== null ? shown(from) : to !== null ? shown(to) : null;
    const arrow = keys.exchange === true ? " <-> " : from !== null ? " <- " : " -> ";
    const other = end === null ? "" : `${arrow}${end.before}${end.text}`;
    const times = count === 1 ? "" : ` (${formatCount(count)} times)`;
    const more = room !== null && columnsOf(times) > room / 2 ? "" : times;
    if (room === null) return `${colours.dim(path.before)}${name}${more}${other}`;
    // The file's own name matters most, then the other end, and the managed path least.
    const tail =
      columnsOf(other) === 0 ? "" : fitEnd(other, Math.max(0, room - columnsOf(name) - columnsOf(more)));
    const kept = other !== "" && columnsOf(tail) < 12 && tail !== other ? "" : tail;
    const nameRoom = Math.max(1, room - columnsOf(kept) - columnsOf(more));
    const fitted = fitEnd(name, nameRoom);
    const before = fitEnd(path.before, Math.max(0, nameRoom - columnsOf(fitted)));
    return `${colours.dim(before.length > 1 ? before : "")}${fitted}${more}${kept}`;
  }

  private stateText(keys: LineKeys, room: number | null): string {
    const gap = gapOf(keys);
    const unreadable = keys.event_type === "GAP" ? "events may be missing" : watchText(keys);
    const sentence = gap === null ? unreadable : gapText(gap);
    const path = textKey(keys, "monitored_path") ?? "?";
    const text = path === this.options.onlyPath() ? sentence : `${escapeForTerminal(path)}: ${sentence}`;
    return room === null ? text : fitBeginning(text, Math.max(1, room));
  }
}

function sizeText(keys: LineKeys, count: number): string {
  const sizeBytes = count === 1 ? sizeBytesOf(keys) : null;
  return sizeBytes === null ? "-" : formatSize(sizeBytes);
}
