// The byte strings that a line of one log must hold to be about a file: its names as JSON spells them, the directories above it
// (which may be renamed), and the log's own state lines. Names go in, needles come out; a hit is no proof, only a reason to parse.
import { isAtOrBelow } from "../containment.ts";
import { stringifySafely } from "../log/json-text.ts";

export interface NeedleOptions {
  /** Of the log. */
  managedPath: string;
  /** What lies below the names counts, too. */
  recursive: boolean;
  /** GAP and WATCH lines, too. */
  withState: boolean;
}

/** A name may be spelled with other escapes than ours by whoever rewrote the log: with any, the line is parsed. */
const BACKSLASH = Buffer.from("\\");
const STATE = [Buffer.from('"GAP"'), Buffer.from('"WATCH"')];
/** In every line. */
const ANY = Buffer.from('"time"');

export function needlesFor(names: readonly string[], options: NeedleOptions): Buffer[] {
  const { managedPath, recursive, withState } = options;
  const texts = new Set<string>();
  for (const name of names) {
    if (recursive && isAtOrBelow(managedPath, name)) return [ANY];
    if (name === managedPath) {
      // Its plain spelling is in every line, as the managed path.
      texts.add(`"path":${quoted(name)},"pid"`);
      texts.add(`"from":${quoted(name)}`);
      texts.add(`"to":${quoted(name)}`);
      continue;
    }
    texts.add(quoted(name));
    if (recursive) texts.add(`${quoted(name).slice(0, -1)}/`);
    if (!isAtOrBelow(name, managedPath)) {
      // This log tells of such a place only where something went there or came from there, it or a directory above it.
      for (let above = parentOf(name); above !== null && above !== "/"; above = parentOf(above)) {
        texts.add(`"to":${quoted(above)}`);
      }
      continue;
    }
    for (
      let above = parentOf(name);
      above !== null && isAtOrBelow(above, managedPath);
      above = parentOf(above)
    ) {
      texts.add(above === managedPath ? `"path":${quoted(above)},"pid"` : quoted(above));
    }
  }
  return [...[...texts].map((text) => Buffer.from(text)), ...(withState ? STATE : []), BACKSLASH];
}

function quoted(path: string): string {
  return stringifySafely(path);
}

function parentOf(path: string): string | null {
  if (path === "/") return null;
  const slash = path.lastIndexOf("/");
  return slash === 0 ? "/" : path.slice(0, slash);
}
