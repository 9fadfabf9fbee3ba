// Files f0, f1 … of a managed directory, and which of them its log says were made.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestDaemon } from "./daemon.ts";

export function makeFiles(directory: string, from: number, to: number): void {
  for (let i = from; i < to; i++) writeFileSync(join(directory, `f${i}`), "");
}

/** In the log's order. @param pattern of the path's end, which captures the number */
export function numbersMade(daemon: TestDaemon, directory: string, pattern = /\/f(\d+)$/): number[] {
  return daemon
    .events(directory)
    .filter((line) => line.event_type === "CREATE")
    .map(({ path }) => pattern.exec(path)?.[1])
    .filter((number) => number !== undefined)
    .map(Number);
}
