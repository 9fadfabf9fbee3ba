// What the running daemon says of a managed path, for programs: the same keys in `managed --json` and `health --json`. Times in UTC,
// null for what isn't known.
import type { PathStatus } from "../event.ts";
import { formatTime } from "../log/time.ts";

export function statusJson(status: PathStatus): Record<string, unknown> {
  return {
    state: status.state,
    reason: status.reason,
    mark: status.mark,
    filesystem: status.filesystem,
    directories: status.directories,
    scanning: status.scanning,
    events_logged: status.eventsLogged,
    events_filtered: status.eventsFiltered,
    log_file: status.logFile,
    log_stuck_since: time(status.logStuckSinceMs),
    unmounted_since: time(status.unmountedSinceMs),
  };
}

function time(timeMs: number | null): string | null {
  return timeMs === null ? null : formatTime(timeMs);
}
