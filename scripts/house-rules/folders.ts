// Which folder of src/ may import which: the one-way flow from the kernel to the log, as a table. ARCHITECTURE.md shows
// the same one. A part that isn't in it may not exist until somebody has thought about its place.
import type { Finding } from "./finding.ts";
import type { Source } from "./source.ts";

/** Shared by everyone; they import nothing of ours. */
const VOCABULARY = ["event", "failure", "containment"];

/** Folders, and files directly in src/ by their name. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  event: [],
  failure: [],
  containment: [],
  kernel: [],
  decode: ["kernel/abi"],
  resolve: ["kernel", "decode"],
  process: ["kernel", "decode"],
  filter: [],
  show: ["log/time", "log/json-text"],
  log: ["kernel", "filter"],
  config: ["kernel", "filter"],
  managed: ["kernel", "filter", "config", "log/json-text"],
  control: ["kernel", "managed", "config", "filter"],
  query: ["kernel", "filter", "log", "config", "managed"],
  clean: ["kernel", "filter", "log", "config", "managed", "query"],
  health: ["kernel", "filter", "show", "log", "config", "control", "clean"],
  doctor: [
    ...["kernel", "filter", "show", "log", "config", "control"],
    // What the daemon would do here is found out by the code that would do it.
    ...["health/report", "decode/fan", "process/streams", "process/way", "resolve/filesystems/mounts"],
    ...["daemon/queue-bound", "daemon/anew"],
  ],
  who: ["kernel", "filter", "log", "managed", "query", "show"],
  stats: ["log", "query", "show"],
  watch: ["kernel", "filter", "log", "managed", "query", "show"],
  cli: [
    ...["kernel", "filter", "show", "log", "config", "managed", "control"],
    // The words that --identify takes.
    "process/way",
    ...["query", "clean", "who", "watch", "stats", "health", "doctor", "daemon"],
  ],
  pipeline: ["kernel", "decode", "resolve", "process", "filter", "log", "managed"],
  daemon: [
    ...[
      "kernel",
      "decode",
      "resolve",
      "process",
      "filter",
      "log",
      "config",
      "managed",
      "control",
      "query",
      "clean",
    ],
    "pipeline",
  ],
  main: ["cli"],
};

export function folderImports({ path, imports }: Source): Finding[] {
  if (!path.startsWith("src/")) return [];
  const part = partOf(path);
  const allowed = PARTS[part];
  if (allowed === undefined) {
    const instead =
      "put it into a part that exists, or give it a place in scripts/house-rules/folders.ts and ARCHITECTURE.md";
    return [{ path, line: 1, wrong: `"src/${part}" is no known part of fsmon`, instead }];
  }
  const findings: Finding[] = [];
  for (const { target, line } of imports) {
    if (target === null || (target.startsWith("build/") && part === "kernel")) continue;
    if (target.startsWith("src/") && mayImport(part, allowed, target)) continue;
    const list = [...VOCABULARY, ...allowed].filter((name) => name !== part).join(", ");
    findings.push({
      path,
      line,
      wrong: `${part} imports "${target}"`,
      instead: VOCABULARY.includes(part)
        ? "it imports nothing of ours"
        : `it may import ${list}; hand in the rest as an argument`,
    });
  }
  return findings;
}

function mayImport(part: string, allowed: readonly string[], target: string): boolean {
  const targetPart = partOf(target);
  if (VOCABULARY.includes(part)) return false;
  if (targetPart === part || VOCABULARY.includes(targetPart)) return true;
  return allowed.includes(targetPart) || allowed.includes(target.replace(/^src\//, "").replace(/\.ts$/, ""));
}

function partOf(path: string): string {
  return (path.split("/")[1] ?? "").replace(/\.ts$/, "");
}
