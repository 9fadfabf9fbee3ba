// A private filesystem for one test, so that nothing else on the machine can interfere: a tmpfs, or an image
// on a loop device.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type FilesystemKind = "tmpfs" | "ext4" | "xfs" | "btrfs";

/**
 * The smallest images that mkfs accepts, with some room: xfs wants 300 MB, btrfs 109 MB. Sparse, so they cost
 * little.
 */
const IMAGE_MB = { ext4: 64, xfs: 320, btrfs: 256 } as const;

export class TestFilesystem {
  private constructor(
    readonly kind: FilesystemKind,
    /** Where it is mounted; symlinks resolved. */
    readonly path: string,
    private readonly home: string,
  ) {}

  static mount(kind: FilesystemKind): TestFilesystem {
    const home = mkdtempSync(join(tmpdir(), "fsmon-fs-"));
    const path = join(home, "mnt");
    mkdirSync(path);
    // Other users must get there.
    chmodSync(home, 0o755);
    try {
      if (kind === "tmpfs") {
        run(["mount", "-t", "tmpfs", "-o", "size=512m,nr_inodes=0", "fsmon-test", path]);
      } else {
        const image = join(home, "image");
        run(["truncate", "-s", `${IMAGE_MB[kind]}M`, image]);
        run([`mkfs.${kind}`, "-q", image]);
        run(["mount", "-o", "loop", image, path]);
      }
    } catch (error) {
      rmSync(home, { recursive: true, force: true });
      throw error;
    }
    return new TestFilesystem(kind, path, home);
  }

  /** Makes a directory in it, in which everybody may write. */
  directory(name: string): string {
    const path = join(this.path, name);
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o777);
    return path;
  }

  unmount(): void {
    // Lazily, should a test have left a process in it: the next test's filesystem is another one anyway.
    if (spawnSync("umount", [this.path]).status !== 0) spawnSync("umount", ["-l", this.path]);
    rmSync(this.home, { recursive: true, force: true });
  }
}

/**
 * Runs a script in a directory. The colon keeps the shell from executing the last command in its own place: then one
 * process would bear two names, and the kernel merge what the two did to one file.
 *
 * @throws with what it said, as soon as a command of it fails
 */
export function runShell(script: string, cwd: string, env = process.env): string {
  return run(["bash", "-e", "-c", `${script}\n:`], { cwd, env });
}

/** @throws with what the program said */
export function run(
  argv: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): string {
  const [program, ...args] = argv;
  const done = spawnSync(program!, args, { encoding: "utf8", ...options });
  if (done.status !== 0) {
    throw new Error(
      `${argv.join(" ")} failed (${done.status ?? done.error?.message}): ${done.stderr}${done.stdout}`,
    );
  }
  return done.stdout;
}

/** Why tests of capture can't run here; null where they can. */
export const captureObstacle: string | null = findObstacle();

function findObstacle(): string | null {
  if (process.getuid?.() !== 0) return "needs root";
  const probe = mkdtempSync(join(tmpdir(), "fsmon-probe-"));
  try {
    run(["mount", "-t", "tmpfs", "fsmon-probe", probe]);
    run(["umount", probe]);
    return null;
  } catch {
    return "needs the right to mount filesystems";
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}
