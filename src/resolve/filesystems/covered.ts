// Which directories of watched filesystems are hidden by what is mounted on them. Events of such a directory, which can
// still be reached in other ways, must not appear under a path that leads to something else now.
import { handleOf } from "../../kernel/handles.ts";
import type { Filesystem } from "./filesystem.ts";
import { bytesKey } from "./handle-key.ts";
import type { MountAccess } from "./mount-access.ts";
import type { Mount } from "./mounts.ts";

/** Handle → the mount that hides the directory. */
export type Covered = ReadonlyMap<string, Mount>;

export function findCovered(
  byDevice: ReadonlyMap<string, Filesystem>,
  mounts: readonly Mount[],
  access: MountAccess,
): ReadonlyMap<Filesystem, Covered> {
  const byId = new Map(mounts.map((mount) => [mount.id, mount]));
  const all = new Map<Filesystem, Map<string, Mount>>();
  for (const fs of byDevice.values()) all.set(fs, new Map());
  for (const mount of mounts) {
    const below = byId.get(mount.parentId);
    const fs = below === undefined ? undefined : byDevice.get(below.device);
    if (below === undefined || fs === undefined || !fs.mounts.includes(below)) continue;
    const opened = access.open(below);
    // Without a private copy the hidden directory can't be looked at.
    if (typeof opened === "number" || !opened.uncovers) continue;
    const name = mount.mountPoint.slice(below.mountPoint === "/" ? 1 : below.mountPoint.length + 1);
    const handle = handleOf(name, opened.fd);
    if (typeof handle === "number") continue;
    // Mounted on itself, a directory hides nothing.
    const visible = mount.device === fs.device ? handleOf(mount.mountPoint) : 0;
    if (typeof visible !== "number" && Buffer.compare(visible, handle) === 0) continue;
    all.get(fs)!.set(bytesKey(handle), mount);
  }
  return all;
}
