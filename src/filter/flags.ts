// The filters of `add` between a person and the program: raw flags → FilterSpec, and FilterSpec → the text that
// `managed` and the log's WATCH lines show. Nothing half-valid leaves.
import { DEFAULT_TYPES, EVENT_TYPES, type EventType, type FilterSpec, typesToMask } from "../event.ts";
import { UsageFailure } from "../failure.ts";
import { checkPatterns } from "./filter.ts";
import { nearest } from "./nearest.ts";
import { formatSizeExactly, parseSize } from "./units.ts";

/** As typed; flags that may be repeated are lists. Absent means not given. */
export interface FilterFlags {
  readonly recursive?: boolean | undefined;
  readonly types?: readonly string[] | undefined;
  readonly allEvents?: boolean | undefined;
  readonly exclude?: readonly string[] | undefined;
  readonly minSize?: string | undefined;
  readonly excludeCmd?: readonly string[] | undefined;
  readonly onlyCmd?: readonly string[] | undefined;
  readonly details?: boolean | undefined;
  readonly args?: boolean | undefined;
}

/**
 * Checks and reads the filters, regular expressions that run away included (which takes some 0.1 s each).
 *
 * @throws {UsageFailure} quoting the type, size or pattern that can't be used
 */
export function parseFilterFlags(flags: FilterFlags): FilterSpec {
  const allEvents = flags.allEvents === true;
  if (allEvents && flags.types !== undefined && flags.types.length > 0) {
    throw new UsageFailure(
      `Cannot use --types ${flags.types.join(",")} together with --all-events`,
      "--all-events means all 14 types: leave out one of the two",
    );
  }
  const patterns = {
    exclude: [...(flags.exclude ?? [])],
    excludeCmd: [...(flags.excludeCmd ?? [])],
    onlyCmd: [...(flags.onlyCmd ?? [])],
  };
  const spec: FilterSpec = {
    recursive: flags.recursive === true,
    types: allEvents ? EVENT_TYPES : parseTypes(flags.types ?? []),
    allEvents,
    minSizeBytes: flags.minSize === undefined ? null : parseSize(flags.minSize),
    details: flags.details === true,
    args: flags.args === true,
    ...patterns,
  };
  checkPatterns(spec);
  return spec;
}

/**
 * Reads lists of event types, separated by commas, in any letter case.
 *
 * @param lists none: the default types
 * @returns each type once, in the order of EVENT_TYPES
 * @throws {UsageFailure} quoting an unknown type, or a list with an empty one
 */
export function parseTypes(lists: readonly string[]): readonly EventType[] {
  if (lists.length === 0) return EVENT_TYPES.filter((type) => DEFAULT_TYPES.includes(type));
  const wanted = new Set<string>();
  for (const word of lists.flatMap((list) => list.split(","))) {
    const name = word.trim().toUpperCase();
    if (name === "") throw emptyType(lists);
    if (!EVENT_TYPES.some((type) => type === name)) throw unknownType(word.trim());
    wanted.add(name);
  }
  return EVENT_TYPES.filter((type) => wanted.has(type));
}

/** Most often a shell variable that isn't set: fewer types than were meant must not be recorded silently. */
function emptyType(lists: readonly string[]): UsageFailure {
  return new UsageFailure(
    `Cannot use the event types "${lists.join(",")}": one of them is empty`,
    `leave out the surplus comma; accepted: ${EVENT_TYPES.join(", ")}`,
  );
}

function unknownType(word: string): UsageFailure {
  const known = nearest(word, EVENT_TYPES);
  const suggestion = known === null ? "" : `did you mean ${known}? `;
  return new UsageFailure(
    `Cannot use the event type "${word}": there is no such type`,
    `${suggestion}accepted: ${EVENT_TYPES.join(", ")}`,
  );
}

/**
 * One line for people:
 * `types=MODIFY,CREATE | recursive | min_size=- | exclude-path=*.swp | exclude-cmd=- | only-cmd=nginx,vim | events=filtered`.
 * `events` is `all` for all 14 types, `default` for the default set, `filtered` for any other choice; ` | details`
 * and ` | args` follow where asked for. Patterns stand as typed: whoever prints them on a terminal escapes them.
 */
export function formatFilters(spec: FilterSpec): string {
  const mask = typesToMask(spec.types);
  const events =
    mask === typesToMask(EVENT_TYPES) ? "all" : mask === typesToMask(DEFAULT_TYPES) ? "default" : "filtered";
  const fields = [
    `types=${spec.types.join(",")}`,
    spec.recursive ? "recursive" : "non-recursive",
    `min_size=${spec.minSizeBytes === null ? "-" : formatSizeExactly(spec.minSizeBytes)}`,
    `exclude-path=${spec.exclude.join(",") || "-"}`,
    `exclude-cmd=${spec.excludeCmd.join(",") || "-"}`,
    `only-cmd=${spec.onlyCmd.join(",") || "-"}`,
    `events=${events}`,
  ];
  if (spec.details) fields.push("details");
  if (spec.args) fields.push("args");
  return fields.join(" | ");
}
