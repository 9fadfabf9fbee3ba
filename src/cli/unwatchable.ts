// Filesystems that the kernel never lets anybody watch, known without asking it: for `add` while no daemon is running.
// A path goes in, the filesystem's name or null comes out. What isn't listed here may still be refused by the daemon.

import { statfsSync } from "node:fs";
import { dirname } from "node:path";

/**
 * statfs(2) type (linux/magic.h) → name. Each of them answers fanotify_mark(2) with EOPNOTSUPP: they have no file handles,
 * and most of what they show isn't files at all.
 */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0x9fa0, "proc"],
  [0x62656572, "sysfs"],
  [0x1cd1, "devpts"],
  [0x64626720, "debugfs"],
  [0x74726163, "tracefs"],
  [0x73636673, "securityfs"],
  [0xcafe4a11, "bpf"],
  [0x19800202, "mqueue"],
  [0x6165676c, "pstore"],
  [0x42494e4d, "binfmt_misc"],
  [0x65735543, "fusectl"],
]);

/** @param path absolute; where it doesn't exist, the nearest directory above it counts */
export function unwatchableFilesystem(path: string): string | null {
  for (let existing = path; ; existing = dirname(existing)) {
    try {
      return NAMES.get(statfsSync(existing).type >>> 0) ?? null;
    } catch {
      if (existing === "/") return null;
    }
  }
}
