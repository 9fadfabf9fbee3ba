// Where a key stands in a TOML text, for messages: the parser says so only for what isn't TOML at all.
// The text is read statement by statement with the parser itself, so that strings and arrays over several lines are no
// trap. Serves failures only; costs one parse of each line.
import { parse } from "smol-toml";

/** Both count from 1; `valueColumn` is the key's own where no value stands behind it. */
export interface Location {
  readonly line: number;
  readonly column: number;
  readonly valueColumn: number;
}

// A statement longer than this is not worth the repeated parsing.
const MAX_STATEMENT_LINES = 200;

/**
 * @param text valid TOML
 * @param path the tables and the key, outermost first
 * @returns null when it isn't found
 */
export function locateKey(text: string, path: readonly string[]): Location | null {
  const lines = text.split("\n");
  let table: readonly string[] = [];
  for (let first = 0; first < lines.length; ) {
    const statement = statementAt(lines, first);
    const line = lines[first] ?? "";
    if (statement !== null) {
      const isHeader = line.trimStart().startsWith("[");
      const header = isHeader ? pathOf(statement.content) : [];
      if (isHeader) table = header;
      const found = isHeader
        ? path.every((key, index) => header[index] === key)
        : path.length > table.length &&
          table.every((key, index) => path[index] === key) &&
          holds(statement.content, path.slice(table.length));
      if (found) return locationIn(line, first + 1, path.at(-1) ?? "");
    }
    first += statement?.lineCount ?? 1;
  }
  return null;
}

/** The shortest run of lines from `first` on that is TOML by itself. */
function statementAt(
  lines: readonly string[],
  first: number,
): { content: unknown; lineCount: number } | null {
  for (let count = 1; count <= MAX_STATEMENT_LINES && first + count <= lines.length; count++) {
    try {
      return { content: parse(lines.slice(first, first + count).join("\n")), lineCount: count };
    } catch {}
  }
  return null;
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !(value instanceof Date);
}

/** `[a.b]` was parsed to {a: {b: {}}}, `[[a.b]]` to {a: {b: [{}]}}. */
function pathOf(content: unknown): string[] {
  const path: string[] = [];
  for (let value = content; isTable(value); ) {
    const inner = Array.isArray(value) ? value[0] : value;
    const key = isTable(inner) ? Object.keys(inner)[0] : undefined;
    if (key === undefined || !isTable(inner)) break;
    path.push(key);
    value = inner[key];
  }
  return path;
}

function holds(content: unknown, path: readonly string[]): boolean {
  let value = content;
  for (const key of path) {
    if (!isTable(value) || !Object.hasOwn(value, key)) return false;
    value = value[key];
  }
  return true;
}

function locationIn(line: string, lineNumber: number, key: string): Location {
  const keyAt = Math.max(line.indexOf(key), line.search(/\S/), 0);
  const value = /=\s*(?=\S)/.exec(line.slice(keyAt + key.length));
  const valueAt = value === null ? keyAt : keyAt + key.length + value.index + value[0].length;
  return { line: lineNumber, column: keyAt + 1, valueColumn: valueAt + 1 };
}
