// One parsed line of a log → what a person is told of it: escaped, human, nothing invented. Lines may come from anybody's file
// (query --file), so every key is checked; what is missing or odd shows as unknown, never as an error.
import { escapeForTerminal } from "./escape.ts";

/** A parsed line; docs/events.md says what the keys mean. */
export type LineKeys = Readonly<Record<string, unknown>>;

/** What happened to the object, in the groups that colours and verbs go by. */
export type EventKind = "made" | "written" | "gone" | "moved" | "attributes" | "read" | "state" | "fault";

const KINDS: Readonly<Record<string, EventKind>> = {
  CREATE: "made",
  CLOSE_WRITE: "written",
  MODIFY: "written",
  DELETE: "gone",
  DELETE_SELF: "gone",
  MOVED_FROM: "moved",
  MOVED_TO: "moved",
  MOVE_SELF: "moved",
  ATTRIB: "attributes",
  WATCH: "state",
  GAP: "fault",
  FS_ERROR: "fault",
};

/** Types whose object is no longer there: their `file_size` is 0 for that reason. */
const GONE_TYPES = new Set(["DELETE", "DELETE_SELF", "MOVED_FROM"]);

export function kindOf(type: string): EventKind {
  return KINDS[type] ?? "read";
}

/** A key's text; null where it is no text. Not escaped. */
export function textKey(keys: LineKeys, name: string): string | null {
  const value = keys[name];
  return typeof value === "string" ? value : null;
}

export function numberKey(keys: LineKeys, name: string): number | null {
  const value = keys[name];
  return typeof value === "number" ? value : null;
}

/** Of a file at the event, or before it went where that is known; null for directories and where it isn't known. */
export function sizeBytesOf(keys: LineKeys): number | null {
  const lastSize = bytesKey(keys, "last_size");
  if (lastSize !== null) return lastSize;
  if (keys.dir === true || kindOf(String(keys.event_type)) === "state" || keys.event_type === "GAP")
    return null;
  return GONE_TYPES.has(String(keys.event_type)) ? null : bytesKey(keys, "file_size");
}

function bytesKey(keys: LineKeys, name: string): number | null {
  const value = numberKey(keys, name);
  return value !== null && value >= 0 && Number.isFinite(value) ? value : null;
}

const UNKNOWN_PROGRAM: Readonly<Record<string, string>> = {
  outside_pid_namespace: "? (other pid namespace)",
  gone_before_known: "? (had ended)",
  kernel: "(kernel)",
  scan: "? (found by a scan)",
};
/** The name is not certain: see `who` in docs/events.md. */
const UNCERTAIN = new Set(["inherited", "lost", "changed_meanwhile"]);

/** "vim"; "vim?" where `who` says that it isn't certain; "? (had ended)" where it isn't known. */
export function programOf(keys: LineKeys): string {
  const cmd = textKey(keys, "cmd");
  if (cmd === null) return UNKNOWN_PROGRAM[textKey(keys, "who_reason") ?? ""] ?? "?";
  return escapeForTerminal(cmd) + (UNCERTAIN.has(textKey(keys, "who") ?? "") ? "?" : "");
}

/** "sshd>bash>vim", the same names in a row told once; the program alone where no ancestry was recorded. */
export function chainOf(keys: LineKeys): string {
  const ancestry = textKey(keys, "ancestry");
  const program = programOf(keys);
  if (ancestry === null || ancestry === "") return program;
  const names = ancestry.split(">").slice(0, -1).map(escapeForTerminal);
  return [...names, program].filter((name, i, all) => i === 0 || all[i - 1] !== name).join(">");
}

/** "alice"; "root (alice)" for alice behind sudo; "alice (euid 0)" in a program that acts for somebody else. */
export function userOf(keys: LineKeys): string {
  const user = textKey(keys, "user");
  if (user === null) return "?";
  const login = textKey(keys, "login");
  const euid = numberKey(keys, "euid");
  const behind = login === null || login === user ? "" : ` (${escapeForTerminal(login)})`;
  return `${escapeForTerminal(user)}${behind}${euid === null ? "" : ` (euid ${euid})`}`;
}

/** Below the managed path as people say it there: "." for itself, "sub/f" below it, absolute elsewhere. Not escaped. */
export function relativeTo(path: string, managedPath: string): string {
  if (path === managedPath) return ".";
  const below = managedPath === "/" ? "/" : `${managedPath}/`;
  return path.startsWith(below) ? path.slice(below.length) : path;
}
