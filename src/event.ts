// The vocabulary that several folders share: event types, the filters of a managed path, and its state. Types
// and tables only. A type's bit is the kernel's own FAN_* bit (linux/fanotify.h), so a mask needs no
// translation.

/** Name → FAN_* bit, in the order in which `fsmon managed` lists them. */
export const TYPE_BITS = {
  ACCESS: 0x1,
  MODIFY: 0x2,
  ATTRIB: 0x4,
  CLOSE_WRITE: 0x8,
  CLOSE_NOWRITE: 0x10,
  OPEN: 0x20,
  MOVED_FROM: 0x40,
  MOVED_TO: 0x80,
  CREATE: 0x100,
  DELETE: 0x200,
  DELETE_SELF: 0x400,
  MOVE_SELF: 0x800,
  OPEN_EXEC: 0x1000,
  FS_ERROR: 0x8000,
} as const;

export type EventType = keyof typeof TYPE_BITS;

export const EVENT_TYPES = Object.keys(TYPE_BITS) as EventType[];

export const DEFAULT_TYPES: readonly EventType[] = [
  "ATTRIB",
  "CLOSE_WRITE",
  "MOVED_FROM",
  "MOVED_TO",
  "CREATE",
  "DELETE",
  "DELETE_SELF",
  "MOVE_SELF",
];

/** The types' bits, ORed. */
export function typesToMask(types: readonly EventType[]): number {
  let mask = 0;
  for (const type of types) mask |= TYPE_BITS[type];
  return mask;
}

/** What a line says of its process only on request: name → bit. */
export const DETAIL_BITS = { parent: 1, ancestry: 2, unit: 4, container: 8 } as const;

export type Detail = keyof typeof DETAIL_BITS;

export const DETAILS = Object.keys(DETAIL_BITS) as Detail[];

/** The bit of the command line: no part of the details, because it may hold secrets. */
export const ARGS_BIT = 16;

/** Which of them are wanted, as a mask. */
export function detailsToMask(details: readonly Detail[], args: boolean): number {
  let mask = args ? ARGS_BIT : 0;
  for (const detail of details) mask |= DETAIL_BITS[detail];
  return mask;
}

/** What a person asked for when a path was added. Pattern lists are kept as typed; src/filter parses them. */
export interface FilterSpec {
  recursive: boolean;
  /** The wanted types, in the order of EVENT_TYPES. */
  types: readonly EventType[];
  /** True when `--all-events` chose the types. */
  allEvents: boolean;
  exclude: readonly string[];
  /** Smallest `file_size` that is logged, in bytes; null without `--min-size`. */
  minSizeBytes: number | null;
  excludeCmd: readonly string[];
  onlyCmd: readonly string[];
  /** Adds parent, ancestry, unit and container to each line. */
  details: boolean;
  /** Adds the command line, which may hold secrets. */
  args: boolean;
}

export interface ManagedPath extends FilterSpec {
  /** Absolute, symlinks resolved when it was added, no trailing slash (except "/"). */
  path: string;
}

/**
 * `pending`: the path doesn't exist yet. `impossible`: it can't be watched; `reason` says why. `starting`: the daemon has started and
 * its turn hasn't come.
 */
export const PATH_STATES = ["watched", "pending", "impossible", "starting"] as const;

export type PathState = (typeof PATH_STATES)[number];

/** A managed path as the running daemon sees it. */
export interface PathStatus extends ManagedPath {
  state: PathState;
  reason: string | null;
  /** Kind of kernel mark; null while nothing is marked. */
  mark: "filesystem" | "inode" | null;
  /** "ext4", "btrfs" …; null while unknown. */
  filesystem: string | null;
  /** Directories known below the path, itself included. */
  directories: number;
  /** True while the first scan still runs; events are recorded all the same. */
  scanning: boolean;
  eventsLogged: number;
  eventsFiltered: number;
  logFile: string;
  /** Since when lines wait because the log can't be written; null while it can. */
  logStuckSinceMs: number | null;
  /** Since when a part of it is unmounted; null while all is there. */
  unmountedSinceMs: number | null;
}

/** Why something may be missing from a log: the closed list of GAP's `reason`. */
export const GAP_REASONS = [
  "queue_overflow",
  "process_stream_lost",
  "daemon_stopped",
  "daemon_crashed",
  "unmounted",
  "disk_full",
  "write_error",
  "clock",
  "internal",
] as const;

export type GapReason = (typeof GAP_REASONS)[number];
