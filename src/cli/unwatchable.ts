// Whether a path lies on a filesystem that the kernel never lets anybody watch, known without asking it: for `add` while no daemon is
// running. A path goes in, the filesystem's name or null comes out. What isn't known here may still be refused by the daemon.
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { UNWATCHABLE } from "../kernel/unwatchable.ts";

/** @param path absolute; where it doesn't exist, the nearest directory above it counts */
export function unwatchableFilesystem(path: string): string | null {
  for (let existing = path; ; existing = dirname(existing)) {
    try {
      const type = statfsSync(existing).type >>> 0;
      return [...UNWATCHABLE].find(([, magic]) => magic === type)?.[0] ?? null;
    } catch {
      if (existing === "/") return null;
    }
  }
}
