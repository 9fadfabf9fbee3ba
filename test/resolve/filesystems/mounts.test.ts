import { describe, expect, test } from "bun:test";
import { pollsPriority } from "../../../src/kernel/poll.ts";
import {
  changedMounts,
  concernedBy,
  MountWatch,
  mountOf,
  parseMountinfo,
  readMounts,
} from "../../../src/resolve/filesystems/mounts.ts";
import { captureObstacle, TestFilesystem } from "../../support/filesystem.ts";

const line = (id: number, device: string, root: string, mountPoint: string, type: string) =>
  `${id} 1 ${device} ${root} ${mountPoint} rw,relatime shared:1 - ${type} /dev/x rw`;

describe("parseMountinfo()", () => {
  test("reads the line of the manual page", () => {
    expect(
      parseMountinfo("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"),
    ).toEqual([
      {
        id: 36,
        parentId: 35,
        device: "98:0",
        root: "/mnt1",
        mountPoint: "/mnt2",
        type: "ext3",
        source: "/dev/root",
        readOnly: false,
      },
    ]);
  });

  test("reads lines with no optional field and with several", () => {
    const text = [
      "1 0 0:1 / / rw - tmpfs tmpfs rw",
      "2 1 0:2 / /a rw shared:1 master:2 propagate_from:3 unbindable - fuse.sshfs host:/ rw",
    ].join("\n");
    expect(parseMountinfo(text).map((mount) => `${mount.mountPoint} ${mount.type}`)).toEqual([
      "/ tmpfs",
      "/a fuse.sshfs",
    ]);
  });

  test("turns octal escapes back: space, tab, newline, backslash", () => {
    const [mount] = parseMountinfo(line(1, "8:1", "/a\\040b", "/x\\040y\\011z\\012\\134n\\134040", "ext4"));
    expect(mount).toMatchObject({ root: "/a b", mountPoint: "/x y\tz\n\\n\\040" });
  });

  test("keeps names beyond ASCII and a hyphen between spaces that were escaped", () => {
    const [mount] = parseMountinfo(line(1, "8:1", "/", "/mnt/日本\\040-\\040ü", "ext4"));
    expect(mount?.mountPoint).toBe("/mnt/日本 - ü");
  });

  test("passes over what is no line of a mount", () => {
    expect(parseMountinfo("\n\ngarbage\n1 2 3 - ext4 x y\n")).toEqual([]);
  });

  test("keeps the order of mounting", () => {
    const text = [line(5, "8:1", "/", "/", "ext4"), line(3, "8:2", "/", "/a", "xfs")].join("\n");
    expect(parseMountinfo(text).map((mount) => mount.id)).toEqual([5, 3]);
  });
});

describe("readMounts()", () => {
  test("reads every mount of this machine", () => {
    const mounts = readMounts();
    expect(mounts.length).toBeGreaterThan(0);
    for (const mount of mounts) {
      expect(mount.mountPoint).toStartWith("/");
      expect(mount.device).toMatch(/^\d+:\d+$/);
    }
    expect(mounts.find((mount) => mount.mountPoint === "/proc")?.type).toBe("proc");
  });
});

describe("concernedBy()", () => {
  test("paths at, below and above what was mounted or unmounted, and no others", () => {
    const isConcerned = concernedBy(["/srv/a", "/mnt/x/y"]);
    const paths = [
      "/",
      "/srv",
      "/srv/a",
      "/srv/a/b",
      "/srv/ab",
      "/srv/b",
      "/mnt/x",
      "/mnt/x/y/z",
      "/mnt/y",
      "/mnt/x/yy",
    ];
    expect(paths.filter(isConcerned)).toEqual([
      ...["/", "/srv", "/srv/a", "/srv/a/b", "/mnt/x", "/mnt/x/y/z"],
    ]);
    expect(paths.filter(concernedBy(["/"]))).toEqual(paths);
    expect(paths.filter(concernedBy([]))).toEqual([]);
  });
});

