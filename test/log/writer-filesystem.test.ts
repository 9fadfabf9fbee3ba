// The log's filesystem itself is in trouble: it turns read-only under the open file, answers every call with EIO, refuses more by a
// quota, or knows no owners. Needs root, loop devices, and for each what its name says.
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { LogWriter } from "../../src/log/writer.ts";
import { captureObstacle, run } from "../support/filesystem.ts";
import { LogDir, numbersIn, parsed, ROOT, range, until } from "./log-dir.ts";

/** A filesystem on a loop device that may die and come back as a machine's disk does: with what had reached it. */
class Disk extends LogDir {
  readonly #home: string;
  #images = 0;

  constructor(mkfs: string[], sizeMb: number) {
    const home = mkdtempSync(join(tmpdir(), "fsmon-disk-"));
    const path = join(home, "mnt");
    mkdirSync(path);
    super(path);
    this.#home = home;
    run(["truncate", "-s", `${sizeMb}M`, this.#image]);
    run([...mkfs, this.#image]);
    this.mount();
  }

  get #image(): string {
    return join(this.#home, `image-${this.#images}`);
  }

  mount(options = "loop,errors=remount-ro"): void {
    const known = run(["blkid", "-o", "value", "-s", "TYPE", this.#image]).trim() === "ext4";
    run(["mount", "-o", known ? options : "loop", this.#image, this.path]);
  }

  /** The kernel finds the filesystem broken: read-only from here on. */
  turnReadOnly(): void {
    const device = basename(run(["findmnt", "-no", "SOURCE", this.path]).trim());
    writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, "1");
  }

  /** Every call fails with EIO from here on. */
  breakDown(): void {
    run(["xfs_io", "-x", "-c", "shutdown -f", this.path]);
  }

  /** Somebody unmounts and mounts it, though the daemon has a file open there. */
  comeBack(): void {
    run(["umount", "-l", this.path]);
    const died = this.#image;
    this.#images++;
    run(["cp", died, this.#image]);
    spawnSync("e2fsck", ["-fy", this.#image]);
    this.mount();
  }

  override [Symbol.dispose](): void {
    spawnSync("umount", ["-l", this.path]);
    rmSync(this.#home, { recursive: true, force: true });
  }
}

const gapsIn = (text: string) => parsed(text).filter(({ event_type }) => event_type === "GAP");
const millis = (value: unknown) => Date.parse(String(value));

describe.skipIf(captureObstacle !== null)(
  "LogWriter on a filesystem in trouble (needs root and mounts)",
  () => {
    for (const [what, errno, breakIt] of [
      ["turns read-only", "EROFS", (disk: Disk) => disk.turnReadOnly()],
      ["answers with EIO", "EIO", (disk: Disk) => disk.breakDown()],
    ] as const) {
      test(`lives on when the filesystem of the open log ${what}, and goes on when it is back`, async () => {
        using disk = new Disk(["mkfs.ext4", "-q"], 64);
        const writer = disk.openWriter();
        disk.put(writer, 100);
        run(["sync", "-f", disk.path]);
        const syncedMs = Date.now();
        // Written, but not yet on the disk: gone with the filesystem.
        disk.put(writer, 50, syncedMs + 5);
        breakIt(disk);
        disk.put(writer, 30, syncedMs + 10);
        disk.put(writer, 30, syncedMs + 20);
        expect(writer.incompleteSinceMs).toBe(syncedMs + 10);
        disk.comeBack();
        await until(() => writer.incompleteSinceMs === null);
        disk.put(writer, 5);
        writer.close();
        const text = disk.text();
        const numbers = numbersIn(text);
        // What waited is there, and what the disk had; of the 50, what had come so far.
        expect(numbers).toEqual([...range(0, numbers.length - 65), ...range(150, 215)]);
        expect(numbers.length).toBeGreaterThanOrEqual(165);
        const gaps = gapsIn(text);
        expect(gaps[0]).toMatchObject({ reason: "write_error", lost: 0 });
        if (numbers.length < 215) {
          expect(gaps).toHaveLength(2);
          expect(gaps[1]).toMatchObject({ reason: "write_error", lost: null });
          expect(millis(gaps[1]!.gap_from)).toBeLessThanOrEqual(syncedMs);
        }
        expect(disk.trouble).toEqual([
          expect.stringContaining(`(${errno})`),
          expect.stringMatching(/can be written again: 0 events were lost/),
        ]);
      });
    }

    test("keeps events while a quota is used up, loses none, and says so", async () => {
      using disk = new Disk(["mkfs.btrfs", "-q"], 128);
      run(["btrfs", "quota", "enable", disk.path]);
      const home = join(disk.path, "home");
      run(["btrfs", "subvolume", "create", home]);
      run(["btrfs", "qgroup", "limit", "2M", home]);
      using dir = new LogDir(home);
      const writer = dir.openWriter();
      dir.put(writer, 100);
      while (writer.incompleteSinceMs === null && dir.written < 30_000) dir.put(writer, 300);
      expect(writer.incompleteSinceMs).not.toBeNull();
      // btrfs refuses even to cut the half line off, which takes a new block, and leaves zeros in its place until it may.
      const [before = ""] = dir.text().split("\0");
      expect(dir.text().replaceAll("\0", "")).toBe(before);
      expect(numbersIn(before)).toEqual(range(0, numbersIn(before).length));
      expect(dir.trouble).toEqual([expect.stringContaining("(EDQUOT)")]);
      run(["btrfs", "qgroup", "limit", "none", home]);
      await until(() => writer.incompleteSinceMs === null);
      writer.close();
      expect(numbersIn(dir.text())).toEqual(range(0, dir.written));
      expect(gapsIn(dir.text())).toMatchObject([{ reason: "disk_full", lost: 0 }]);
    });

    const ownerless = ownerlessKind();
    test.skipIf(ownerless === null)(
      "warns once on a filesystem without owners, and goes on (needs vfat or bindfs)",
      () => {
        using disk = new LogDir();
        using _mounted = mountOwnerless(ownerless!, disk.path);
        const trouble: string[] = [];
        const writer = new LogWriter({
          logDir: disk.path,
          managedPath: ROOT,
          owner: { uid: 4321, gid: 4321, groups: [4321] },
          segmentSizeBytes: 3000,
          describe: () => ({ filters: "", host: "", version: "" }),
          onTrouble: (message) => trouble.push(message),
        });
        writer.open();
        for (let i = 0; i < 10; i++) disk.put(writer, 10);
        writer.close();
        expect(statSync(writer.path).uid).not.toBe(4321);
        expect(numbersIn(disk.text())).toEqual(range(0, 100));
        expect(disk.names().length).toBeGreaterThan(3);
        expect(trouble).toEqual([expect.stringContaining("keeps no owners")]);
      },
    );
  },
);

function ownerlessKind(): "vfat" | "bindfs" | null {
  if (spawnSync("grep", ["-qw", "vfat", "/proc/filesystems"]).status === 0) return "vfat";
  return Bun.which("bindfs") === null ? null : "bindfs";
}

function mountOwnerless(kind: "vfat" | "bindfs", path: string): Disposable {
  const home = mkdtempSync(join(tmpdir(), "fsmon-ownerless-"));
  if (kind === "vfat") {
    run(["truncate", "-s", "16M", join(home, "image")]);
    run(["mkfs.vfat", join(home, "image")]);
    run(["mount", "-o", "loop,uid=4999,umask=000", join(home, "image"), path]);
  } else {
    const under = join(home, "under");
    mkdirSync(under);
    chmodSync(under, 0o777);
    chownSync(under, 4999, 4999);
    run(["bindfs", "--force-user=4999", "--create-for-user=4999", "--perms=a+rwX", under, path]);
  }
  return {
    [Symbol.dispose]() {
      run(["umount", path]);
      rmSync(home, { recursive: true, force: true });
    },
  };
}
