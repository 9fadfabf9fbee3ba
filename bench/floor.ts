// The floor: a C program that reads the same events and only counts them (reader.c).
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as abi from "../src/kernel/abi.ts";
import { run } from "../test/support/filesystem.ts";
import { until } from "../test/support/wait.ts";
import type { Contender, Running } from "./contender.ts";

/** What our daemon asks for with the 8 types of the default set. */
export const OUR_MASK =
  abi.FAN_CREATE |
  abi.FAN_DELETE |
  abi.FAN_DELETE_SELF |
  abi.FAN_RENAME |
  abi.FAN_CLOSE_WRITE |
  abi.FAN_ATTRIB |
  abi.FAN_ONDIR;

const folder = mkdtempSync(join(tmpdir(), "fsmon-bench-reader-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
let program = "";

function compiled(): string {
  if (program === "") {
    program = join(folder, "reader");
    run([
      process.env.CC || "cc",
      "-O2",
      "-Wall",
      "-Wextra",
      "-Werror",
      "-o",
      program,
      join(import.meta.dir, "reader.c"),
    ]);
  }
  return program;
}

export interface ReaderCounts {
  events: number;
  reads: number;
  overflowed: number;
}

export interface ReaderRunning extends Running {
  counts(): Promise<ReaderCounts>;
}

export interface Floor extends Contender {
  start(root: string): Promise<ReaderRunning>;
}

/** @param spacingMs how long it sleeps after each read; 0 reads eagerly */
export function floor(spacingMs: number): Floor {
  return {
    name: spacingMs === 0 ? "C reader, eager" : `C reader, ${spacingMs} ms`,
    version: "bench/reader.c",
    obstacle: "",
    start: (root) => startReader(root, spacingMs),
  };
}

async function startReader(root: string, spacingMs: number): Promise<ReaderRunning> {
  const child = Bun.spawn([compiled(), root, String(OUR_MASK), String(spacingMs)], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const first = await child.stderr.getReader().read();
  if (!new TextDecoder().decode(first.value).includes("ready")) throw new Error("the C reader doesn't start");
  let counts: ReaderCounts | null = null;
  return {
    pids: [child.pid],
    // A reader that sleeps in poll has nothing left to read.
    drained: async () => {
      await until("the C reader sleeps", () =>
        readFileSync(`/proc/${child.pid}/wchan`, "latin1").includes("poll"),
      );
    },
    found: () => null,
    counts: async () => {
      child.kill("SIGTERM");
      counts ??= JSON.parse(await new Response(child.stdout).text()) as ReaderCounts;
      return counts;
    },
    stop: async () => {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}
