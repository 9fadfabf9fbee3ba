// Whether a filesystem by itself writes a file's data before the rename that puts it in another's place. A directory goes in, yes or
// no comes out; in doubt no, and the caller flushes. Only looks.
import { readFileSync, statfsSync, statSync } from "node:fs";

/** ext2/3/4, btrfs, and tmpfs, which has no disk. */
const ORDERED_MAGICS: ReadonlySet<number> = new Set([0xef53, 0x9123683e, 0x01021994]);
const OVERLAY_MAGIC = 0x794c7630;

export function ordersDataBeforeRename(dir: string): boolean {
  const magic = magicOf(dir);
  // An overlay renames in its upper layer, so that one's filesystem decides; where it can be seen.
  const upper = magic === OVERLAY_MAGIC ? upperLayerOf(dir) : null;
  return ORDERED_MAGICS.has(upper === null ? magic : magicOf(upper));
}

function magicOf(dir: string): number {
  try {
    return Number(statfsSync(dir).type);
  } catch {
    return Number.NaN;
  }
}

/** As the mount table names it; null where it can't be known. */
function upperLayerOf(dir: string): string | null {
  try {
    const { dev } = statSync(dir);
    // Overlays have anonymous devices: major number 0, and the minor one in two parts (glibc's makedev).
    const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
    const mount = readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .find((line) => line.split(" ")[2] === `0:${minor}`);
    const upper = /[ ,]upperdir=([^ ,]+)/.exec(mount ?? "")?.[1];
    return (
      upper?.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))) ??
      null
    );
  } catch {
    return null;
  }
}
