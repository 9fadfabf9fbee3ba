// How long `fsmon clean` takes to cut a gigabyte of log to its half, by size and by age, on each filesystem: from the process's start
// to its end. Needs root (the lines come from a storm, the filesystems are made for it) and 5 GB below TMPDIR.
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BINARY } from "../test/support/daemon.ts";
import { run } from "../test/support/filesystem.ts";
import { recordStorm, writeLog } from "./real-lines.ts";
import { type Answer, atMost, type Goal, type Section } from "./section.ts";
import { table } from "./table.ts";
import { peakRssKb, type Timing, timeCommand } from "./timing.ts";

const BYTES = 1e9;
const DAY_MS = 86_400_000;
const SEGMENT_BYTES = 64 * 1024 * 1024;
const GOAL_MS = 100;
const RUNS_MAX = 5;

interface Figures {
  kind: string;
  bySize: Timing;
  byAge: Timing;
  /** Of the one by age. */
  rssKb: number;
}

export const cleaning: Section = {
  name: "cleaning",
  title: "A gigabyte of log cut to its half",
  run: async (rounds) => {
    const home = mkdtempSync(join(tmpdir(), "fsmon-bench-"));
    try {
      const rests = await recordStorm();
      const nowMs = Date.now();
      const plan = {
        managedPath: "/srv/www/myapp",
        sizeBytes: BYTES,
        fromMs: nowMs - 30 * DAY_MS,
        toMs: nowMs,
      };
      const [whole, single] = [join(home, "whole"), join(home, "single")];
      writeLog(rests, { ...plan, logDir: whole, segmentBytes: SEGMENT_BYTES });
      const runs = Math.min(rounds, RUNS_MAX);
      const figures = ["ext4", "xfs", "btrfs", "tmpfs"].map((kind) =>
        onFilesystem(home, kind, (dir) => measure(kind, dir, whole, runs)),
      );
      figures.push(onOverlay(home, (dir) => measure("overlayfs on ext4", dir, whole, runs)));
      rmSync(whole, { recursive: true });
      writeLog(rests, { ...plan, logDir: single, segmentBytes: Number.POSITIVE_INFINITY });
      const inOne = onFilesystem(home, "ext4", (dir) => measure("ext4, in a single file", dir, single, runs));
      return answer(figures, inOne);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  },
};

/** Each time from the same beginning. */
function measure(kind: string, dir: string, whole: string, runs: number): Figures {
  const logDir = join(dir, "logs");
  const names = readdirSync(whole);
  const fill = () => {
    rmSync(logDir, { recursive: true, force: true });
    mkdirSync(logDir);
    for (const name of names) copyFileSync(join(whole, name), join(logDir, name));
    run(["sync", "-f", dir]);
  };
  const clean = (...limits: string[]) => ({
    argv: [BINARY, "clean", "--log-dir", logDir, ...limits],
    env: { HOME: dir, PATH: process.env.PATH ?? "/usr/bin:/bin" },
    before: fill,
  });
  const bytes = names.reduce((sum, name) => sum + statSync(join(whole, name)).size, 0);
  const bySize = clean("--max-size", String(Math.floor(bytes / 2)), "--keep-days", "10000");
  const byAge = clean("--keep-days", "15", "--max-size", "1000GB");
  return {
    kind,
    bySize: timeCommand({ ...bySize, runs }),
    byAge: timeCommand({ ...byAge, runs }),
    rssKb: peakRssKb(byAge),
  };
}

function onFilesystem<T>(home: string, kind: string, work: (dir: string) => T): T {
  const [dir, image] = [join(home, "mnt"), join(home, "image")];
  mkdirSync(dir);
  if (kind === "tmpfs") run(["mount", "-t", "tmpfs", "-o", `size=${2 * BYTES}`, "fsmon-bench", dir]);
  else {
    run(["truncate", "-s", String(3 * BYTES + 5e8), image]);
    run([`mkfs.${kind}`, "-q", image]);
    run(["mount", "-o", "loop", image, dir]);
  }
  try {
    return work(dir);
  } finally {
    run(["umount", dir]);
    rmSync(dir, { recursive: true });
    rmSync(image, { force: true });
  }
}

/** Over an ext4 of its own, so that it is compared with that and not with whatever TMPDIR lies on. */
function onOverlay<T>(home: string, work: (dir: string) => T): T {
  return onFilesystem(home, "ext4", (under) => {
    const [lower, upper, scratch] = ["lower", "upper", "work"].map((name) => join(under, name));
    const merged = join(under, "merged");
    for (const dir of [lower, upper, scratch, merged]) mkdirSync(dir!);
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${scratch}`;
    run(["mount", "-t", "overlay", "-o", options, "overlay", merged]);
    try {
      return work(merged);
    } finally {
      run(["umount", merged]);
    }
  });
}

function answer(segmented: readonly Figures[], inOne: Figures): Answer {
  const show = ({ medianMs, minMs }: Timing) => `${medianMs.toFixed(0)} ms (best ${minMs.toFixed(0)})`;
  const rows = [...segmented, inOne].map(({ kind, bySize, byAge, rssKb }) => {
    return [kind, show(bySize), show(byAge), `${rssKb >> 10} MB`];
  });
  const goals: Goal[] = segmented.flatMap(({ kind, bySize, byAge }) => [
    atMost(`clean of half by size, ${kind}`, GOAL_MS, bySize.medianMs, "ms", 0),
    atMost(`clean of half by age, ${kind}`, GOAL_MS, byAge.medianMs, "ms", 0),
  ]);
  return { text: table(["1 GB, half of it goes", "by size", "by age", "memory in all"], rows), goals };
}
