// Every event with the right path on filesystems that need a way of their own: btrfs with subvolumes, default overlayfs,
// FUSE, two filesystems with the same id, read-only ones.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RawClient } from "../control/fake-daemon.ts";
import { type LogLine, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, run, runShell as shell } from "../support/filesystem.ts";
import { hasProgram, Mounts } from "../support/mounts.ts";
import { TreeModel } from "../support/replay.ts";
import { until } from "../support/wait.ts";

const canMount = captureObstacle === null;
const canFuse = canMount && hasProgram("bindfs");

let mounts: Mounts;
let daemon: TestDaemon;

async function prepare() {
  mounts = new Mounts();
  daemon = await new TestDaemon().start();
}

async function clean() {
  await daemon.destroy();
  mounts.destroy();
}

/** "TYPE path" below a directory. */
function words(root: string, lines = daemon.events(root)): string[] {
  return lines.map((line) => `${line.event_type} ${line.path.slice(root.length + 1)}`);
}

const managed = (path: string) => daemon.managedPath(path);

describe.skipIf(!canMount)("btrfs (needs root and mounts)", () => {
  beforeEach(prepare);
  afterEach(clean);

  test("subvolumes below a managed tree belong to it, old ones and new ones", async () => {
    const { device } = mounts.image("btrfs");
    const root = mounts.mount(join(mounts.home, "top"), device);
    shell("btrfs -q subvolume create old && mkdir -p old/deep/er", root);
    await daemon.add(root, "-r", "-t", "create,delete,moved_from,moved_to");
    await daemon.scanned(root);
    shell(
      "touch old/deep/er/f; btrfs -q subvolume create new; mkdir new/d; touch new/d/g; mv new/d new/e; rm new/e/g",
      root,
    );
    await daemon.settle(root);
    expect(words(root)).toEqual([
      "CREATE old/deep/er/f",
      "CREATE new",
      "CREATE new/d",
      "CREATE new/d/g",
      "MOVED_FROM new/d",
      "MOVED_TO new/e",
      "DELETE new/e/g",
    ]);
    expect(await managed(root)).toMatchObject({ mark: "filesystem", filesystem: "btrfs", reason: null });
  });

  test("a snapshot is known with all that is in it from the moment it is made", async () => {
    const { device } = mounts.image("btrfs");
    const root = mounts.mount(join(mounts.home, "top"), device);
    shell("btrfs -q subvolume create live && mkdir -p live/a/b && touch live/a/b/f", root);
    await daemon.add(root, "-r", "-t", "create,delete");
    await daemon.scanned(root);
    shell(
      "btrfs -q subvolume snapshot live snap && touch snap/a/b/g && rm -r snap/a && touch live/a/b/h",
      root,
    );
    await daemon.settle(root);
    expect(words(root)).toEqual([
      "CREATE snap",
      "CREATE snap/a/b/g",
      // In the order of the directory.
      ...["DELETE snap/a/b/f", "DELETE snap/a/b/g"].sort(),
      "DELETE snap/a/b",
      "DELETE snap/a",
      "CREATE live/a/b/h",
    ]);
    // It goes by one call, with what is in it: one line, and nothing of it stays known.
    shell("btrfs -q subvolume delete live", root);
    await daemon.settle(root);
    expect(words(root).at(-1)).toBe("DELETE live");
    await until("nothing of it is known", async () => (await managed(root))?.directories === 2);
  });

  test("a snapshot that leads to a managed path has it watched at once, and so has the next one in its place", async () => {
    const { device } = mounts.image("btrfs");
    const root = mounts.mount(join(mounts.home, "top"), device);
    shell("btrfs -q subvolume create live && mkdir -p live/b/c/d", root);
    const path = join(root, "a/b/c");
    await daemon.add(path, "-r", "-t", "create,delete");
    for (const file of ["one", "two"]) {
      shell(`btrfs -q subvolume snapshot live a; touch a/b/c/d/${file} live/b/c/d/unseen`, root);
      // It goes by one call, and nothing tells then what was in it.
      await daemon.settle(path);
      shell("btrfs -q subvolume delete a", root);
    }
    // The path itself comes and goes with the snapshot; its last going may not be written yet.
    const expected = ["CREATE ", "CREATE d/one", "DELETE ", "CREATE ", "CREATE d/two"];
    expect(words(path).slice(0, expected.length)).toEqual(expected);
  });

  test("a mounted subvolume is watched as a managed path, lets itself be unmounted, and its device is free then", async () => {
    const { device } = mounts.image("btrfs");
    const top = mounts.mount(join(mounts.home, "top"), device);
    shell("btrfs -q subvolume create sub && mkdir -p sub/old", top);
    mounts.umount(top);
    const root = mounts.mount(join(mounts.home, "sub"), "-o", "subvol=sub", device);
    await daemon.add(root, "-r", "-t", "create,modify");
    await daemon.scanned(root);
    shell("touch old/f; mkdir d; echo x > d/g", root);
    await daemon.settle(root);
    expect(words(root)).toEqual(["CREATE old/f", "CREATE d", "CREATE d/g", "MODIFY d/g"]);
    expect(await managed(root)).toMatchObject({ mark: "filesystem", reason: null });
    mounts.umount(root);
    await until("the device is free", () => {
      try {
        run(["mkfs.btrfs", "-q", "-f", device]);
        return true;
      } catch {
        return false;
      }
    });
  });

  test("a read-only one stays read-only", async () => {
    const { device } = mounts.image("btrfs");
    const top = mounts.mount(join(mounts.home, "top"), device);
    shell("btrfs -q subvolume create sub && echo x > sub/f", top);
    mounts.umount(top);
    const root = mounts.mount(join(mounts.home, "sub"), "-o", "ro,subvol=sub", device);
    await daemon.add(root, "-t", "open");
    readFileSync(join(root, "f"));
    await until("the opening is logged", () => words(root).includes("OPEN f"));
    expect(run(["findmnt", "-no", "FS-OPTIONS", root])).toStartWith("ro");
  });

  test("two subvolumes in two places, and the top level, see each its own", async () => {
    const { device } = mounts.image("btrfs");
    const top = mounts.mount(join(mounts.home, "top"), device);
    shell("btrfs -q subvolume create a && btrfs -q subvolume create b && mkdir -p a/x b/x", top);
    const a = mounts.mount(join(mounts.home, "a"), "-o", "subvol=a", device);
    const b = mounts.mount(join(mounts.home, "b"), "-o", "subvol=b", device);
    for (const root of [a, b, top]) await daemon.add(root, "-r", "-t", "create");
    await daemon.scanned(top);
    writeFileSync(join(a, "x/in-a"), "");
    writeFileSync(join(b, "x/in-b"), "");
    writeFileSync(join(top, "b/x/by-top"), "");
    await daemon.settle(top);
    expect(words(a)).toEqual(["CREATE x/in-a"]);
    expect(words(b)).toEqual(["CREATE x/in-b", "CREATE x/by-top"]);
    expect(words(top)).toEqual(["CREATE a/x/in-a", "CREATE b/x/in-b", "CREATE b/x/by-top"]);
  });
});

