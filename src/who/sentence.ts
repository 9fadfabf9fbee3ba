// A change in words: "created, written", "replaced by rename from .report.tmp", "deleted". Events go in, a phrase comes out,
// escaped and in the order in which things happened.
import { escapeForTerminal } from "../show/escape.ts";
import { numberKey, sizeBytesOf, textKey } from "../show/event.ts";
import { formatCount, formatSize } from "../show/size.ts";
import type { Change, ChangeEvent } from "./changes.ts";

const VERBS: Readonly<Record<string, string>> = {
  CREATE: "created",
  CLOSE_WRITE: "written",
  MODIFY: "written",
  ATTRIB: "attributes changed",
  DELETE: "deleted",
  DELETE_SELF: "gone",
  MOVE_SELF: "renamed",
  OPEN: "opened",
  OPEN_EXEC: "executed",
  ACCESS: "read",
  CLOSE_NOWRITE: "closed",
};

/** @param directory names below it are told relative to it */
export function changeText(change: Change, directory: string): string {
  const oldestFirst = change.events.toReversed();
  const types = new Set(oldestFirst.map(({ keys }) => textKey(keys, "event_type") ?? ""));
  const moved = types.has("MOVED_TO") || types.has("MOVED_FROM");
  const arrived = oldestFirst.some(({ relation }) => relation.from !== null);
  const deleted = types.has("DELETE");
  const replaced = arrived && types.has("DELETE_SELF") && !deleted;
  const words: string[] = [];
  for (const event of oldestFirst) {
    const type = textKey(event.keys, "event_type") ?? "";
    // What these say is said better by the others.
    if (type === "MOVE_SELF" && moved) continue;
    if (type === "DELETE_SELF" && (deleted || arrived)) continue;
    // A removal changes the number of links, and whoever makes or writes a file sets its times and its mode.
    const aside =
      deleted || arrived || types.has("CREATE") || types.has("CLOSE_WRITE") || types.has("DELETE_SELF");
    if (type === "ATTRIB" && aside) continue;
    const word = wordOf(event, directory, replaced);
    if (words.at(-1) !== word) words.push(word);
  }
  const sizeBytes = sizeOf(change);
  const size = sizeBytes === null ? "" : `, ${formatSize(sizeBytes)}`;
  return `${abridged(withCounts(words, change.writes)).join(", ")}${size}`;
}

function wordOf({ keys, relation }: ChangeEvent, directory: string, replaced: boolean): string {
  const type = textKey(keys, "event_type") ?? "";
  const { from, to, byDirectory } = relation;
  const name = (path: string) => escapeForTerminal(shortName(path, directory));
  const what = byDirectory ? "its directory " : "";
  if (keys.exchange === true && from !== null) return `${what}exchanged with ${name(from)}`;
  if (from !== null && replaced) return `replaced by rename from ${name(from)}`;
  if (from !== null) return `${what}renamed from ${name(from)}`;
  if (to !== null) return `${what}renamed to ${name(to)}`;
  if (type === "MOVED_TO") return `${what}moved here`;
  if (type === "MOVED_FROM") return `${what}moved away`;
  if (type === "CREATE" && keys.dir === true) return "directory made";
  return VERBS[type] ?? escapeForTerminal(type);
}

/** One line is one line, whatever a program did within a second. */
const WORDS_MAX = 6;

function abridged(words: readonly string[]): readonly string[] {
  if (words.length <= WORDS_MAX) return words;
  const left = words.length - WORDS_MAX + 1;
  return [...words.slice(0, WORDS_MAX - 2), `… (${formatCount(left)} more)`, ...words.slice(-1)];
}

function withCounts(words: readonly string[], writes: number): readonly string[] {
  if (writes < 2) return words;
  const last = words.lastIndexOf("written");
  return words
    .filter((word, i) => word !== "written" || i === last)
    .map((word) => (word === "written" ? `written ${formatCount(writes)} times` : word));
}

/** Of the file as the change left it; null where that isn't known or says nothing. */
function sizeOf(change: Change): number | null {
  for (const { keys } of change.events) {
    const type = textKey(keys, "event_type") ?? "";
    if (type === "DELETE" || type === "MOVED_FROM") return numberKey(keys, "last_size");
    if (type === "CLOSE_WRITE" || type === "MOVED_TO" || type === "MODIFY" || type === "CREATE")
      return sizeBytesOf(keys);
  }
  return null;
}

/** Relative where it lies below the directory, absolute elsewhere. */
export function shortName(path: string, directory: string): string {
  const below = directory === "/" ? "/" : `${directory}/`;
  return path.startsWith(below) ? path.slice(below.length) : path;
}
