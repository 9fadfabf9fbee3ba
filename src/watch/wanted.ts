// Which lines a viewer asked for: what lies at or below some paths, and passes filters as in `fsmon add`. Parsed lines go in, yes or
// no comes out. State lines always pass: whoever watches must know when something may be missing.
import { dirname } from "node:path";
import { isAtOrBelow } from "../containment.ts";
import { EVENT_TYPES, type FilterSpec } from "../event.ts";
import { type CaptureFilter, compileFilter } from "../filter/filter.ts";
import { type LineKeys, sizeBytesOf, textKey } from "../show/event.ts";

/** Answers about directories that are kept. */
const KNOWN_MAX = 4096;

export class WantedLines {
  /** Nothing was asked for: every line passes. */
  readonly all: boolean;
  private readonly paths: readonly string[];
  private readonly spec: FilterSpec;
  private readonly types: ReadonlySet<string>;
  private readonly everyType: boolean;
  private readonly filters = new Map<string, CaptureFilter>();
  private readonly excluded = new Map<string, boolean>();

  /** @param paths absolute; none means all */
  constructor(paths: readonly string[], spec: FilterSpec) {
    this.paths = paths;
    this.spec = spec;
    this.types = new Set(spec.types);
    this.everyType = spec.types.length === EVENT_TYPES.length;
    const { exclude, excludeCmd, onlyCmd, minSizeBytes } = spec;
    const patterns = exclude.length + excludeCmd.length + onlyCmd.length;
    this.all = paths.length === 0 && this.everyType && patterns === 0 && minSizeBytes === null;
  }

  /** Whether a log can hold anything of interest. */
  wantsLog(managedPath: string): boolean {
    return (
      this.paths.length === 0 ||
      this.paths.some((path) => isAtOrBelow(path, managedPath) || isAtOrBelow(managedPath, path))
    );
  }

  wants(keys: LineKeys): boolean {
    if (this.all) return true;
    const type = textKey(keys, "event_type") ?? "";
    if (type === "GAP" || type === "WATCH") return true;
    const path = textKey(keys, "path") ?? "";
    if (this.paths.length > 0 && !this.isBelow([path, textKey(keys, "from"), textKey(keys, "to")]))
      return false;
    if (!this.everyType && !this.types.has(type)) return false;
    const managed = textKey(keys, "monitored_path") ?? "/";
    const filter = this.filterOf(managed);
    const directory = dirname(path);
    return (
      filter.wantsCommand(textKey(keys, "cmd")) &&
      filter.wantsSize(keys.dir === true ? 0 : sizeBytesOf(keys)) &&
      (path === managed ||
        !(
          this.excludes(filter, managed, directory) ||
          filter.excludesEntry(directory, path.slice(directory === "/" ? 1 : directory.length + 1))
        ))
    );
  }

  private isBelow(ends: readonly (string | null)[]): boolean {
    return ends.some((end) => end !== null && this.paths.some((path) => isAtOrBelow(end, path)));
  }

  private filterOf(managedPath: string): CaptureFilter {
    let filter = this.filters.get(managedPath);
    if (filter === undefined) {
      filter = compileFilter(this.spec, managedPath);
      this.filters.set(managedPath, filter);
    }
    return filter;
  }

  private excludes(filter: CaptureFilter, managedPath: string, directory: string): boolean {
    const key = `${managedPath}\0${directory}`;
    let excluded = this.excluded.get(key);
    if (excluded === undefined) {
      if (this.excluded.size >= KNOWN_MAX) this.excluded.clear();
      excluded = filter.excludesDirectory(directory);
      this.excluded.set(key, excluded);
    }
    return excluded;
  }
}
