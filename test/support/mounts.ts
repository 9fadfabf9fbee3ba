// Mounts of one test, undone in reverse when it is over: images on loop devices, bind mounts, overlays, FUSE.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./filesystem.ts";

const MKFS: Readonly<Record<string, { sizeMb: number; flags: readonly string[] }>> = {
  ext4: { sizeMb: 32, flags: ["-q"] },
  btrfs: { sizeMb: 128, flags: ["-q"] },
  xfs: { sizeMb: 320, flags: ["-q"] },
};

export class Mounts {
  /** Symlinks resolved. */
  readonly home = realpathSync(mkdtempSync(join(tmpdir(), "fsmon-mounts-")));
  private readonly mounted: string[] = [];
  private readonly loops: string[] = [];

  /** Makes a directory below home. */
  directory(...names: string[]): string {
    const path = join(this.home, ...names);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** `mount ARGS PATH`; the directory is made where it is missing. */
  mount(path: string, ...args: string[]): string {
    mkdirSync(path, { recursive: true });
    run(["mount", ...args, path]);
    this.mounted.push(path);
    return path;
  }

  tmpfs(path: string): string {
    return this.mount(path, "-t", "tmpfs", "fsmon-test");
  }

  bind(from: string, path: string): string {
    return this.mount(path, "--bind", from);
  }

  /** An overlay with default options at `name`/merged; its layers lie beside it, on a tmpfs. */
  overlay(name: string): { merged: string; lower: string; upper: string } {
    const layers = this.tmpfs(join(this.home, name));
    const [lower, upper, work] = ["lower", "upper", "work"].map((one) => this.directory(name, one));
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    const merged = this.mount(join(layers, "merged"), "-t", "overlay", "overlay", "-o", options);
    return { merged, lower: lower!, upper: upper! };
  }

  /** A FUSE filesystem that shows a directory of this one (bindfs). */
  fuse(name: string): { path: string; source: string } {
    const source = this.directory(`${name}-source`);
    const path = this.directory(name);
    run(["bindfs", source, path]);
    this.mounted.push(path);
    return { path, source };
  }

  /** A new filesystem in an image, on a loop device that stays until the end. */
  image(type: "ext4" | "btrfs" | "xfs", name: string = type): { file: string; device: string } {
    const { sizeMb, flags } = MKFS[type]!;
    const file = join(this.home, `${name}.image`);
    run(["truncate", "-s", `${sizeMb}M`, file]);
    run([`mkfs.${type}`, ...flags, file]);
    return { file, device: this.loop(file) };
  }

  loop(file: string): string {
    const device = run(["losetup", "-f", "--show", file]).trim();
    this.loops.push(device);
    return device;
  }

  /** `umount PATH`, which must succeed at once. */
  umount(path: string): void {
    run(["umount", path]);
    this.mounted.splice(this.mounted.lastIndexOf(path), 1);
  }

  destroy(): void {
    for (const path of this.mounted.reverse()) {
      if (spawnSync("umount", [path]).status !== 0) spawnSync("umount", ["-l", path]);
    }
    for (const device of this.loops) spawnSync("losetup", ["-d", device]);
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Whether a program of Debian's is installed. */
export function hasProgram(name: string): boolean {
  return ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].some((folder) => existsSync(join(folder, name)));
}
