// Our daemon as a contender: the compiled binary, driven through its command line, truth taken from its log.
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { BINARY, TestDaemon } from "../test/support/daemon.ts";
import { type Contender, type Found, type Running, shortName, Tally } from "./contender.ts";

const KINDS = ["CREATE", "CLOSE_WRITE", "DELETE"];

export const ours: Contender = {
  name: "fsmon",
  version: Bun.spawnSync([BINARY, "--version"]).stdout.toString().trim(),
  obstacle: "",
  start: (root) => startOurs([root]),
};

export interface OurRunning extends Running {
  readonly daemon: TestDaemon;
}

/**
 * @param flags of `add`, the same for each root
 * @param settings lines of the config's [logging] section
 */
export async function startOurs(
  roots: readonly string[],
  flags: readonly string[] = [],
): Promise<OurRunning> {
  const daemon = new TestDaemon();
  await daemon.start();
  for (const root of roots) await daemon.add(root, "-r", ...flags);
  return {
    daemon,
    pids: [daemon.pid],
    drained: () => daemon.settle(roots[0]!),
    found: (files) => countLines(daemon.logDir, files),
    stop: async () => {
      await daemon.stop();
      await daemon.destroy();
    },
  };
}

/** Throws the recorded lines away, so that the next round begins with none. */
export function dropSegments(daemon: TestDaemon): void {
  for (const name of readdirSync(daemon.logDir))
    if (/\.\d+_log\.jsonl$/.test(name)) rmSync(join(daemon.logDir, name));
}

/** By pieces of text, not by JSON: a million lines are looked at. */
function countLines(logDir: string, files: ReadonlySet<string>): Found {
  const tally = new Tally(files, KINDS);
  for (const name of readdirSync(logDir)) {
    if (!name.endsWith("_log.jsonl")) continue;
    const text = readFileSync(join(logDir, name), "utf8");
    for (const [, kind, path, cmd] of text.matchAll(
      /"event_type":"([A-Z_]+)","path":"([^"]*)","pid":[^,]*,"cmd":("[^"]*"|null)/g,
    ))
      tally.add(kind!, shortName(path!), cmd !== "null");
  }
  return tally.found;
}
