// /proc/self/mountinfo → which filesystems are mounted where. proc_pid_mountinfo(5).
import { closeSync, openSync, readFileSync } from "node:fs";
import { isAtOrBelow } from "../../containment.ts";
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

/**
 * The mount that holds a path. Found as the kernel walks: from the topmost mount along what is mounted on it, so that what a
 * later mount on a directory above hides isn't taken for what the path leads to.
 */
export function mountOf(mounts: readonly Mount[], path: string): Mount | null {
  const { tops, children } = indexOf(mounts);
  let at: Mount | null = null;
  for (const mount of tops) {
    if (isAtOrBelow(path, mount.mountPoint) && mount.mountPoint.length >= (at?.mountPoint.length ?? 0))
      at = mount;
  }
  for (let steps = mounts.length; at !== null && steps > 0; steps--) {
    const next: Mount | null = nextMount(children.get(at.id) ?? [], path);
    if (next === null) break;
    at = next;
  }
  return at;
}

/** Of what is mounted on one mount, what the way to a path meets first. */
function nextMount(mounted: readonly Mount[], path: string): Mount | null {
  let first: Mount | null = null;
  for (const mount of mounted) {
    if (!isAtOrBelow(path, mount.mountPoint)) continue;
    if (first === null || mount.mountPoint.length < first.mountPoint.length) first = mount;
  }
  return first;
}

/** Mounts of a filesystem that paths lead to, the one that shows most of it first. */
export function mountsOf(mounts: readonly Mount[], device: string): Mount[] {
  return mounts
    .filter((mount) => mount.device === device && mountOf(mounts, mount.mountPoint) === mount)
    .sort((a, b) => a.root.length - b.root.length);
}

interface MountIndex {
  /** Those that are mounted on nothing that can be seen: the root, as a rule. */
  tops: readonly Mount[];
  /** What is mounted on each, by id. */
  children: ReadonlyMap<number, readonly Mount[]>;
  /** Directories at and above mount points. */
  above: ReadonlySet<string>;
}

/** Whether something is mounted at or below a path. */
export function leadsToMount(mounts: readonly Mount[], path: string): boolean {
  return indexOf(mounts).above.has(path);
}

/** A list of mounts never changes; a machine full of containers has thousands, and each is asked about. */
const indexes = new WeakMap<readonly Mount[], MountIndex>();

function indexOf(mounts: readonly Mount[]): MountIndex {
  const known = indexes.get(mounts);
  if (known !== undefined) return known;
  const ids = new Set(mounts.map((mount) => mount.id));
  const tops: Mount[] = [];
  const children = new Map<number, Mount[]>();
  for (const mount of mounts) {
    if (!ids.has(mount.parentId) || mount.parentId === mount.id) tops.push(mount);
    else {
      const siblings = children.get(mount.parentId);
      if (siblings === undefined) children.set(mount.parentId, [mount]);
      else siblings.push(mount);
    }
  }
  const above = new Set(mounts.flatMap(({ mountPoint }) => prefixes(mountPoint)));
  const index = { tops, children, above };
  indexes.set(mounts, index);
  return index;
}

/** Tells one mount from another over time; ids alone are given again. */
export function mountKey(mount: Mount): string {
  return `${mount.id} ${mount.device} ${mount.root} ${mount.mountPoint}`;
}

/** What was mounted or unmounted between two looks. */
export function changedMounts(before: readonly Mount[], now: readonly Mount[]): Mount[] {
  const [old, there] = [new Set(before.map(mountKey)), new Set(now.map(mountKey))];
  return [
    ...before.filter((mount) => !there.has(mountKey(mount))),
    ...now.filter((mount) => !old.has(mountKey(mount))),
  ];
}

/** Whether a path may lead elsewhere, or have other things below it, since something was mounted or unmounted at these points. */
export function concernedBy(points: readonly string[]): (path: string) => boolean {
  const atOrAbove = new Set(points);
  const lengths = [...new Set(points.map((point) => point.length))];
  const below = new Set(points.flatMap(prefixes));
  return (path) =>
    below.has(path) ||
    atOrAbove.has("/") ||
    lengths.some((length) => path[length] === "/" && atOrAbove.has(path.slice(0, length)));
}

/** "/a/b" → "/", "/a", "/a/b". */
export function prefixes(path: string): string[] {
  const all = ["/"];
  for (let at = path.indexOf("/", 1); at > 0; at = path.indexOf("/", at + 1)) all.push(path.slice(0, at));
  if (path !== "/") all.push(path);
  return all;
}

/** Space, tab, newline and backslash stand as octal escapes. */
function unescapeOctal(field: string): string {
  return field.includes("\\")
    ? field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    : field;
}

/**
 * Tells when mounts have changed. A poll is what the kernel counts as having looked (fs/proc_namespace.c: mounts_poll), for each open
 * file by itself: the one that a thread waits for can't be asked as well, or what that thread has seen and not said yet would be missed.
 */
export class MountWatch {
  /** To wait for. */
  readonly fd = openSync(PATH, "r");
  private readonly asked = openSync(PATH, "r");
  private noted = false;

  /** True from a change on until changed() has told it. One poll(2). */
  hasChanged(): boolean {
    this.noted = pollsPriority(this.asked) || this.noted;
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
    closeSync(this.asked);
  }
}
