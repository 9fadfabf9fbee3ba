// A health report for a person: the verdict and what is wrong first, then what there is, a line each. Pure: lines out.
import type { LogForecast } from "../clean/forecast.ts";
import type { DaemonStatus } from "../control/protocol.ts";
import type { GapReason } from "../event.ts";
import { formatFilters } from "../filter/flags.ts";
import { type Colours, paintState } from "../show/colour.ts";
import { escapeForTerminal } from "../show/escape.ts";
import { formatCount, formatNumberOf, formatSize } from "../show/size.ts";
import { formatAge, formatDate, formatDuration, formatMoment } from "../show/time.ts";
import { padRight } from "../show/width.ts";
import type { DiskHealth, HealthReport, PathHealth } from "./report.ts";

const LABEL_COLUMNS = 11;
/** Further ahead than this nobody plans. */
const FAR_MS = 10 * 365 * 86_400_000;

export function healthText(report: HealthReport, colours: Colours): string {
  const { daemon } = report;
  const lines = report.healthy
    ? [colours.green("Healthy")]
    : [
        colours.red("Not healthy"),
        ...report.problems.map((one) => `  ${colours.red("-")} ${escapeForTerminal(one)}`),
      ];
  const row = (label: string, text: string) =>
    lines.push(`${colours.dim(padRight(label, LABEL_COLUMNS))}${text}`);

  if (daemon.kind === "answers") addDaemon(row, report, daemon.status);
  else if (daemon.kind === "uncontrolled") {
    const { pid, startedMs, lastBeatMs } = daemon.running;
    row(
      "Daemon",
      `pid ${pid}, since ${formatMoment(startedMs)}; last beat ${formatAge(lastBeatMs, report.nowMs)}`,
    );
  }
  if (report.disk !== null) row("Disk", diskText(report.disk, report.nowMs));
  for (const path of report.paths) {
    lines.push("", ...pathLines(path, report, colours));
  }
  return `${lines.join("\n")}\n`;
}

function addDaemon(
  row: (label: string, text: string) => void,
  { nowMs }: HealthReport,
  status: DaemonStatus,
): void {
  const { memory, recent } = status;
  const upFor = formatDuration(status.nowMs - status.startedMs);
  row(
    "Daemon",
    `up since ${formatMoment(status.startedMs)} (${upFor}), pid ${status.pid}, fsmon ${status.version}`,
  );
  const rate = (count: number) => rateText(count, recent.windowMs);
  row("Events", `${formatCount(status.eventsRead)} read (${rate(recent.eventsRead)})`);
  row("", `${formatCount(status.eventsLogged)} lines logged (${rate(recent.eventsLogged)})`);
  row("", `${formatCount(status.eventsFiltered)} filtered (${rate(recent.eventsFiltered)})`);
  const queue = `${formatNumberOf(status.queueDepth, "event")} now, ${formatCount(status.queueDepthMax)} at most`;
  row("Queue", `${queue}, room for ${formatCount(status.queueLimit)}`);
  row("Gaps", gapsText(status, nowMs));
  row("Processes", status.identification);
  row("", unattributedText(status));
  const limit = memory.limitBytes === null ? "" : `, limit ${formatSize(memory.limitBytes)}`;
  const resident = `${formatSize(memory.residentBytes)} resident (${formatSize(memory.residentMaxBytes)} at most)`;
  row("Memory", `${resident}, ${formatSize(memory.anonymousBytes)} of it anonymous${limit}`);
  for (const note of status.notes) row("Note", escapeForTerminal(note));
}

function rateText(count: number, windowMs: number): string {
  if (windowMs < 1000) return "just started";
  const perSecond = count / (windowMs / 1000);
  const digits = perSecond === 0 || perSecond >= 100 ? 0 : perSecond >= 10 ? 1 : 2;
  const [whole = "", decimals] = perSecond.toFixed(digits).split(".");
  const number = formatCount(Number(whole)) + (decimals === undefined ? "" : `.${decimals}`);
  return `${number} a second over ${formatDuration(windowMs)}`;
}

function gapsText(status: DaemonStatus, nowMs: number): string {
  const parts = Object.entries(status.gaps).map(([reason, count]) => {
    const lastMs = status.gapsLastMs[reason as GapReason];
    return `${formatCount(count)} ${reason}${lastMs === undefined ? "" : ` (last ${formatAge(lastMs, nowMs)})`}`;
  });
  return parts.length === 0 ? "none" : parts.join(", ");
}

function unattributedText({ eventsAsked, eventsUnattributed }: DaemonStatus): string {
  if (eventsUnattributed === 0) return `none of ${formatCount(eventsAsked)} events without a process`;
  const share = `${((eventsUnattributed / eventsAsked) * 100).toPrecision(2)}%`;
  return `${formatCount(eventsUnattributed)} of ${formatNumberOf(eventsAsked, "event")} without a process (${share})`;
}

function diskText(disk: DiskHealth, nowMs: number): string {
  const free = `${formatSize(disk.freeBytes)} of ${formatSize(disk.totalBytes)} free, logs ${formatSize(disk.logsBytes)}`;
  const full = disk.fullMs === null ? "" : `, full in about ${ahead(disk.fullMs, nowMs)}`;
  return `${free}${full}: ${escapeForTerminal(disk.logDir)}`;
}

function pathLines({ status, log }: PathHealth, report: HealthReport, colours: Colours): string[] {
  const how =
    status.mark === null
      ? ""
      : ` by ${status.mark === "inode" ? "inode marks" : "a filesystem mark"} on ${status.filesystem ?? "?"}, ` +
        formatNumberOf(status.directories, "directory", "directories") +
        (status.scanning ? " so far" : "");
  const reason = status.reason === null ? "" : `: ${escapeForTerminal(status.reason)}`;
  const lines = [
    colours.bold(escapeForTerminal(status.path)),
    `  ${paintState(status.state, colours)}${how}${reason}`,
    `  ${escapeForTerminal(formatFilters(status))}`,
    `  ${formatCount(status.eventsLogged)} lines logged, ${formatCount(status.eventsFiltered)} events filtered`,
  ];
  if (log !== null) lines.push(`  ${logText(log, report)}`);
  return lines;
}

function logText(log: LogForecast, { nowMs, limits }: HealthReport): string {
  const since = log.firstMs === null ? "" : ` since ${formatDate(log.firstMs)}`;
  const growth = log.bytesPerDay === null ? "" : `, ${formatSize(log.bytesPerDay)} a day`;
  const parts: string[] = [];
  if (log.keepDaysFromMs !== null)
    parts.push(`keep_days = ${limits.keepDays} deletes ${from(log.keepDaysFromMs, nowMs)}`);
  const size = `max_size = ${formatSize(limits.maxSizeBytes)}`;
  if (log.maxSizeFromMs !== null) parts.push(`${size} deletes ${from(log.maxSizeFromMs, nowMs)}`);
  else if (log.bytesPerDay !== null) parts.push(`${size} is never reached at this rate`);
  return `log ${formatSize(log.sizeBytes)}${since}${growth}; ${parts.join(", ")}`;
}

function from(timeMs: number, nowMs: number): string {
  return timeMs <= nowMs ? "now" : `from ${ahead(timeMs, nowMs)} on`;
}

/** "2026-06-01 (in 12d)", or that it is far off. */
function ahead(timeMs: number, nowMs: number): string {
  if (timeMs - nowMs > FAR_MS) return "a time far off";
  return `${formatDate(timeMs)} (in ${formatDuration(timeMs - nowMs)})`;
}
