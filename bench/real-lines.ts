// Real lines for measurements: the compiled daemon records a storm, and its lines are repeated with times that go on, until there
// are as many bytes as wanted. Needs root.
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { liveName, logHash, segmentName } from "../src/log/names.ts";
import { formatTime, TIME_CHARS, TIME_KEY } from "../src/log/time.ts";
import { TestDaemon } from "../test/support/daemon.ts";
import { TestFilesystem } from "../test/support/filesystem.ts";
import { Workload } from "../test/support/workload.ts";

/** What stands behind the time in each line of a storm's log. */
export async function recordStorm(): Promise<string[]> {
  const workload = new Workload("storm");
  const filesystem = TestFilesystem.mount("tmpfs");
  const daemon = new TestDaemon();
  try {
    await daemon.start();
    const root = join(filesystem.path, "srv/www/myapp");
    mkdirSync(root, { recursive: true });
    await daemon.add(root, "-r");
    for (const [what, count] of [
      ["files", 4000],
      ["fresh", 1200],
    ] as const) {
      mkdirSync(join(root, what));
      await workload.start(what, join(root, what), 3, count);
      await daemon.settle(root);
    }
    const name = readdirSync(daemon.logDir).find((one) => one.endsWith("_log.jsonl")) ?? "";
    const lines = readFileSync(join(daemon.logDir, name), "latin1").split("\n").slice(1, -1);
    return lines.map((line) => line.slice(TIME_KEY.length + TIME_CHARS));
  } finally {
    await daemon.destroy();
    filesystem.unmount();
    workload.remove();
  }
}

export interface LogPlan {
  logDir: string;
  managedPath: string;
  sizeBytes: number;
  segmentBytes: number;
  fromMs: number;
  toMs: number;
}

/** Writes a log of so many bytes, in segments, its times evenly from one moment to the other. */
export function writeLog(rests: readonly string[], plan: LogPlan): void {
  const { logDir, managedPath, sizeBytes, segmentBytes, fromMs, toMs } = plan;
  mkdirSync(logDir, { recursive: true, mode: 0o700 });
  const hash = logHash(managedPath);
  const begin = '{"time":"';
  const meanBytes =
    rests.reduce((sum, rest) => sum + begin.length + TIME_CHARS + rest.length + 1, 0) / rests.length;
  const count = Math.ceil(sizeBytes / meanBytes);
  const segments = Math.max(1, Math.ceil(sizeBytes / segmentBytes));
  let next = 0;
  for (let number = 1; number <= segments; number++) {
    const name = number === segments ? liveName(hash) : segmentName(hash, number);
    const fd = openSync(join(logDir, name), "w", 0o600);
    const until = Math.floor((count * number) / segments);
    while (next < until) {
      let block = "";
      for (; next < until && block.length < 1024 * 1024; next++) {
        const timeMs = fromMs + ((toMs - fromMs) * next) / count;
        block += `${begin}${formatTime(timeMs)}${rests[next % rests.length]}\n`;
      }
      writeSync(fd, block, null, "latin1");
    }
    closeSync(fd);
  }
}
