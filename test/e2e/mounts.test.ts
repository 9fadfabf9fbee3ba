// What is mounted below a managed path belongs to it, now and later; what is unmounted is told; and no filesystem is
// ever kept from being unmounted.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, renameSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type LogLine, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, run, runShell } from "../support/filesystem.ts";
import { Hands } from "../support/hands.ts";
import { Mounts } from "../support/mounts.ts";
import { until } from "../support/wait.ts";
import { Workload } from "../support/workload.ts";

describe.skipIf(captureObstacle !== null)("mounts (needs root and mounts)", () => {
  let mounts: Mounts;
  let daemon: TestDaemon;
  let root: string;
  let probes = 0;

  beforeEach(async () => {
    mounts = new Mounts();
    root = mounts.tmpfs(join(mounts.home, "w"));
    daemon = await new TestDaemon().start();
  });
  afterEach(async () => {
    await daemon.destroy();
    mounts.destroy();
  });

  const shell = (script: string, cwd = root) => runShell(script, cwd);
  const words = (path = root): string[] =>
    daemon.events(path).map((line) => `${line.event_type} ${line.path.slice(path.length + 1)}`);
  const gaps = (path = root): LogLine[] => daemon.gaps(path);
  const managed = (path = root) => daemon.managedPath(path);
  const add = async (path = root, ...flags: string[]) => {
    await daemon.add(path, ...(flags.length > 0 ? flags : ["-r", "-t", "create,delete"]));
    await daemon.scanned(path);
  };
  /** The daemon has seen that something was mounted at path, which it tells by recording what is done there. */
  const watched = (path: string) => {
    const names = `probe-${probes++}-`;
    let tries = 0;
    return until(`${path} is watched`, async () => {
      writeFileSync(join(path, `${names}${tries++}`), "");
      await Bun.sleep(50);
      return words().some((line) => line.includes(names));
    });
  };

  test("filesystems that were mounted below it before", async () => {
    const inner = mounts.tmpfs(join(root, "a/inner"));
    shell("mkdir -p a/inner/x");
    mounts.tmpfs(join(inner, "x/deeper"));
    await add();
    shell("touch a/inner/x/f a/inner/x/deeper/g a/h");
    await daemon.settle(inner);
    await daemon.settle(root);
    expect(words().sort()).toEqual(["CREATE a/h", "CREATE a/inner/x/deeper/g", "CREATE a/inner/x/f"]);
  });

  test("directories that are replaced and go with what they are in, beside one", async () => {
    mounts.tmpfs(join(root, "inner"));
    await add(root, "-r", "-t", "delete,delete_self,moved_to");
    for (let i = 0; i < 2; i++) {
      await daemon.whileStopped(() => {
        for (const made of ["a", "c", "c/a", "c/d"]) mkdirSync(join(root, made));
        // The directory that this replaces has no DELETE.
        renameSync(join(root, "c/a"), join(root, "c/d"));
        renameSync(join(root, "a"), join(root, "e"));
        for (const gone of ["c/d", "c", "e"]) rmdirSync(join(root, gone));
      });
      await daemon.settle(root);
    }
    const ends = ["DELETE c/d", "DELETE_SELF c/d", "DELETE_SELF c/d", "DELETE c", "DELETE_SELF c"];
    const once = ["MOVED_TO c/d", "MOVED_TO e", ...ends, "DELETE e", "DELETE_SELF e"];
    expect(words()).toEqual([...once, ...once]);
  });

  test("one that is mounted later, and again after its umount", async () => {
    await add();
    const inner = join(root, "later");
    mounts.tmpfs(inner);
    await watched(inner);
    shell("mkdir later/d; touch later/d/f");
    await until("it is logged", () => words().includes("CREATE later/d/f"));
    mounts.umount(inner);
    await until("the unmounting is logged", () => gaps().length === 1);
    expect(gaps()[0]).toMatchObject({ reason: "unmounted", path: root });
    expect((await managed())?.reason).toContain(`${inner} is unmounted`);
    mounts.tmpfs(inner);
    await watched(inner);
    shell("touch later/again");
    await until("it is logged", () => words().includes("CREATE later/again"));
    expect((await managed())?.reason).toBeNull();
    // The second one says until when nothing was watched; from there on the WATCH holds.
    const [first, second, ...more] = gaps();
    expect(more).toEqual([]);
    expect(second).toMatchObject({ reason: "unmounted", gap_from: first!.gap_from! });
    expect(second!.gap_to! > first!.gap_to!).toBe(true);
    const states = daemon.lines(root).filter((line) => line.event_type === "WATCH");
    expect(states.map((line) => line.state)).toEqual(["started", "changed"]);
  });

  test("a directory above one is renamed: what is done there has its new path, and nothing is lost", async () => {
    mkdirSync(join(root, "w/up/q"), { recursive: true });
    const w = join(root, "w");
    mounts.tmpfs(join(w, "up/q"));
    await add(w, "-r", "-t", "create,delete,moved_to");
    daemon.signal("SIGSTOP");
    try {
      writeFileSync(join(w, "up/q/a"), "");
      for (const [from, to] of [
        ["w/up", "w/up2"],
        ["w/up2", "w/up3"],
        ["w/up3", "out"],
        ["out", "w/back"],
      ] as const) {
        renameSync(join(root, from), join(root, to));
        writeFileSync(join(root, to, "q", `in-${to.replace("/", "-")}`), "");
      }
    } finally {
      daemon.signal("SIGCONT");
    }
    await daemon.settle(w);
    const done = words(w);
    expect(done).toEqual([
      "CREATE up/q/a",
      "MOVED_TO up2",
      "CREATE up2/q/in-w-up2",
      "MOVED_TO up3",
      "CREATE up3/q/in-w-up3",
      "MOVED_TO back",
      "CREATE back/q/in-w-back",
    ]);
    // Another mount makes the daemon look at all of them.
    mounts.tmpfs(join(w, "other"));
    await until("it is watched", () => {
      writeFileSync(join(w, "other", `probe-${performance.now()}`), "");
      return words(w).some((line) => line.includes("probe"));
    });
    writeFileSync(join(w, "back/q/last"), "");
    await until("it is logged", () => words(w).includes("CREATE back/q/last"));
    expect(gaps(w)).toEqual([]);
    expect((await managed(w))?.reason).toBeNull();
    run(["umount", join(w, "back/q")]);
    await until("the unmounting is logged", () => gaps(w).length === 1);
    expect((await managed(w))?.reason).toContain(`${join(w, "back/q")} is unmounted`);
  });

  test("a file that is mounted over another one: it is said that it isn't recorded, until it is unmounted", async () => {
    mkdirSync(join(root, "w"));
    for (const one of ["real", "w/named", "w/itself"]) writeFileSync(join(root, one), "");
    const [w, named, itself] = [join(root, "w"), join(root, "w/named"), join(root, "w/itself")];
    run(["mount", "--bind", join(root, "real"), named]);
    run(["mount", "--bind", itself, itself]);
    try {
      for (const flags of [["-r"], []]) {
        await add(w, ...flags, "-t", "close_write");
        expect((await managed(w))?.reason).toContain(`${named}: a file from elsewhere is mounted there`);
        expect((await managed(w))?.reason).not.toContain(itself);
      }
      writeFileSync(itself, "recorded");
      await until("it is logged", () => words(w).includes("CLOSE_WRITE itself"));
      const refused = await daemon.fsmon("add", named);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain("a file from elsewhere is mounted there");
    } finally {
      for (const one of [itself, named]) run(["umount", one]);
    }
    await until("it is noticed", async () => (await managed(w))?.reason === null);
    writeFileSync(named, "recorded");
    await until("it is logged", () => words(w).includes("CLOSE_WRITE named"));
  });

  test("directories above two are exchanged, and one of them for a file", async () => {
    for (const one of ["a", "b"]) mounts.tmpfs(join(root, one, "q"));
    writeFileSync(join(root, "f"), "");
    await add(root, "-r", "-t", "create");
    const workload = new Workload("hands");
    const hands = new Hands(workload.program, root);
    try {
      hands.do(["x a b", "f a/q/was-b", "f b/q/was-a", "x f a", "f f/q/was-b-too"]);
      await until("it is logged", () => words().length >= 3);
      expect(words()).toEqual(["CREATE a/q/was-b", "CREATE b/q/was-a", "CREATE f/q/was-b-too"]);
    } finally {
      await hands.end();
      workload.remove();
      for (const one of ["f", "b"]) run(["umount", join(root, one, "q")]);
    }
  });

  test("one after another: each was away from its own umount on, and what was recorded isn't told again", async () => {
    const away = mounts.tmpfs(join(root, "away"));
    const { device } = mounts.image("ext4");
    const inner = mounts.mount(join(root, "inner"), device);
    await add();
    mounts.umount(away);
    await until("the unmounting is logged", () => gaps().length === 1);
    shell("touch inner/known");
    // A rescan can't tell times apart that lie within a tick of the files' clock.
    await Bun.sleep(50);
    shell("touch later");
    await until("it is logged", () => words().includes("CREATE later"));
    mounts.umount(inner);
    await until("the unmounting is logged", () => gaps().length === 2);
    mounts.mount(inner, device);
    await until("it is told that it is watched again", () => gaps().length === 3);
    await watched(inner);
    await daemon.scanned(root);
    const [first, second, third] = gaps();
    const later = daemon.events(root).find((line) => line.path === join(root, "later"))!;
    expect(first!.gap_from! < second!.gap_from!).toBe(true);
    expect(second!.gap_from! >= later.time).toBe(true);
    expect(third!.gap_from).toBe(second!.gap_from!);
    expect(words().filter((line) => line === "CREATE inner/known")).toHaveLength(1);
    expect((await managed())?.reason).toContain(`${away} is unmounted`);
    expect((await managed())?.reason).not.toContain(inner);
  });

  test("the managed path itself: unmounted, mounted again", async () => {
    await add();
    shell("touch before");
    await daemon.settle(root);
    mounts.umount(root);
    await until("the unmounting is logged", () => gaps().length === 1);
    expect(await managed()).toMatchObject({ state: "watched" });
    expect((await managed())?.reason).toContain("unmounted");
    // What the mount had covered is what the path names now.
    shell("mkdir under; touch under/f");
    await until("it is logged", () => words().includes("CREATE under/f"));
    mounts.tmpfs(root);
    await watched(root);
    shell("mkdir d; touch d/f");
    await until("it is logged", () => words().includes("CREATE d/f"));
    expect(await managed()).toMatchObject({ state: "watched", reason: null, filesystem: "tmpfs" });
  });

  test("a mount over the managed path hides it, and what happens below shows no more", async () => {
    mkdirSync(join(root, "d"));
    mkdirSync(join(mounts.home, "alias"));
    mounts.bind(root, join(mounts.home, "alias"));
    await add();
    const over = mounts.tmpfs(join(root, "d"));
    await watched(over);
    writeFileSync(join(mounts.home, "alias/d/hidden"), "");
    writeFileSync(join(root, "d/shown"), "");
    await until("it is logged", () => words().includes("CREATE d/shown"));
    await daemon.settle(root);
    expect(words()).not.toContain("CREATE d/hidden");
    mounts.umount(over);
    // At once: the directory below is known, so nothing has to be looked for.
    shell("mkdir d/new; touch d/new/f; rm -r d/new d/hidden");
    await daemon.settle(root);
    const seen = words().filter((line) => !line.includes("probe"));
    expect(seen.slice(1)).toEqual([
      "CREATE d/new",
      "CREATE d/new/f",
      "DELETE d/new/f",
      "DELETE d/new",
      "DELETE d/hidden",
    ]);
  });

  test("a later mount on a directory above hides an earlier one, and what happens in that one shows no more", async () => {
    mkdirSync(join(root, "a/b"), { recursive: true });
    const earlier = mounts.tmpfs(join(root, "a/b"));
    mkdirSync(join(mounts.home, "alias"));
    mounts.bind(earlier, join(mounts.home, "alias"));
    await add();
    const over = mounts.tmpfs(join(root, "a"));
    shell("mkdir a/b");
    await watched(join(root, "a/b"));
    writeFileSync(join(mounts.home, "alias/hidden"), "");
    writeFileSync(join(root, "a/b/shown"), "");
    await until("it is logged", () => words().includes("CREATE a/b/shown"));
    expect(words()).not.toContain("CREATE a/b/hidden");
    mounts.umount(over);
    await watched(earlier);
    shell("rm a/b/hidden");
    await until("it is logged", () => words().includes("DELETE a/b/hidden"));
  });

  test.each(["xfs", "btrfs"] as const)(
    "on %s: everything that is done, whatever is mounted below",
    async (type) => {
      const disk = mounts.mount(join(root, "disk"), mounts.image(type).device);
      shell("mkdir -p old/deep; echo 1 > old/deep/f", disk);
      await add(root, "-r", "-t", "create,close_write,moved_from,moved_to,delete");
      shell("echo 2 > old/deep/f; mkdir new; mv old/deep new/er; echo 3 > new/er/g; rm -r new", disk);
      await daemon.settle(disk);
      expect(words()).toEqual([
        "CLOSE_WRITE disk/old/deep/f",
        "CREATE disk/new",
        "MOVED_FROM disk/old/deep",
        "MOVED_TO disk/new/er",
        "CREATE disk/new/er/g",
        "CLOSE_WRITE disk/new/er/g",
        "DELETE disk/new/er/f",
        "DELETE disk/new/er/g",
        "DELETE disk/new/er",
        "DELETE disk/new",
      ]);
      expect(gaps()).toEqual([]);
    },
  );

  test("what a mount had covered from the beginning is scanned when it is gone", async () => {
    shell("mkdir -p m/deep/er; touch m/deep/er/f");
    const over = mounts.tmpfs(join(root, "m"));
    await add();
    mounts.umount(over);
    shell("rm -r m/deep");
    await daemon.settle(root);
    expect(words()).toEqual(["DELETE m/deep/er/f", "DELETE m/deep/er", "DELETE m/deep"]);
  });

  test("a bind mount as managed path, and one below it", async () => {
    const real = mounts.directory("real/tree");
    const alias = mounts.bind(real, join(mounts.home, "alias"));
    const below = mounts.bind(mounts.directory("elsewhere"), join(root, "below"));
    await add(alias);
    await add();
    writeFileSync(join(real, "by-its-own-name"), "");
    writeFileSync(join(alias, "by-alias"), "");
    writeFileSync(join(mounts.home, "real/outside"), "");
    mkdirSync(join(below, "d"));
    writeFileSync(join(mounts.home, "elsewhere/d/f"), "");
    await daemon.settle(alias);
    await daemon.settle(below);
    expect(words(alias)).toEqual(["CREATE by-its-own-name", "CREATE by-alias"]);
    expect(words()).toEqual(["CREATE below/d", "CREATE below/d/f"]);
    mounts.umount(alias);
    await until("the unmounting is logged", () => gaps(alias).length === 1);
    expect(gaps()).toEqual([]);
  });

  test("a directory that a bind mount shows is seen under both managed paths, whichever was added first", async () => {
    shell("mkdir -p tree/shown/deep");
    const alias = mounts.bind(join(root, "tree/shown"), join(mounts.home, "alias"));
    await add(alias);
    await add(join(root, "tree"));
    writeFileSync(join(alias, "deep/f"), "");
    await until("it is logged", () => words(join(root, "tree")).length > 0 && words(alias).length > 0);
    expect(words(alias)).toEqual(["CREATE deep/f"]);
    expect(words(join(root, "tree"))).toEqual(["CREATE shown/deep/f"]);
  });

  test("umount succeeds at once, while it is watched and while it is scanned, and the device is free", async () => {
    const { device } = mounts.image("ext4");
    const disk = mounts.mount(join(mounts.home, "disk"), device);
    shell("for i in {1..60}; do mkdir -p d$i/{1..50}; done", disk);
    for (let round = 0; round < 8; round++) {
      await daemon.add(disk, "-r", "-t", "create");
      if (round % 2 === 1) await daemon.scanned(disk);
      mounts.umount(disk);
      await until("the device is free", () => {
        try {
          run(["e2fsck", "-n", device]);
          run(["python3", "-c", `import os; os.open("${device}", os.O_RDWR | os.O_EXCL)`]);
          return true;
        } catch {
          return false;
        }
      });
      // One for the unmounting, and one more when it is watched again, up to that moment.
      await until("the unmounting is logged", () => gaps(disk).length === 2 * round + 1);
      mounts.mount(disk, device);
    }
  });

  test("what happened before the umount is logged all the same", async () => {
    const inner = mounts.tmpfs(join(root, "inner"));
    await add();
    for (let round = 0; round < 10; round++) {
      const work = () => {
        shell(`for i in {1..50}; do mkdir -p inner/r${round}-$i/d; echo > inner/r${round}-$i/d/f; done`);
        mounts.umount(inner);
        mounts.tmpfs(inner);
      };
      if (round % 2 === 1) await daemon.whileStopped(work);
      else work();
      await watched(inner);
    }
    const files = words().filter((line) => /^CREATE inner\/r\d+-\d+\/d\/f$/.test(line));
    expect(files).toHaveLength(500);
  });

  test("non-recursive: what is mounted below isn't watched", async () => {
    const inner = mounts.tmpfs(join(root, "inner"));
    await add(root, "-t", "create");
    writeFileSync(join(inner, "f"), "");
    writeFileSync(join(root, "g"), "");
    await daemon.settle(root);
    expect(words()).toEqual(["CREATE g"]);
    mounts.umount(inner);
    writeFileSync(join(root, "h"), "");
    await daemon.settle(root);
    expect(gaps()).toEqual([]);
  });
});
