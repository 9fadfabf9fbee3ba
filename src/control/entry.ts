// A managed path as the fields of a TOML table: in an `add` request and in each path of a `status` reply.
// Writing and reading stand side by side. Reading checks the shape and the path; src/filter judges the patterns.

import { DEFAULT_TYPES, EVENT_TYPES, type ManagedPath } from "../event.ts";
import { isManagedPath } from "../managed/path.ts";
import { FieldError, type Fields } from "./fields.ts";

/** TOML has no null: a filter that isn't set is left out. */
export function entryTable(entry: ManagedPath): Record<string, unknown> {
  return {
    path: entry.path,
    recursive: entry.recursive,
    types: [...entry.types],
    all_events: entry.allEvents,
    exclude: [...entry.exclude],
    ...(entry.minSizeBytes === null ? {} : { min_size_bytes: entry.minSizeBytes }),
    exclude_cmd: [...entry.excludeCmd],
    only_cmd: [...entry.onlyCmd],
    details: entry.details,
    args: entry.args,
  };
}

/** Reads what entryTable wrote; every key but `path` may be left out and then means "no such filter". */
export function readEntry(fields: Fields): ManagedPath {
  const path = readPath(fields);
  const recursive = fields.has("recursive") && fields.boolean("recursive");
  const allEvents = fields.has("all_events") && fields.boolean("all_events");
  const typed = fields.has("types") ? fields.strings("types").map((type) => type.toUpperCase()) : null;
  const unknown = typed?.find((type) => !EVENT_TYPES.some((known) => known === type));
  if (unknown !== undefined) {
    throw new FieldError(`The event type "${unknown}" is unknown`, EVENT_TYPES.join(", "));
  }
  if (typed !== null && typed.length === 0)
    throw new FieldError(`The list "types" is empty`, EVENT_TYPES.join(", "));
  const wanted = new Set<string>(typed ?? (allEvents ? EVENT_TYPES : DEFAULT_TYPES));
  return {
    path,
    recursive,
    types: EVENT_TYPES.filter((type) => wanted.has(type)),
    allEvents,
    exclude: fields.has("exclude") ? fields.strings("exclude") : [],
    minSizeBytes: fields.has("min_size_bytes") ? fields.count("min_size_bytes") : null,
    excludeCmd: fields.has("exclude_cmd") ? fields.strings("exclude_cmd") : [],
    onlyCmd: fields.has("only_cmd") ? fields.strings("only_cmd") : [],
    details: fields.has("details") && fields.boolean("details"),
    args: fields.has("args") && fields.boolean("args"),
  };
}

/** An absolute path in its plain form: no "//", ".", "..", no slash at the end. */
export function readPath(fields: Fields): string {
  const path = fields.string("path");
  if (!isManagedPath(path)) {
    const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
    throw new FieldError(
      `The path "${shown}" is not an absolute path in its plain form`,
      '"/srv/data": no "..", no slash at the end, at most 4095 bytes',
    );
  }
  return path;
}
