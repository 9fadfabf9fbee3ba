// Logs as a daemon would have written them, for tests of what is read out of them: events are given in order, times by themselves.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringifySafely } from "../../src/log/json-text.ts";
import { logHash } from "../../src/log/names.ts";
import { formatTime } from "../../src/log/time.ts";

export const T0 = Date.UTC(2026, 4, 7, 10, 0, 0);

/** One line; `seconds` after T0. */
export function line(
  seconds: number,
  type: string,
  path: string,
  more: Record<string, unknown> = {},
): string {
  const { monitored_path = "/srv", pid = 100, cmd = "sh", user = "alice", file_size = 5, ...rest } = more;
  const time = formatTime(T0 + seconds * 1000);
  return `${stringifySafely({ time, event_type: type, path, pid, cmd, user, file_size, monitored_path, ...rest })}\n`;
}

const STATE = { pid: null, cmd: null, user: null, file_size: 0 };

export function watchLine(seconds: number, state: string, path = "/srv"): string {
  return line(seconds, "WATCH", path, {
    ...STATE,
    monitored_path: path,
    state,
    filters: "recursive",
    host: "h",
    version: "0",
  });
}

export function gapLine(from: number, to: number, reason: string, path = "/srv"): string {
  const span = { gap_from: formatTime(T0 + from * 1000), gap_to: formatTime(T0 + to * 1000), lost: null };
  return line(to, "GAP", path, { ...STATE, monitored_path: path, reason, ...span });
}

/** The three lines of a rename. */
export function renameLines(
  seconds: number,
  from: string,
  to: string,
  more: Record<string, unknown> = {},
): string {
  return (
    line(seconds, "MOVED_FROM", from, { ...more, file_size: 0, to }) +
    line(seconds, "MOVED_TO", to, { ...more, from }) +
    line(seconds, "MOVE_SELF", to, more)
  );
}

/** The last text is what is being written to; those before it are sealed segments. */
export function writeLog(logDir: string, managed: string, ...segments: string[]): void {
  mkdirSync(logDir, { recursive: true });
  for (const [i, text] of segments.entries()) {
    const number = i === segments.length - 1 ? "" : `.${String(i + 1).padStart(6, "0")}`;
    writeFileSync(join(logDir, `${logHash(managed)}${number}_log.jsonl`), text);
  }
}

export function manage(
  managedFile: string,
  ...entries: { path: string; recursive?: boolean; exclude?: string[]; only_cmd?: string[] }[]
): void {
  mkdirSync(join(managedFile, ".."), { recursive: true });
  const lines = entries.map((entry) => `${JSON.stringify({ recursive: true, ...entry })}\n`);
  writeFileSync(managedFile, lines.join(""));
}
