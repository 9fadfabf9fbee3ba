// A managed path while the daemon runs: its filter, its log, the lines that wait for it, and what is counted
// of it.
import { hostname } from "node:os";
import { isAtOrBelow } from "../containment.ts";
import type { ManagedPath, PathState, PathStatus } from "../event.ts";
import { type CaptureFilter, compileFilter } from "../filter/filter.ts";
import { formatFilters } from "../filter/flags.ts";
import type { MarkKind } from "../kernel/fanotify.ts";
import { LineBuffer, monitoredText } from "../log/line.ts";
import type { WatchInfo } from "../log/state.ts";
import type { LogWriter } from "../log/writer.ts";
import type { Attachment } from "../resolve/filesystems/attach.ts";
import type { Mount } from "../resolve/filesystems/mounts.ts";
import type { Renaming } from "../resolve/filesystems/renamed-above.ts";
import type { Watch } from "../resolve/watch.ts";

/** A filesystem that was mounted at or below a managed path. */
interface Unmounted {
  type: string;
  /** When it was seen to be there for the last time. */
  sinceMs: number;
}

export class WatchedPath implements Watch {
  readonly path: string;
  managed: ManagedPath;
  filter: CaptureFilter;
  readonly lines = new LineBuffer();
  readonly monitored: Uint8Array;
  state: PathState = "pending";
  reason: string | null = null;
  notes: readonly string[] = [];
  filesystemType: string | null = null;
  /** Kind of the kernel's marks for it. */
  mark: MarkKind | null = null;
  /** What it lost by umount, by the mount point. */
  readonly unmounted = new Map<string, Unmounted>();
  eventsLogged = 0;
  eventsFiltered = 0;

  constructor(
    readonly id: number,
    managed: ManagedPath,
    readonly log: LogWriter,
  ) {
    this.path = managed.path;
    this.managed = managed;
    this.filter = compileFilter(managed, managed.path);
    this.monitored = monitoredText(managed.path);
  }

  get recursive(): boolean {
    return this.managed.recursive;
  }

  get hasExcludes(): boolean {
    return this.managed.exclude.length > 0;
  }

  excludesDirectory(path: string): boolean {
    return this.filter.excludesDirectory(path);
  }

  /**
   * Other filters for the same path. The caller attaches it anew: what is recursive or excluded shapes the
   * tree.
   */
  replace(managed: ManagedPath): void {
    this.managed = managed;
    this.filter = compileFilter(managed, managed.path);
  }

  becomes(state: PathState, reason: string | null): void {
    this.state = state;
    this.reason = reason;
  }

  /** Since when a part of it is unmounted; null while all is there. */
  get unmountedSinceMs(): number | null {
    const sinceMs = [...this.unmounted.values()].map((one) => one.sinceMs);
    return sinceMs.length === 0 ? null : Math.min(...sinceMs);
  }

  /** A directory above mount points was renamed. */
  moveUnmounted(renamed: Renaming): void {
    for (const [mountPoint, one] of this.unmounted) {
      const now = renamed(mountPoint);
      if (now === mountPoint) continue;
      this.unmounted.delete(mountPoint);
      if (isAtOrBelow(now, this.path)) this.unmounted.set(now, one);
    }
  }

  take(attachment: Attachment, mounts: readonly Mount[]): void {
    this.state = attachment.state;
    this.reason = attachment.reason;
    for (const { mountPoint } of mounts) this.unmounted.delete(mountPoint);
    const lost = [...this.unmounted].map(
      ([mountPoint, { type }]) => `the ${type} that was mounted at ${mountPoint} is unmounted`,
    );
    this.notes = attachment.state === "impossible" ? lost : [...lost, ...attachment.notes];
    this.mark = attachment.state === "impossible" ? null : attachment.filesystem.kind;
    this.filesystemType =
      attachment.state === "impossible" ? attachment.filesystemType : attachment.filesystem.type;
  }

  status(directories: number, scanning: boolean): PathStatus {
    return {
      ...this.managed,
      state: this.state,
      reason: [this.reason ?? [], this.notes].flat().join("; ") || null,
      mark: this.mark,
      filesystem: this.filesystemType,
      directories,
      scanning,
      eventsLogged: this.eventsLogged,
      eventsFiltered: this.eventsFiltered,
      logFile: this.log.path,
      logStuckSinceMs: this.log.incompleteSinceMs,
      unmountedSinceMs: this.unmountedSinceMs,
    };
  }
}

/** What a WATCH line says of a managed path. */
export function watchInfo(managed: ManagedPath, version: string): WatchInfo {
  return { filters: formatFilters(managed), host: hostname(), version };
}
