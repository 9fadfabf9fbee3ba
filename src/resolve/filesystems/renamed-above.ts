// A directory above mounts was renamed, which changes no mount: from that event on their points, and all below them, have another path.
// Nothing is asked of the disk, which is ahead of the queue.
import { isAtOrBelow } from "../../containment.ts";
import type { Filesystems } from "./filesystems.ts";
import type { Mount } from "./mounts.ts";

/** What a path is after the renaming. */
export type Renaming = (path: string) => string;

export function renamingOf(old: string, now: string, exchange: boolean): Renaming {
  return (path) => {
    if (isAtOrBelow(path, old)) return now + path.slice(old.length);
    return exchange && isAtOrBelow(path, now) ? old + path.slice(now.length) : path;
  };
}

/** Something is mounted below. */
export function followRenaming(filesystems: Filesystems, renamed: Renaming): void {
  const moved = filesystems.mounts.map((mount): Mount => {
    const mountPoint = renamed(mount.mountPoint);
    return mountPoint === mount.mountPoint ? mount : { ...mount, mountPoint };
  });
  filesystems.takeMounts(moved);
  for (const fs of filesystems.all()) {
    fs.begins.moveMounted(renamed);
    fs.placesChanged();
  }
  filesystems.coverLater();
}
