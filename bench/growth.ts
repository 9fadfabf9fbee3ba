// How cost grows: with the number of managed paths, directories, filters and logs. The same storm each time; what changes is what the
// daemon has to know.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { TestFilesystem } from "../test/support/filesystem.ts";
import { Workload } from "../test/support/workload.ts";
import { startOurs } from "./ours.ts";
import type { Section } from "./section.ts";
import { median, spread, table } from "./table.ts";
import { cpuUs } from "./usage.ts";

/** Enough of them for the compilers to be done, and for the figures of a single round to agree. */
const FILES = 60_000;
const LINES_A_FILE = 5;

interface Shape {
  what: string;
  /** Managed paths beside each other; the storm runs in the first. */
  paths?: number;
  /** Directories below the first. */
  directories?: number;
  /** Exclude patterns, none of which matches. */
  filters?: number;
  /** Managed paths above each other: each event goes into as many logs. */
  logs?: number;
}

const SHAPES: readonly Shape[] = [
  { what: "1 managed path, 10 directories, no filter, 1 log", directories: 10 },
  { what: "10 managed paths", paths: 10 },
  { what: "100 managed paths", paths: 100 },
  { what: "1,000 directories", directories: 1000 },
  { what: "100,000 directories", directories: 100_000 },
  { what: "1 filter", filters: 1 },
  { what: "20 filters", filters: 20 },
  { what: "2 logs", logs: 2 },
  { what: "8 logs", logs: 8 },
];

export const growth: Section = {
  name: "growth",
  title: "How cost grows",
  run: async (rounds) => {
    const workload = new Workload("storm");
    const figures = SHAPES.map(() => [] as number[]);
    const rates = SHAPES.map(() => [] as number[]);
    try {
      for (let round = 0; round < Math.min(rounds, 3); round++)
        for (const [i, shape] of SHAPES.entries()) {
          const { usPerFile, perSecond } = await ride(shape, workload);
          figures[i]!.push(usPerFile);
          rates[i]!.push(perSecond / 1000);
        }
    } finally {
      workload.remove();
    }
    const base = median(figures[0]!);
    const rows = SHAPES.map(({ what, logs = 1 }, i) => [
      what,
      spread(figures[i]!),
      `${(median(figures[i]!) / base).toFixed(2)}×`,
      (median(figures[i]!) / (LINES_A_FILE * logs)).toFixed(2),
      spread(rates[i]!, 0),
    ]);
    const head = ["", "µs CPU a file", "ratio", "µs a line", "thousand events a second"];
    return { text: table(head, rows), goals: [] };
  },
};

async function ride(
  { paths = 1, directories = 0, filters = 0, logs = 1 }: Shape,
  workload: Workload,
): Promise<{ usPerFile: number; perSecond: number }> {
  const filesystem = TestFilesystem.mount("tmpfs");
  try {
    let root = filesystem.path;
    const roots: string[] = [];
    for (let level = 0; level < logs; level++) {
      root = join(root, `level${level}`);
      mkdirSync(root);
      roots.unshift(root);
    }
    for (let i = 1; i < paths; i++) {
      const other = join(filesystem.path, `other${i}`);
      mkdirSync(other);
      roots.push(other);
    }
    if (directories > 0) {
      mkdirSync(join(root, "tree"));
      await workload.start("tree", join(root, "tree"), 1, directories);
    }
    const patterns = Array.from({ length: filters }, (_, i) => (i % 2 === 0 ? `*.tmp${i}` : `cache${i}*`));
    const flags = patterns.length > 0 ? ["--exclude", patterns.join(",")] : [];
    const ours = await startOurs(roots, flags);
    try {
      // The first look at the tree is another question (startup.ts).
      for (const path of roots) await ours.daemon.scanned(path);
      for (const name of ["warm", "work"]) mkdirSync(join(root, name));
      await workload.start("files", join(root, "warm"), 1, FILES);
      await ours.drained();
      const before = cpuUs(ours.pids);
      const startMs = performance.now();
      await workload.start("files", join(root, "work"), 1, FILES);
      const seconds = (performance.now() - startMs) / 1000;
      await ours.drained();
      return { usPerFile: (cpuUs(ours.pids) - before) / FILES, perSecond: (FILES * LINES_A_FILE) / seconds };
    } finally {
      await ours.stop();
    }
  } finally {
    filesystem.unmount();
  }
}
