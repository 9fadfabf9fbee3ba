// /proc/self/mountinfo → which filesystems are mounted where. proc_pid_mountinfo(5).
import { closeSync, openSync, readFileSync } from "node:fs";
import { pollsPriority } from "../../kernel/poll.ts";

export interface Mount {
  id: number;
  /** The mount that this one is mounted on. */
  parentId: number;
  /** The directory of the filesystem that is mounted: "/" unless it is a bind mount or a subvolume. */
  root: string;
  /** Where. Names in mountinfo are bytes; ones that aren't UTF-8 can't be managed paths. */
  mountPoint: string;
  /** "8:1". */
  device: string;
  /** "ext4", "tmpfs" … */
  type: string;
  /** Device, or whatever stands in its place. */
  source: string;
  /** The filesystem itself, not only this mount of it. */
  readOnly: boolean;
}

const PATH = "/proc/self/mountinfo";

/** All mounts, in mount order: a later one on the same mount point covers the earlier. */
export function readMounts(): Mount[] {
  return parseMountinfo(readFileSync(PATH, "utf8"));
}

export function parseMountinfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split("\n")) {
    // 36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/root rw
    const [front, back] = line.split(" - ", 2);
    const fields = front?.split(" ") ?? [];
    if (fields.length < 5 || back === undefined) continue;
    const [type = "", source = "", options = ""] = back.split(" ");
    mounts.push({
      id: Number(fields[0]),
      parentId: Number(fields[1]),
      device: fields[2]!,
      root: unescapeOctal(fields[3]!),
      mountPoint: unescapeOctal(fields[4]!),
      type,
      source: unescapeOctal(source),
      readOnly: options.split(",").includes("ro"),
    });
  }
  return mounts;
}

/** The mount that holds a path: the longest mount point above it, the latest of several on the same one. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | null {
  let best: Mount | null = null;
  for (const mount of mounts) {
    if (!isAtOrBelow(path, mount.mountPoint)) continue;
    if (best === null || mount.mountPoint.length >= best.mountPoint.length) best = mount;
  }
  return best;
}

/** Tells one mount from another over time; ids alone are given again. */
export function mountKey(mount: Mount): string {
  return `${mount.id} ${mount.device} ${mount.root} ${mount.mountPoint}`;
}

/** Component-wise: /tmp/ab is not below /tmp/a. */
export function isAtOrBelow(path: string, above: string): boolean {
  return above === "/" || path === above || (path.startsWith(above) && path[above.length] === "/");
}

/** Space, tab, newline and backslash stand as octal escapes. */
function unescapeOctal(field: string): string {
  return field.includes("\\")
    ? field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    : field;
}

/**
 * Tells when mounts have changed. A poll is what the kernel counts as having looked (fs/proc_namespace.c:
 * mounts_poll), so a waiter that was woken by this descriptor has to say so.
 */
export class MountWatch {
  readonly fd = openSync(PATH, "r");
  private noted = false;

  noteChange(): void {
    this.noted = true;
  }

  /** True from a change on until changed() has told it. One poll(2). */
  hasChanged(): boolean {
    this.noted = pollsPriority(this.fd) || this.noted;
    return this.noted;
  }

  /** True once after a change. */
  changed(): boolean {
    const changed = this.hasChanged();
    this.noted = false;
    return changed;
  }

  close(): void {
    closeSync(this.fd);
  }
}