/** Directories and files made as fast as a shell can, some moved and removed at once. */
const FRESH_TREES = `
for i in {1..120}; do
  mkdir -p t$i/b/c; echo 1 > t$i/f; echo 2 > t$i/b/f; echo 3 > t$i/b/c/f
  if (( i % 3 == 0 )); then mv t$i m$i; echo 4 > m$i/b/c/g; fi
  if (( i % 4 == 0 )); then mkdir -p old/o$i/p; mv old/o$i t-o$i; fi
  if (( i % 5 == 0 )); then rm -rf t$i m$i; fi
done`;

/** What is queued in between decides whether the new directory is read before or after the event of the moving is told. */
const BEFORE_THE_MOVE: readonly (readonly [when: string, script: string])[] = [
  ["at once", ":"],
  ["with more in between than a turn reads", `for i in {1..13000}; do : > old/$i-${"n".repeat(240)}; done`],
];

describe.each([
  {
    name: "default overlayfs",
    available: canMount,
    needs: "root and mounts",
    place: () => mounts.overlay("ovl").merged,
    type: "overlay",
  },
  {
    name: "FUSE",
    available: canFuse,
    needs: "root, mounts and bindfs",
    place: () => mounts.fuse("fuse").path,
    type: "fuse",
  },
])("on $name", ({ available, needs, place, type }) => {
  beforeEach(async () => {
    if (available) await prepare();
  });
  afterEach(async () => {
    if (available) await clean();
  });

  test.skipIf(!available)(
    `what happens in old directories is recorded, and the limits are said (needs ${needs})`,
    async () => {
      const root = place();
      shell("mkdir -p old/deep; echo x > old/deep/f; touch old/g", root);
      const added = await daemon.fsmon(
        "add",
        root,
        "-r",
        "-t",
        "create,close_write,modify,delete,moved_from,moved_to,attrib,delete_self",
      );
      expect(added.code).toBe(0);
      expect(added.stderr).toContain("docs/limits.md");
      await daemon.scanned(root);
      expect(await managed(root)).toMatchObject({ mark: "inode", filesystem: type, state: "watched" });
      expect((await managed(root))?.reason).toContain("DELETE_SELF");
      shell(
        "echo y >> old/deep/f; chmod 600 old/g; mv old/g old/deep/h; rm old/deep/h; mv old/deep old/dd; rm -r old/dd",
        root,
      );
      await daemon.settle(root);
      const lines = daemon.events(root);
      expect(words(root, lines).filter((line) => !line.startsWith("ATTRIB old/dd"))).toEqual([
        "MODIFY old/deep/f",
        "CLOSE_WRITE old/deep/f",
        "ATTRIB old/g",
        "MOVED_FROM old/g",
        "MOVED_TO old/deep/h",
        "DELETE old/deep/h",
        "MOVED_FROM old/deep",
        "MOVED_TO old/dd",
        "DELETE old/dd/f",
        "DELETE old/dd",
        "DELETE_SELF old/dd",
      ]);
      expect(lines.map((line) => line.pid === null)).not.toContain(true);
    },
  );

  test.skipIf(!available)(
    `nothing that is there in the end is missing from fresh trees, and replaying gives the tree (needs ${needs})`,
    async () => {
      const root = place();
      mkdirSync(join(root, "old"));
      await daemon.add(root, "-r");
      await daemon.scanned(root);
      const before = TreeModel.of(root);
      shell(FRESH_TREES, root);
      await daemon.settle(root);
      await settled(root);
      const lines = daemon.lines(root) as (LogLine & { origin?: string })[];
      before.replay(withoutSentinels(lines)).check("fresh trees");
      for (const line of lines) {
        if (line.origin === "scan")
          expect([line.event_type, line.pid, line.cmd, line.user]).toEqual(["CREATE", null, null, null]);
      }
    },
  );

  for (const [when, meanwhile] of BEFORE_THE_MOVE) {
    test.skipIf(!available)(
      `a known directory moved into one that was just made, ${when}, is followed (needs ${needs})`,
      async () => {
        const root = place();
        shell("mkdir -p old k/in/deep; touch k/f k/in/g", root);
        await daemon.add(root, "-r", "-t", "create,delete,moved_from,moved_to");
        await daemon.scanned(root);
        const before = TreeModel.of(root);
        daemon.signal("SIGSTOP");
        shell(`mkdir q; ${meanwhile}; mv k q/k`, root);
        daemon.signal("SIGCONT");
        await settled(root);
        shell("touch q/k/in/deep/later; rm q/k/in/g", root);
        await settled(root);
        before.replay(withoutSentinels(daemon.lines(root))).check("moved into a new directory");
        expect(
          words(root)
            .filter((line) => !line.includes(" old/"))
            .sort(),
        ).toEqual([
          "CREATE q",
          "CREATE q/k",
          "CREATE q/k/f",
          "CREATE q/k/in",
          "CREATE q/k/in/deep",
          "CREATE q/k/in/deep/later",
          "CREATE q/k/in/g",
          "DELETE q/k/in/g",
          "MOVED_FROM k",
        ]);
        expect(daemon.gaps(root)).toEqual([]);
      },
      30_000,
    );
  }

  test.skipIf(!available)(`a path that doesn't exist yet, several levels deep (needs ${needs})`, async () => {
    const home = place();
    const root = join(home, "a/b/c");
    await daemon.add(root, "-r", "-t", "create,delete");
    expect(await managed(root)).toMatchObject({ state: "pending" });
    shell("mkdir -p a/b/c/d && touch a/b/c/d/f", home);
    await until("all is told", () => words(root).includes("CREATE d/f"));
    expect(words(root)).toEqual(["CREATE ", "CREATE d", "CREATE d/f"]);
    expect(await managed(root)).toMatchObject({ state: "watched" });
    shell("rm -r a; mkdir -p a/b/c; touch a/b/c/again", home);
    await until("it is told again", () => words(root).includes("CREATE again"));
    expect(words(root).slice(3)).toEqual(["DELETE d/f", "DELETE d", "DELETE ", "CREATE ", "CREATE again"]);
  });

  test.skipIf(!available)(`a single file, and umount at any time (needs ${needs})`, async () => {
    const home = place();
    const file = join(home, "d/file");
    shell("mkdir d; echo 1 > d/file", home);
    await daemon.add(file, "-t", "create,close_write,moved_to,delete");
    shell("echo 2 > d/file; echo 3 > d/other; mv d/other d/file; rm d/file; echo 4 > d/file", home);
    await until("the last writing is logged", () => daemon.events(file).length >= 5);
    expect(daemon.events(file).map((line) => line.event_type)).toEqual([
      "CLOSE_WRITE",
      "MOVED_TO",
      "DELETE",
      "CREATE",
      "CLOSE_WRITE",
    ]);
    mounts.umount(home);
    await until("the loss is logged", () => daemon.lines(file).some((line) => line.reason === "unmounted"));
    expect((await managed(file))?.reason).toContain("unmounted");
  });
});

