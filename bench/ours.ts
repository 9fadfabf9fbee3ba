// Our daemon as a contender: the compiled binary, driven through its command line, truth taken from its log.
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { liveName, logHash } from "../src/log/names.ts";
import { BINARY, TestDaemon } from "../test/support/daemon.ts";
import { TestFilesystem } from "../test/support/filesystem.ts";
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

/** @param flags of `add`, the same for each root */
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

/** One directory on a filesystem of its own, and a daemon that watches it. */
export async function withOurs<T>(work: (ours: OurRunning, root: string) => Promise<T>): Promise<T> {
  const filesystem = TestFilesystem.mount("tmpfs");
  try {
    const root = join(filesystem.path, "root");
    mkdirSync(root);
    const ours = await startOurs([root]);
    try {
      return await work(ours, root);
    } finally {
      await ours.stop();
    }
  } finally {
    filesystem.unmount();
  }
}

/** The file that is being written to, of a daemon that watches this one path. */
export function liveLog({ daemon }: OurRunning, root: string): string {
  return join(daemon.logDir, liveName(logHash(root)));
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
