// Every key of config.toml in one table: where it stands, what it accepts, its default and what a person is told of it.
// config.ts reads by this table and template.ts writes by it, so that they can't differ. A new key is one entry here
// and one field in ConfigValues.
import { isAbsolute, normalize } from "node:path";
import { DETAILS, type Detail } from "../event.ts";
import { Failure } from "../failure.ts";
import { formatSizeExactly, MAX_DAYS, parseSize } from "../filter/units.ts";
import type { Owner } from "./owner.ts";
import { contractPlace, expandPlace, type Places } from "./places.ts";

export interface ConfigValues {
  /** The store of managed paths; absolute, as are all places here. */
  readonly managedFile: string;
  readonly logDir: string;
  readonly keepDays: number;
  /** All segments of one managed path together. */
  readonly maxSizeBytes: number;
  /** All logs together; null: no bound. */
  readonly maxTotalBytes: number | null;
  /** Disk space to leave free for others; null: no bound. */
  readonly minFreeBytes: number | null;
  readonly segmentSizeBytes: number;
  /** What every line says of its process besides. */
  readonly details: readonly Detail[];
  readonly args: boolean;
  readonly socketPath: string;
}

export type ConfigField = keyof ConfigValues;

export interface ConfigKey<Value> {
  readonly section: string;
  readonly key: string;
  /** Lines for the template, without "# ". */
  readonly comment: readonly string[];
  /** What a person may write, for the hint of a refusal. */
  readonly accepted: string;
  /** undefined: not acceptable. */
  read(value: unknown, owner: Owner): Value | undefined;
  standard(places: Places): Value;
  /** The value as TOML; null for "none", which the template shows as a commented-out example. */
  write(value: Value, owner: Owner): string | null;
  /** TOML for the commented-out example. */
  readonly example?: string;
}

export const SECTIONS: Readonly<Record<string, string>> = {
  managed: "The paths that `fsmon add` put under management.",
  logging: "The logs: one directory, for each managed path one log that is cut into segments.",
  socket: "Where the daemon is reached by `fsmon add`, `fsmon remove` and the other commands.",
};

// A line may be some 10 KB long; a log of segments smaller than this would be a heap of files.
const MIN_SEGMENT_BYTES = 4096;
// sockaddr_un.sun_path has 108 bytes, the NUL at the end included (linux/un.h).
const MAX_SOCKET_PATH_BYTES = 107;

export const KEYS: { readonly [Field in ConfigField]: ConfigKey<ConfigValues[Field]> } = {
  managedFile: {
    ...placeKey("managed", "file", ["One managed path a line, as JSON."]),
    standard: (places) => places.managedFile,
  },
  logDir: {
    ...placeKey("logging", "dir", [
      "The directory of the logs. It needs room for them and no other content.",
    ]),
    standard: (places) => places.logDir,
  },
  keepDays: {
    section: "logging",
    key: "keep_days",
    comment: [
      "Events older than this many days are deleted. The daemon sees to it, also without `fsmon clean`.",
    ],
    accepted: `a whole number of days from 0 to ${MAX_DAYS}, such as keep_days = 30`,
    read: (value) =>
      typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_DAYS
        ? value
        : undefined,
    standard: () => 30,
    write: (value) => String(value),
  },
  maxSizeBytes: {
    ...sizeKey("logging", "max_size", 1, [
      "The log of one managed path, all its segments together, stays within this; the oldest segments go first.",
      "K, M, G and T are powers of 1024.",
    ]),
    standard: () => 2 ** 30,
  },
  maxTotalBytes: {
    ...sizeKey("logging", "max_total", 1, ["All logs together stay within this. No bound unless set."]),
    standard: () => null,
    write: writeSize,
    example: '"10GB"',
  },
  minFreeBytes: {
    ...sizeKey("logging", "min_free", 0, [
      "The logs leave this much of their disk free: the oldest segments go first, and when none is left to go,",
      "recording stops and the logs say so. No bound unless set.",
    ]),
    standard: () => null,
    write: writeSize,
    example: '"1GB"',
  },
  segmentSizeBytes: {
    ...sizeKey("logging", "segment_size", MIN_SEGMENT_BYTES, [
      "The file that is being written is sealed at this size and a new one begun.",
    ]),
    standard: () => 64 * 2 ** 20,
  },
  details: {
    section: "logging",
    key: "details",
    comment: [
      `More about the process in every line, of ${DETAILS.map((detail) => `"${detail}"`).join(", ")}.`,
      "`fsmon add --details` adds all of them to the lines of one path.",
    ],
    accepted: `a list of ${DETAILS.join(", ")}, such as details = ["ancestry"]`,
    read: (value) =>
      Array.isArray(value) && value.every((one) => DETAILS.some((detail) => detail === one))
        ? DETAILS.filter((detail) => value.includes(detail))
        : undefined,
    standard: () => [],
    write: (value) => `[${value.map((detail) => `"${detail}"`).join(", ")}]`,
  },
  args: {
    section: "logging",
    key: "args",
    comment: [
      "The process's command line in every line. Passwords and tokens that somebody types there end up in the logs.",
      "`fsmon add --args` adds it to the lines of one path.",
    ],
    accepted: "true or false",
    read: (value) => (typeof value === "boolean" ? value : undefined),
    standard: () => false,
    write: (value) => String(value),
  },
  socketPath: {
    ...placeKey("socket", "path", ["At most 107 bytes long, as the kernel wants it."], MAX_SOCKET_PATH_BYTES),
    standard: (places) => places.socketPath,
  },
};

export const FIELDS = Object.keys(KEYS) as ConfigField[];

type WithoutStandard<Value> = Omit<ConfigKey<Value>, "standard">;

// PATH_MAX (linux/limits.h) without the NUL.
function placeKey(
  section: string,
  key: string,
  comment: readonly string[],
  maxBytes = 4095,
): WithoutStandard<string> {
  return {
    section,
    key,
    comment,
    accepted: `an absolute path of at most ${maxBytes} bytes; ~ is the home directory, <UID> the user's number`,
    read(value, owner) {
      if (typeof value !== "string" || /[\0\ufffd]/.test(value)) return undefined;
      const place = expandPlace(value, owner);
      if (!isAbsolute(place) || Buffer.byteLength(place) > maxBytes) return undefined;
      return normalize(place).replace(/(?<=.)\/$/, "");
    },
    write: (value, owner) => tomlString(contractPlace(value, owner)),
  };
}

function sizeKey(
  section: string,
  key: string,
  minBytes: number,
  comment: readonly string[],
): WithoutStandard<number> {
  return {
    section,
    key,
    comment,
    accepted: `a size of at least ${minBytes} bytes, such as ${key} = "64MB", or a whole number of bytes`,
    read(value) {
      const sizeBytes = typeof value === "string" ? sizeOrUndefined(value) : value;
      if (typeof sizeBytes !== "number" || !Number.isSafeInteger(sizeBytes)) return undefined;
      return sizeBytes >= minBytes ? sizeBytes : undefined;
    },
    write: (value) => tomlString(formatSizeExactly(value)),
  };
}

function writeSize(value: number | null): string | null {
  return value === null ? null : tomlString(formatSizeExactly(value));
}

function sizeOrUndefined(text: string): number | undefined {
  try {
    return parseSize(text);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

/** JSON's escapes are TOML's too, save that TOML wants U+007F escaped as well. */
function tomlString(text: string): string {
  return JSON.stringify(text).replaceAll("\u007f", "\\u007F");
}
