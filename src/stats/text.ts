// A summary for a person: small tables side by side where there is room, and a histogram over time as wide as the terminal. A summary
// goes in, text comes out; every name is escaped.
import type { Colours } from "../show/colour.ts";
import { escapeForTerminal } from "../show/escape.ts";
import { formatCount, formatNumberOf, formatSize } from "../show/size.ts";
import { reasonText } from "../show/state.ts";
import { formatDate, formatDuration, formatMoment, formatTimeOfDay } from "../show/time.ts";
import { columnsOf, fitBeginning, fitEnd, padLeft, padRight } from "../show/width.ts";
import type { Bucket } from "./histogram.ts";
import type { Name, Summary } from "./stats.ts";

const ROWS_MAX = 8;
/** A month by days fits. */
const BUCKETS_MAX = 32;
/** For pipes and files. */
const USUAL_COLUMNS = 100;
/** Two tables beside each other from here on. */
const TWO_TABLES_COLUMNS = 92;
const GAP_COLUMNS = 4;
/** Eighths of a column: the finest that text can draw. */
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

export function statsText(summary: Summary, colours: Colours, terminalColumns: number | null): string {
  const columns = terminalColumns ?? USUAL_COLUMNS;
  const { events, firstMs, lastMs } = summary;
  const lines: string[] = [];
  const span =
    firstMs === null || lastMs === null
      ? ""
      : ` from ${formatMoment(firstMs)} to ${formatMoment(lastMs)} (${formatDuration(lastMs - firstMs)})`;
  lines.push(colours.bold(fitBeginning(`${formatNumberOf(events, "event")}${span}`, columns)));
  for (const { reason, count, durationMs } of summary.gaps) {
    const text = `! ${formatNumberOf(count, "gap")} of ${formatDuration(durationMs)} in all: ${reasonText(reason)}`;
    lines.push(colours.red(fitBeginning(text, columns)));
  }
  if (events === 0) return `${lines.join("\n")}\n`;
  const two = columns >= TWO_TABLES_COLUMNS;
  const width = two ? Math.floor((columns - GAP_COLUMNS) / 2) : columns;
  const painted = { colours, events, width };
  const tables = [
    table("what", summary.types, painted, fitBeginning),
    table("who", summary.users, painted, fitBeginning),
    table("with", summary.programs, painted, fitBeginning),
    table(
      `where${distinctText(summary.distinct.directories, "directory", "directories")}`,
      summary.directories,
      painted,
      fitEnd,
    ),
  ];
  for (let i = 0; i < tables.length; i += two ? 2 : 1) {
    lines.push("", ...beside(tables[i] ?? [], two ? (tables[i + 1] ?? []) : [], width));
  }
  const whole = { colours, events, width: columns };
  const files = `files${distinctText(summary.distinct.files, "file", "files")}`;
  lines.push(
    "",
    ...table(files, summary.files, whole, fitEnd),
    "",
    ...histogramLines(summary, colours, columns),
  );
  const errorMax = Math.max(...[summary.directories, summary.files].flat().map((one) => one.errorMax));
  if (errorMax > 0)
    lines.push("", colours.dim("~ there were too many names to count each: at most so many, see --json"));
  return `${lines.join("\n")}\n`;
}

function distinctText(count: number | null, one: string, many: string): string {
  return count === null ? ` (very many ${many})` : ` (${formatNumberOf(count, one, many)})`;
}

interface TableOptions {
  colours: Colours;
  events: number;
  width: number;
}

function table(
  title: string,
  names: readonly Name[],
  { colours, events, width }: TableOptions,
  fit: (text: string, columns: number) => string,
): string[] {
  // What may be more error than count tells nothing.
  const rows = names.filter(({ count, errorMax }) => errorMax * 2 < count).slice(0, ROWS_MAX);
  if (rows.length === 0) return [colours.bold(fitBeginning(title, width)), colours.dim("none stands out")];
  const counts = rows.map(({ count, errorMax }) => `${errorMax > 0 ? "~" : ""}${formatCount(count)}`);
  const countColumns = Math.max(...counts.map(columnsOf));
  const written = rows.map(({ bytes }) => (bytes > 0 ? formatSize(bytes) : ""));
  const sizeColumns = Math.max(...written.map(columnsOf));
  const barColumns = width >= 60 ? 12 : 6;
  // Two spaces between all of them.
  const nameColumns = Math.max(
    4,
    width - countColumns - barColumns - 4 - (sizeColumns === 0 ? 0 : sizeColumns + 2),
  );
  const heading = padRight(fitBeginning(title, width), width);
  return [
    colours.bold(heading),
    ...rows.map(({ name, count }, i) => {
      const text = fit(name === null ? "?" : escapeForTerminal(name), nameColumns);
      const bar = padRight(barOf(count / events, barColumns), barColumns);
      const cells = [padLeft(counts[i] ?? "", countColumns), colours.cyan(bar), padRight(text, nameColumns)];
      if (sizeColumns === 0) return cells.join("  ");
      return `${cells.join("  ")}  ${colours.dim(padLeft(written[i] ?? "", sizeColumns))}`;
    }),
  ];
}

/** Lines of known width, and what stands to the right of them. */
function beside(left: readonly string[], right: readonly string[], width: number): string[] {
  if (right.length === 0) return left.map((line) => line.trimEnd());
  return Array.from({ length: Math.max(left.length, right.length) }, (_, i) =>
    `${left[i] ?? " ".repeat(width)}${" ".repeat(GAP_COLUMNS)}${right[i] ?? ""}`.trimEnd(),
  );
}

function histogramLines({ histogram }: Summary, colours: Colours, columns: number): string[] {
  const buckets = histogram.buckets(BUCKETS_MAX);
  const first = buckets[0];
  if (first === undefined) return [];
  const most = Math.max(...buckets.map(({ count }) => count));
  const spanMs = first.toMs - first.fromMs;
  const labels = buckets.map((bucket) => labelOf(bucket, spanMs));
  const labelColumns = Math.max(...labels.map(columnsOf));
  const countColumns = formatCount(most).length;
  const barColumns = Math.max(4, columns - labelColumns - countColumns - 4);
  return [
    colours.bold(fitBeginning(`when (each line ${formatDuration(spanMs)})`, columns)),
    ...buckets.map(({ count }, i) => {
      const bar = barOf(count / most, barColumns);
      const cells = [padRight(labels[i] ?? "", labelColumns), padLeft(formatCount(count), countColumns)];
      return `${cells.join("  ")}  ${colours.green(bar)}`.trimEnd();
    }),
  ];
}

function labelOf({ fromMs }: Bucket, spanMs: number): string {
  if (spanMs >= 86_400_000) return formatDate(fromMs);
  const time = formatTimeOfDay(fromMs);
  return `${formatDate(fromMs)} ${spanMs >= 60_000 ? time.slice(0, 5) : time}`;
}

/** Something that is there shows, however small its share. */
function barOf(share: number, columns: number): string {
  const eighths = Math.min(columns * 8, Math.round(share * columns * 8));
  if (share > 0 && eighths === 0) return EIGHTHS[1] ?? "";
  return "█".repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? "");
}
