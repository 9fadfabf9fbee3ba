// FS_ERROR: the filesystem found itself damaged. The kernel names no file here, at most an inode.
import { ERROR, ERROR_COUNT, type EventBatch } from "../../decode/fan.ts";
import { FAN_FS_ERROR } from "../../kernel/abi.ts";
import type { Occurrences } from "../occurrence.ts";
import type { Place } from "../watch.ts";
import type { Filesystem } from "./filesystem.ts";

/** Every managed path on the filesystem is told, under its own path. */
export function tellFilesystemError(
  fs: Filesystem,
  batch: EventBatch,
  event: number,
  out: Occurrences,
): void {
  const places = [...fs.begins.watches()].map((watch): Place => {
    const path = watch.path === "/" ? new Uint8Array(0) : Buffer.from(watch.path);
    return { watch, path, depth: 0, onlyName: null, cached: null };
  });
  if (places.length === 0) return;
  const one = out.add(FAN_FS_ERROR, 0, places, true);
  one.error = batch.get(event, ERROR);
  one.errorCount = batch.get(event, ERROR_COUNT);
}
