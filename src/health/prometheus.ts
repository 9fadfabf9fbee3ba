// A health report in Prometheus's text exposition format (version 0.0.4), for node_exporter's textfile collector. Counters run from the
// daemon's start, as Prometheus expects. Pure: text out.
import { GAP_REASONS, PATH_STATES } from "../event.ts";
import type { HealthReport } from "./report.ts";

type Labels = Readonly<Record<string, string>>;

class Page {
  text = "";

  /** One metric with all its samples; none at all is left out, since a family without a sample says nothing. */
  metric(
    name: string,
    type: "gauge" | "counter",
    help: string,
    samples: readonly (readonly [Labels, number | null])[],
  ): void {
    const known = samples.filter(([, value]) => value !== null);
    if (known.length === 0) return;
    this.text += `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${type}\n`;
    for (const [labels, value] of known) this.text += `${name}${labelText(labels)} ${value}\n`;
  }
}

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${labelValue(value)}"`);
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

/** Backslash, quote and newline are all that the format escapes; other bytes may stand as they are. */
function labelValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

export function healthMetrics(report: HealthReport): string {
  const page = new Page();
  const { daemon, disk, limits } = report;
  const one = (value: number | null) => [[{}, value] as const];
  page.metric("fsmon_up", "gauge", "1 if a daemon is recording.", one(daemon.kind === "none" ? 0 : 1));
  const controllable = daemon.kind === "answers" ? 1 : 0;
  page.metric("fsmon_controllable", "gauge", "1 if the daemon answers.", one(controllable));
  page.metric("fsmon_healthy", "gauge", "1 if everything is being recorded.", one(report.healthy ? 1 : 0));
  if (disk !== null) {
    page.metric("fsmon_log_disk_free_bytes", "gauge", "Free on the disk of the logs.", one(disk.freeBytes));
    page.metric("fsmon_log_disk_bytes", "gauge", "Size of the disk of the logs.", one(disk.totalBytes));
    page.metric("fsmon_logs_bytes", "gauge", "Size of all logs together.", one(disk.logsBytes));
  }
  page.metric("fsmon_log_keep_days", "gauge", "Events older than this are deleted.", one(limits.keepDays));
  page.metric("fsmon_log_max_size_bytes", "gauge", "Limit of one path's log.", one(limits.maxSizeBytes));
  if (daemon.kind === "answers") addDaemon(page, report, daemon.status);
  return page.text;
}

function addDaemon(
  page: Page,
  report: HealthReport,
  status: Extract<HealthReport["daemon"], { kind: "answers" }>["status"],
): void {
  const { memory } = status;
  const gauge = (name: string, help: string, value: number | null) =>
    page.metric(`fsmon_${name}`, "gauge", help, [[{}, value]]);
  const counter = (name: string, help: string, value: number) =>
    page.metric(`fsmon_${name}_total`, "counter", help, [[{}, value]]);
  page.metric("fsmon_build_info", "gauge", "Version of the daemon, as a label.", [
    [{ version: status.version, identification: status.identification }, 1],
  ]);
  gauge("start_time_seconds", "When the daemon started, seconds since 1970 UTC.", status.startedMs / 1000);
  counter("events_read", "Events from the kernel.", status.eventsRead);
  counter("events_logged", "Lines written to logs.", status.eventsLogged);
  counter("events_filtered", "Events that a filter left out.", status.eventsFiltered);
  counter("events_asked", "Events that a process was looked for.", status.eventsAsked);
  counter("events_unattributed", "Events that no process is known for.", status.eventsUnattributed);
  gauge("queue_events", "Events that wait in the kernel.", status.queueDepth);
  gauge("queue_events_max", "Highest number of waiting events so far.", status.queueDepthMax);
  gauge("queue_limit_events", "Events that the kernel holds before it drops some.", status.queueLimit);
  gauge("resident_memory_bytes", "Resident memory of the daemon.", memory.residentBytes);
  gauge("anonymous_memory_bytes", "The part of it that is no file.", memory.anonymousBytes);
  gauge("memory_limit_bytes", "Lowest memory limit of the daemon's cgroups.", memory.limitBytes);
  page.metric(
    "fsmon_gaps_total",
    "counter",
    "GAP lines written, by reason.",
    GAP_REASONS.map((reason) => [{ reason }, status.gaps[reason] ?? 0]),
  );
  const perPath = (
    name: string,
    type: "gauge" | "counter",
    help: string,
    of: (path: HealthReport["paths"][number]) => number | null,
  ) =>
    page.metric(
      `fsmon_path_${name}`,
      type,
      help,
      report.paths.map((one) => [{ path: one.status.path }, of(one)]),
    );
  page.metric(
    "fsmon_path_state",
    "gauge",
    "1 for the state that a managed path is in.",
    report.paths.flatMap(({ status: { path, state } }) =>
      PATH_STATES.map((one) => [{ path, state: one }, one === state ? 1 : 0] as const),
    ),
  );
  perPath("directories", "gauge", "Directories known below it.", (one) => one.status.directories);
  perPath("events_logged_total", "counter", "Lines in its log.", (one) => one.status.eventsLogged);
  perPath("events_filtered_total", "counter", "Events left out.", (one) => one.status.eventsFiltered);
  perPath("log_bytes", "gauge", "Size of its log.", (one) => one.log?.sizeBytes ?? null);
  perPath("log_first_seconds", "gauge", "Time of the oldest line, seconds since 1970 UTC.", (one) =>
    one.log?.firstMs == null ? null : one.log.firstMs / 1000,
  );
}