describe.skipIf(!canFuse)("a FUSE server that hangs (needs root, mounts and bindfs)", () => {
  beforeEach(prepare);
  afterEach(clean);

  /** The server of a mount, by its command line. */
  const serverOf = (path: string): number =>
    Number(run(["pgrep", "-f", `^bindfs .*${path}$`]).split("\n")[0]);

  test("holds up nobody but itself, and is followed again when it answers", async () => {
    const { path: hung } = mounts.fuse("hung");
    shell("mkdir -p old/deep; echo 1 > old/f", hung);
    const root = mounts.tmpfs(join(mounts.home, "w"));
    await daemon.add(hung, "-r", "-t", "create,modify,close_write,delete");
    await daemon.add(root, "-r", "-t", "create,close_write");
    await daemon.scanned(hung);
    const server = serverOf(hung);
    try {
      await daemon.settle(hung);
      // The sizes of these are asked for while the server stands still, and so is whatever a change of the mounts makes fsmon look at.
      await daemon.whileStopped(() => {
        for (let i = 0; i < 20; i++) writeFileSync(join(hung, `before-${i}`), "123");
        process.kill(server, "SIGSTOP");
      });
      const inner = mounts.tmpfs(join(root, "inner"));
      const files = Array.from({ length: 20 }, (_, i) => `CREATE ${i}`);
      for (let i = 0; i < 20; i++) writeFileSync(join(root, String(i)), "x");
      await until("the others are recorded", () => files.every((line) => words(root).includes(line)));
      mounts.umount(inner);
      await until("the unmounting too", () => daemon.lines(root).some((line) => line.reason === "unmounted"));
      expect((await daemon.fsmon("managed")).code).toBe(0);
      expect((await daemon.fsmon("remove", root)).code).toBe(0);
      await daemon.add(root, "-r", "-t", "create,close_write");
      process.kill(server, "SIGCONT");
      mkdirSync(join(hung, "after"));
      await until("it is followed again", () => words(hung).includes("CREATE after"));
      let probes = 0;
      await until("what is made in it too", async () => {
        writeFileSync(join(hung, `after/probe-${probes++}`), "1");
        await Bun.sleep(50);
        return words(hung).some((line) => line.includes("/probe-"));
      });
      for (let i = 0; i < 20; i++) expect(words(hung)).toContain(`CREATE before-${i}`);
      expect(daemon.gaps(hung)).toEqual([]);
    } finally {
      process.kill(server, "SIGCONT");
    }
  });

  test("keeps the daemon neither from starting nor from ending, nor the next one from starting", async () => {
    const { path: hung } = mounts.fuse("hung");
    const root = mounts.tmpfs(join(mounts.home, "w"));
    await daemon.add(hung, "-r", "-t", "create");
    await daemon.add(root, "-r", "-t", "create");
    await daemon.scanned(hung);
    await daemon.stop();
    const server = serverOf(hung);
    process.kill(server, "SIGSTOP");
    try {
      for (let round = 0; round < 2; round++) {
        await daemon.start();
        writeFileSync(join(root, `f${round}`), "");
        await until("it is recorded", () => words(root).includes(`CREATE f${round}`));
        expect(await managed(hung)).toMatchObject({ state: "impossible" });
        expect((await managed(hung))?.reason).toContain("doesn't answer");
        expect(await daemon.stop()).toBe(0);
      }
      await daemon.start();
      process.kill(server, "SIGCONT");
      await until("it is watched", async () => (await managed(hung))?.state === "watched");
      writeFileSync(join(hung, "f"), "");
      await until("it is recorded", () => words(hung).includes("CREATE f"));
      const gap = daemon.gaps(hung).at(-1);
      expect(gap).toMatchObject({ reason: "internal" });
    } finally {
      process.kill(server, "SIGCONT");
    }
  });

  test("a path on it is refused at add, in time", async () => {
    const { path: hung } = mounts.fuse("hung");
    const inside = join(hung, "d");
    mkdirSync(inside);
    const server = serverOf(hung);
    process.kill(server, "SIGSTOP");
    try {
      // Asked as the client asks, which itself would wait for the server.
      const client = await RawClient.connect(daemon.socketPath);
      client.send(`version = 1\ncommand = "add"\npath = "${inside}"\n\n`);
      expect(await client.reply()).toContain("doesn't answer");
    } finally {
      process.kill(server, "SIGCONT");
    }
  });
});