describe("mountOf()", () => {
  const mounts = parseMountinfo(
    [
      on(0, line(1, "8:1", "/", "/", "ext4")),
      on(1, line(2, "8:2", "/", "/mnt/a", "xfs")),
      on(2, line(3, "8:3", "/", "/mnt/a/deep", "btrfs")),
      on(1, line(4, "8:4", "/", "/mnt/ab", "ext4")),
      on(2, line(5, "8:5", "/", "/mnt/a/other", "tmpfs")),
      on(5, line(6, "8:6", "/", "/mnt/a/other", "ext4")),
      on(1, line(7, "8:7", "/", "/srv/x/y", "ext4")),
      on(1, line(8, "8:8", "/", "/srv/x", "ext4")),
    ].join("\n"),
  );
  const idOf = (path: string) => mountOf(mounts, path)?.id;

  test("is the one on the way to a path that is met last", () => {
    expect(["/", "/etc", "/mnt", "/mnt/a", "/mnt/a/deep/er", "/mnt/ab", "/mnt/abc"].map(idOf)).toEqual([
      1, 1, 1, 2, 3, 4, 1,
    ]);
  });

  test("is the latest of several on the same mount point", () => {
    expect(["/mnt/a/other", "/mnt/a/other/x"].map(idOf)).toEqual([6, 6]);
  });

  test("is never one that a later mount on a directory above hides", () => {
    expect(["/srv", "/srv/x", "/srv/x/y", "/srv/x/y/z"].map(idOf)).toEqual([1, 8, 8, 8]);
  });

  test("is null where nothing is mounted above", () => {
    expect(mountOf([], "/")).toBeNull();
    expect(mountOf(mounts.slice(1), "/etc")).toBeNull();
  });

  test("ends where mounts claim to be mounted on each other", () => {
    const odd = parseMountinfo(
      [
        on(0, line(1, "8:1", "/", "/", "ext4")),
        on(1, line(2, "8:2", "/", "/a", "ext4")),
        on(2, line(2, "8:2", "/", "/a", "ext4")),
      ].join("\n"),
    );
    expect(mountOf(odd, "/a/b")?.device).toBe("8:2");
  });
});

/** The line of a mount that is mounted on the one with that id. */
function on(parent: number, text: string): string {
  return text.replace(/^(\d+) \d+/, `$1 ${parent}`);
}

describe("changedMounts()", () => {
  const one = (id: number, at: string, device = "0:30") => line(id, device, "/", at, "tmpfs");
  const mounts = (...lines: string[]) => parseMountinfo(lines.join("\n"));

  test("tells what came and what went, and nothing of what stayed", () => {
    const before = mounts(one(1, "/"), one(2, "/a"), one(3, "/b"));
    const now = mounts(one(1, "/"), one(3, "/b"), one(4, "/c"));
    expect(changedMounts(before, now).map(({ mountPoint }) => mountPoint)).toEqual(["/a", "/c"]);
    expect(changedMounts(now, now)).toEqual([]);
  });

  test("another filesystem with the number and the place of one that went is a change", () => {
    const changed = changedMounts(mounts(one(2, "/a", "0:30")), mounts(one(2, "/a", "0:31")));
    expect(changed.map(({ device }) => device)).toEqual(["0:30", "0:31"]);
  });
});

describe("MountWatch", () => {
  test.skipIf(captureObstacle !== null)(
    "tells of a change that the thread which waits for it has seen already, and once (needs root and mounts)",
    () => {
      const mounts = new MountWatch();
      mounts.changed();
      const filesystem = TestFilesystem.mount("tmpfs");
      try {
        expect(pollsPriority(mounts.fd)).toBe(true);
        expect(mounts.hasChanged()).toBe(true);
        expect(mounts.changed()).toBe(true);
      } finally {
        mounts.close();
        filesystem.unmount();
      }
    },
  );
});
