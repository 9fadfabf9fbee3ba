// Changes as aligned rows: when, how long ago, by whom, with what, and what was done. Changes and pauses go in; text for a
// terminal of a given width, or for a pipe, comes out. Every name is escaped.
import { dirname } from "node:path";
import type { Colours } from "../show/colour.ts";
import { escapeForTerminal } from "../show/escape.ts";
import { chainOf, kindOf, numberKey, programOf, textKey, userOf } from "../show/event.ts";
import { paintOf } from "../show/rows.ts";
import { gapText, reasonText } from "../show/state.ts";
import { formatAge, formatDuration, formatMoment } from "../show/time.ts";
import { columnsOf, fitBeginning, fitEnd, padRight } from "../show/width.ts";
import type { Change } from "./changes.ts";
import { changeText, shortName } from "./sentence.ts";
import type { Pause } from "./who.ts";

export interface ChangeRowOptions {
  colours: Colours;
  /** Null: nothing is cut. */
  columns: number | null;
  nowMs: number;
  /** That was asked for. */
  path: string;
  recursive: boolean;
}

const USER_MAX_COLUMNS = 20;
const PROGRAM_MAX_COLUMNS = 48;
/** Below this, the age must do for the time, and the ancestry has to go. */
const NARROW_COLUMNS = 90;

type Row = { change: Change; when: string; user: string; program: string; what: string } | { pause: string };

export class ChangeRows {
  private readonly options: ChangeRowOptions;
  private rows: Row[] = [];
  private readonly pauses: Pause[] = [];

  constructor(options: ChangeRowOptions) {
    this.options = options;
  }

  /** @returns how many rows wait */
  addChange(change: Change): number {
    this.endPauses();
    const { columns, nowMs, path, recursive } = this.options;
    const narrow = columns !== null && columns < NARROW_COLUMNS;
    const newest = change.events[0]!;
    const { keys, relation } = newest;
    const age = formatAge(change.newestMs, nowMs);
    const pid = numberKey(keys, "pid");
    const directory = recursive ? path : dirname(path);
    // What it was called then, where the words don't end with its name now.
    const name = relation.name === path && !recursive ? "" : shortName(relation.name, directory);
    const what = changeText(change, directory);
    this.rows.push({
      change,
      when: narrow ? age : `${formatMoment(change.newestMs)}  ${age.padEnd(8)}`,
      user: userOf(keys),
      program: `${narrow ? programOf(keys) : chainOf(keys)}${pid === null ? "" : `[${pid}]`}`,
      what: recursive
        ? `${escapeForTerminal(name === path ? "." : name)}: ${what}`
        : `${what}${name === "" ? "" : `, as ${escapeForTerminal(name)}`}`,
    });
    return this.rows.length;
  }

  addPause(pause: Pause): void {
    this.pauses.push(pause);
  }

  /** The rows so far, aligned with each other. */
  take(): string {
    this.endPauses();
    const { colours, columns } = this.options;
    const changes = this.rows.filter((row) => "change" in row);
    const whenColumns = Math.max(0, ...changes.map(({ when }) => columnsOf(when)));
    const widest = (texts: string[], max: number) => Math.min(max, Math.max(0, ...texts.map(columnsOf)));
    const share = columns === null ? Number.POSITIVE_INFINITY : columns;
    const userColumns = widest(
      changes.map(({ user }) => user),
      Math.min(USER_MAX_COLUMNS, Math.max(4, Math.floor(share / 6))),
    );
    const programColumns = widest(
      changes.map(({ program }) => program),
      Math.min(PROGRAM_MAX_COLUMNS, Math.max(8, Math.floor(share / 3.5))),
    );
    const room =
      columns === null ? null : Math.max(8, columns - whenColumns - userColumns - programColumns - 6);
    const text = this.rows.map((row) => {
      if ("pause" in row) {
        const fitted = columns === null ? row.pause : fitBeginning(row.pause, columns);
        return `${colours.bold(colours.red(fitted))}\n`;
      }
      const cells = [
        colours.dim(padRight(row.when, whenColumns)),
        padRight(columns === null ? row.user : fitBeginning(row.user, userColumns), userColumns),
        colours.bold(
          padRight(columns === null ? row.program : fitEnd(row.program, programColumns), programColumns),
        ),
        this.paint(row.change)(room === null ? row.what : fitBeginning(row.what, room)),
      ];
      return `${cells.join("  ").trimEnd()}\n`;
    });
    this.rows = [];
    return text.join("");
  }

  private paint(change: Change): (text: string) => string {
    const kinds = change.events.map(({ keys }) => kindOf(textKey(keys, "event_type") ?? ""));
    const order = ["written", "gone", "moved", "made", "attributes", "read"] as const;
    return paintOf(order.find((kind) => kinds.includes(kind)) ?? "read", this.options.colours);
  }

  /** Pauses next to each other are told in one row. */
  private endPauses(): void {
    const pauses = this.pauses.splice(0);
    const first = pauses[0];
    const lasting = pauses.filter((pause) => pause.toMs === null);
    for (const pause of lasting) this.rows.push({ pause: `! ${lastingText(pause, this.options.nowMs)}` });
    const over = pauses.filter((pause) => pause.toMs !== null);
    if (first === undefined || over.length === 0) return;
    if (over.length === 1) {
      this.rows.push({ pause: `! ${pauseText(over[0]!)}` });
      return;
    }
    const fromMs = Math.min(...over.map((pause) => pause.fromMs));
    const toMs = Math.max(...over.map((pause) => pause.toMs ?? 0));
    const sumMs = over.reduce((sum, pause) => sum + (pause.toMs ?? 0) - pause.fromMs, 0);
    const reasons = [...new Set(over.map(({ reason }) => wordsOf(reason)))].join("; ");
    const between = `between ${formatMoment(fromMs)} and ${formatMoment(toMs)}`;
    this.rows.push({
      pause: `! ${over.length} gaps ${between} (${formatDuration(sumMs)} in all): ${reasons}`,
    });
  }
}

function wordsOf(reason: string): string {
  return reason === "removed" ? "the path was not managed" : reasonText(reason);
}

function pauseText(pause: Pause): string {
  const { fromMs, toMs, reason } = pause;
  if (reason !== "removed") return gapText({ fromMs, toMs: toMs ?? fromMs, reason, lost: null });
  return `nothing was recorded from ${formatMoment(fromMs)} to ${formatMoment(toMs ?? fromMs)}: ${wordsOf(reason)}`;
}

export function lastingText({ fromMs, reason }: Pause, nowMs: number): string {
  const why = reason === "removed" ? "the path is no longer managed" : "no daemon is running";
  return `Nothing has been recorded since ${formatMoment(fromMs)} (${formatAge(fromMs, nowMs)}): ${why}`;
}