/** The daemon has read every new directory: two sentinels in a row with nothing found in between. */
async function settled(root: string): Promise<void> {
  let lines = -1;
  await until("nothing is found any more", async () => {
    await daemon.settle(root);
    const now = withoutSentinels(daemon.lines(root)).length;
    const same = now === lines;
    lines = now;
    return same;
  });
}

function withoutSentinels(lines: LogLine[]): LogLine[] {
  return lines.filter((line) => !line.path.includes("fsmon-sentinel-"));
}

describe.skipIf(!canMount)("more than one of a kind (needs root and mounts)", () => {
  beforeEach(prepare);
  afterEach(clean);

  test("a cloned image and its original have the same id and are told apart", async () => {
    const { file, device } = mounts.image("ext4");
    const clone = join(mounts.home, "clone.image");
    run(["cp", "--sparse=always", file, clone]);
    const one = mounts.mount(join(mounts.home, "one"), device);
    const two = mounts.mount(join(mounts.home, "two"), mounts.loop(clone));
    expect(run(["stat", "-f", "-c", "%i", one])).toBe(run(["stat", "-f", "-c", "%i", two]));
    await daemon.add(one, "-r", "-t", "create");
    await daemon.add(two, "-r", "-t", "create");
    shell("mkdir d; touch d/in-one", one);
    shell("mkdir d; touch d/in-two", two);
    await daemon.settle(one);
    await daemon.settle(two);
    expect(words(one)).toEqual(["CREATE d", "CREATE d/in-one"]);
    expect(words(two)).toEqual(["CREATE d", "CREATE d/in-two"]);
    expect((await daemon.fsmon("remove", one)).code).toBe(0);
    writeFileSync(join(two, "d/later"), "");
    await daemon.settle(two);
    expect(words(two)).toEqual(["CREATE d", "CREATE d/in-two", "CREATE d/later"]);
  });

  test("a read-only filesystem reports who reads", async () => {
    const { device } = mounts.image("ext4");
    const first = mounts.mount(join(mounts.home, "ro"), device);
    shell("mkdir d; echo x > d/f", first);
    mounts.umount(first);
    const root = mounts.mount(first, "-o", "ro", device);
    await daemon.add(root, "-r", "-t", "open,close_nowrite");
    shell("cat d/f >/dev/null", root);
    await until("the reading is logged", () => words(root).includes("CLOSE_NOWRITE d/f"));
    expect(daemon.events(root).find((line) => line.path.endsWith("/f"))?.cmd).toBe("cat");
  });

  test.each(["/proc/sys", "/sys/kernel", "/dev/pts"])(
    "%s is refused at add, with the reason",
    async (path) => {
      const { code, stderr } = await daemon.fsmon("add", path, "-r");
      expect(code).toBe(1);
      expect(stderr).toContain("EOPNOTSUPP");
      expect(await managed(path)).toBeUndefined();
    },
  );
});
