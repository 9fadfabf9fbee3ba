// One file as the rules see it: its path, its text, and what it imports. Reading the tree is here too, and nothing else
// in this folder touches the disk.
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { mask } from "./mask.ts";

export interface Import {
  /** As written: "./fan.ts", "node:fs", "picocolors". */
  specifier: string;
  /** Relative ones resolved against the file, "src/decode/fan.ts"; null for packages. */
  target: string | null;
  /** `import("…")`, which loads only when it is reached. */
  dynamic: boolean;
  typeOnly: boolean;
  line: number;
}

export interface Source {
  /** From the project's folder, "src/decode/fan.ts". */
  path: string;
  text: string;
  lines: number;
  /** TypeScript only, as mask.ts gives them; the text itself for other files. */
  withoutComments: string;
  codeOnly: string;
  imports: Import[];
}

export function source(path: string, text: string): Source {
  const script = /\.(ts|mjs)$/.test(path);
  const { withoutComments, codeOnly } = script ? mask(text) : { withoutComments: text, codeOnly: text };
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  return {
    path,
    text,
    lines,
    withoutComments,
    codeOnly,
    imports: script ? importsOf(path, withoutComments, codeOnly) : [],
  };
}

/** The line of an index into a text, from 1. */
export function lineAt(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < index; at = text.indexOf("\n", at + 1)) line++;
  return line;
}

const IMPORT =
  /\b(?:(import|export)\s+(type\s)?[^"'`;()=]*?from\s*|import\s*|(import)\s*\(\s*)["']([^"']+)["']/g;

function importsOf(path: string, withoutComments: string, codeOnly: string): Import[] {
  const found: Import[] = [];
  for (const match of withoutComments.matchAll(IMPORT)) {
    const [text, , typeOnly, dynamic, specifier = ""] = match;
    // An import that is quoted in a text has no such word left in the code.
    if (!codeOnly.startsWith(text.slice(0, "import".length), match.index)) continue;
    const target = specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : null;
    const line = lineAt(withoutComments, match.index + text.length);
    found.push({ specifier, target, dynamic: dynamic !== undefined, typeOnly: typeOnly !== undefined, line });
  }
  return found;
}

/** Every file of these folders and these files themselves, in the order of their paths. */
export function readSources(folders: readonly string[], files: readonly string[]): Source[] {
  const below = folders.flatMap((folder) =>
    readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  return [...below, ...files].sort().map((path) => source(path, readFileSync(path, "utf8")));
}
