// A managed path as one line of the store, both ways: JSON with the keys path, recursive, types, all_events, exclude,
// min_size, exclude_cmd, only_cmd, details, args. People edit the store, so what they leave out means the default, and
// what doesn't fit is refused with a reason that can be shown beside the line's number.
import { EVENT_TYPES, type EventType, type ManagedPath } from "../event.ts";
import { Failure } from "../failure.ts";
import { compileFilter } from "../filter/filter.ts";
import { parseTypes } from "../filter/flags.ts";
import { stringifySafely } from "../log/json-text.ts";
import { isManagedPath } from "./path.ts";

/** Why a line can't be used. */
export class BrokenLine extends Error {}

type Fields = Readonly<Record<string, unknown>>;

/** Without the newline. */
export function encodeEntry(entry: ManagedPath): string {
  return stringifySafely({
    path: entry.path,
    recursive: entry.recursive,
    types: entry.types,
    all_events: entry.allEvents,
    exclude: entry.exclude,
    min_size: entry.minSizeBytes,
    exclude_cmd: entry.excludeCmd,
    only_cmd: entry.onlyCmd,
    details: entry.details,
    args: entry.args,
  });
}

/**
 * Keys that aren't known are passed over: a later version may have written them.
 *
 * @param judge may refuse what can be read, by throwing a Failure
 * @throws {BrokenLine} with the reason
 */
export function decodeEntry(line: string, judge: (entry: ManagedPath) => void = () => {}): ManagedPath {
  const fields = parsed(line);
  const { path } = fields;
  if (typeof path !== "string") throw new BrokenLine('"path" is missing or no string');
  if (!isManagedPath(path)) throw new BrokenLine('"path" is not an absolute path in its plain form');
  const allEvents = flag(fields, "all_events");
  const entry: ManagedPath = {
    path,
    recursive: flag(fields, "recursive"),
    types: types(fields, allEvents),
    allEvents,
    exclude: strings(fields, "exclude"),
    minSizeBytes: size(fields, "min_size"),
    excludeCmd: strings(fields, "exclude_cmd"),
    onlyCmd: strings(fields, "only_cmd"),
    details: flag(fields, "details"),
    args: flag(fields, "args"),
  };
  reasoned(() => compileFilter(entry, path));
  reasoned(() => judge(entry));
  return entry;
}

function parsed(line: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new BrokenLine("it is not JSON");
  }
  if (!isFields(value)) throw new BrokenLine("it is not a JSON object");
  return value;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function flag(fields: Fields, key: string): boolean {
  const value = fields[key] ?? false;
  if (typeof value !== "boolean") throw new BrokenLine(`"${key}" is neither true nor false`);
  return value;
}

function strings(fields: Fields, key: string): string[] {
  const value = fields[key] ?? [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    throw new BrokenLine(`"${key}" is not a list of strings`);
  }
  return value;
}

function size(fields: Fields, key: string): number | null {
  const value = fields[key] ?? null;
  if (value !== null && !(typeof value === "number" && Number.isSafeInteger(value) && value >= 0)) {
    throw new BrokenLine(`"${key}" is not a number of bytes`);
  }
  return value;
}

function types(fields: Fields, allEvents: boolean): readonly EventType[] {
  const names = strings(fields, "types");
  if (allEvents) return EVENT_TYPES;
  return reasoned(() => parseTypes(names));
}

/** What src/filter refuses is the line's fault here. */
function reasoned<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Failure) throw new BrokenLine(error.message);
    throw error;
  }
}
