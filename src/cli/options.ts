// Options that several commands share, for the table of commands. Text and names only.
import { EVENT_TYPES } from "../event.ts";
import { SIZE_FORMS } from "../filter/units.ts";
import type { OptionDefinition } from "./definition.ts";

const PATTERNS = "globs separated by commas or |, or one re:REGEX";

export const CONFIG: OptionDefinition = {
  name: "config",
  value: "FILE",
  summary: "read this config file",
  complete: "file",
  default: "~/.config/fsmon/config.toml",
};

export const SOCKET: OptionDefinition = {
  name: "socket",
  value: "PATH",
  summary: "control socket of the daemon",
  complete: "file",
  default: "[socket] path of the config, /tmp/fsmon-<UID>.sock",
};

export const LOG_DIR: OptionDefinition = {
  name: "log-dir",
  value: "DIR",
  summary: "directory of the logs",
  complete: "directory",
  default: "[logging] dir of the config, ~/.local/state/fsmon",
};

export const MANAGED_FILE: OptionDefinition = {
  name: "managed-file",
  value: "FILE",
  summary: "store of the managed paths",
  complete: "file",
  default: "[managed] file of the config, ~/.local/share/fsmon/managed.jsonl",
};

export const USER: OptionDefinition = {
  name: "user",
  value: "NAME",
  summary: "whose daemon is meant",
  default: "who called sudo, else yourself",
};

export const TYPES: OptionDefinition = {
  name: "types",
  short: "t",
  value: "A,B",
  repeatable: true,
  summary: "only these event types, in any letter case",
  accepted: EVENT_TYPES.join(", "),
  complete: EVENT_TYPES,
};

/** What leaves events out, besides their types. */
export const FILTERS: readonly OptionDefinition[] = [
  {
    name: "exclude",
    short: "e",
    value: "PATTERN",
    repeatable: true,
    summary: "paths to leave out",
    accepted: PATTERNS,
  },
  {
    name: "min-size",
    short: "m",
    value: "SIZE",
    summary: "only events whose file has at least this size",
    accepted: SIZE_FORMS,
  },
  {
    name: "exclude-cmd",
    value: "PATTERN",
    repeatable: true,
    summary: "leave out these program names",
    accepted: PATTERNS,
  },
  {
    name: "only-cmd",
    value: "PATTERN",
    repeatable: true,
    summary: "keep only these program names",
    accepted: PATTERNS,
  },
];
