// What can happen to a managed path: a single file that is replaced, a path that isn't there yet, comes, goes, changes its
// kind; and managed paths that overlap, each with its own filters.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, realpathSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestDaemon } from "../support/daemon.ts";
import { captureObstacle, run, runShell, TestFilesystem } from "../support/filesystem.ts";
import { Hands } from "../support/hands.ts";
import { until } from "../support/wait.ts";
import { Workload } from "../support/workload.ts";

describe.skipIf(captureObstacle !== null)("managed paths (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let base: string;
  let tests = 0;

  beforeAll(async () => {
    filesystem = TestFilesystem.mount("tmpfs");
    daemon = await new TestDaemon().start();
    // Watched throughout, so that everything before a sentinel in it is in the logs.
    await daemon.add(mkdir(join(filesystem.path, "settle")), "-t", "create,delete");
  });
  afterAll(async () => {
    await daemon?.destroy();
    filesystem?.unmount();
  });
  beforeEach(() => {
    base = mkdir(join(realpathSync(filesystem.path), `t${tests++}`));
  });
  afterEach(async () => {
    for (const path of await managedPaths()) if (path.startsWith(base)) await daemon.fsmon("remove", path);
  });

  const mkdir = (path: string): string => {
    mkdirSync(path, { recursive: true });
    return path;
  };
  const managedPaths = async () => (await daemon.managed()).map((row) => row.path);
  const state = async (path: string) => (await daemon.managedPath(path))?.state;
  const shell = (script: string, cwd = base) => runShell(script, cwd);
  /** The same while the daemon stands still, so that it finds all of it at once. */
  const stopped = (script: string) => daemon.whileStopped(() => shell(script));
  const settle = () => daemon.settle(join(filesystem.path, "settle"));
  /** "TYPE path" below base, of one managed path. */
  const words = async (path: string): Promise<string[]> => {
    await settle();
    return daemon.events(path).map((line) => `${line.event_type} ${line.path.slice(base.length + 1)}`);
  };
  const NAMES = ["-t", "create,delete,moved_from,moved_to"];

  test("a single file across saving by rename, and deleted and made again", async () => {
    const file = join(base, "d/conf");
    shell("mkdir d; echo 1 > d/conf; echo x > d/other");
    await daemon.add(file, "-t", "create,delete,moved_from,moved_to,close_write,delete_self");
    shell(
      "echo 2 > d/conf; echo 3 > d/conf.new; mv d/conf.new d/conf; echo y > d/other; rm d/conf; echo 4 > d/conf; mv d/conf d/conf~",
    );
    expect(await words(file)).toEqual([
      "CLOSE_WRITE d/conf",
      "MOVED_TO d/conf",
      "DELETE_SELF d/conf",
      "DELETE d/conf",
      "DELETE_SELF d/conf",
      "CREATE d/conf",
      "CLOSE_WRITE d/conf",
      "MOVED_FROM d/conf",
    ]);
    const lines = daemon.events(file);
    expect(lines.find((line) => line.event_type === "MOVED_TO")?.from).toBe(`${file}.new`);
    expect(lines.at(-1)?.to).toBe(`${file}~`);
  });

  test("a path that doesn't exist yet, several levels deep, made in one breath", async () => {
    const path = join(base, "a/b/c");
    await daemon.add(path, "-r", ...NAMES);
    expect(await state(path)).toBe("pending");
    shell("mkdir -p a/b/c/d && touch a/b/c/d/f a/b/beside");
    expect(await words(path)).toEqual(["CREATE a/b/c", "CREATE a/b/c/d", "CREATE a/b/c/d/f"]);
    expect(await state(path)).toBe("watched");
  });

  test("deleted and made again, at any level, any number of times", async () => {
    const path = join(base, "a/b/c");
    await daemon.add(path, "-r", ...NAMES);
    const expected: string[] = [];
    for (let round = 0; round < 10; round++) {
      shell("mkdir -p a/b/c/d && touch a/b/c/d/f && rm -rf a");
      expected.push("CREATE a/b/c", "CREATE a/b/c/d", "CREATE a/b/c/d/f");
      expected.push("DELETE a/b/c/d/f", "DELETE a/b/c/d", "DELETE a/b/c");
    }
    expect(await words(path)).toEqual(expected);
    expect(await state(path)).toBe("pending");
  });

  test("a prepared tree is moved to where it leads", async () => {
    const path = join(base, "a/b/c");
    shell("mkdir -p prepared/b/c/old");
    await daemon.add(path, "-r", ...NAMES);
    // And used at once, before anybody can have looked.
    await stopped("mv prepared a; touch a/b/c/old/f; rm -r a/b/c/old");
    expect(await words(path)).toEqual([
      "MOVED_TO a/b/c",
      "CREATE a/b/c/old/f",
      "DELETE a/b/c/old/f",
      "DELETE a/b/c/old",
    ]);
    expect(daemon.events(path).find((line) => line.event_type === "MOVED_TO")).toMatchObject({
      from: join(base, "prepared/b/c"),
      dir: true,
    });
  });

  test("the path itself is moved into place and out of it", async () => {
    const path = join(base, "p");
    shell("mkdir -p prepared/deep");
    await daemon.add(path, "-r", ...NAMES);
    shell("mv prepared p; touch p/deep/f; mv p q; touch q/deep/unseen; mv q p; touch p/deep/g");
    expect(await words(path)).toEqual([
      "MOVED_TO p",
      "CREATE p/deep/f",
      "MOVED_FROM p",
      "MOVED_TO p",
      "CREATE p/deep/g",
    ]);
    expect(await state(path)).toBe("watched");
  });

  test("a directory above is renamed away and back", async () => {
    const path = join(base, "a/b/c");
    shell("mkdir -p a/b/c/d");
    await daemon.add(path, "-r", ...NAMES);
    shell("mv a z; touch z/b/c/d/unseen; mkdir -p a/b/c; touch a/b/c/new; rm -r a");
    await settle();
    expect(await state(path)).toBe("pending");
    await stopped("mv z a; touch a/b/c/d/f");
    expect(await words(path)).toEqual([
      "MOVED_FROM a/b/c",
      "CREATE a/b/c",
      "CREATE a/b/c/new",
      "DELETE a/b/c/new",
      "DELETE a/b/c",
      "MOVED_TO a/b/c",
      "CREATE a/b/c/d/f",
    ]);
    const [away, back] = daemon.events(path).filter((line) => /^MOVED/.test(line.event_type));
    expect(away).toMatchObject({ to: join(base, "z/b/c"), dir: true });
    expect(back).toMatchObject({ from: join(base, "z/b/c"), dir: true });
  });

  test("directories above are exchanged, each with a managed path below", async () => {
    const [one, two] = [join(base, "x/b/p"), join(base, "y/b/p")];
    shell("mkdir -p x/b/p y/b/p");
    for (const path of [one, two]) await daemon.add(path, "-r", ...NAMES);
    const workload = new Workload("hands");
    const hands = new Hands(workload.program, base);
    hands.do(["x x y"]);
    shell("touch x/b/p/f; mv x/b/p .");
    hands.do(["x x y"]);
    await hands.end();
    workload.remove();
    expect(await words(one)).toEqual([
      "MOVED_FROM x/b/p",
      "MOVED_TO x/b/p",
      "CREATE x/b/p/f",
      "MOVED_FROM x/b/p",
      "MOVED_TO x/b/p",
    ]);
    expect(await words(two)).toEqual(["MOVED_FROM y/b/p", "MOVED_TO y/b/p", "MOVED_FROM y/b/p"]);
  });

  test("a single file goes and comes with the directory above its own", async () => {
    const file = join(base, "d/e/conf");
    shell("mkdir -p d/e");
    await daemon.add(file, ...NAMES);
    await stopped("touch d/e/conf; mv d z");
    expect(await words(file)).toEqual(["CREATE d/e/conf", "MOVED_FROM d/e/conf"]);
    shell("mv z d");
    expect((await words(file)).slice(2)).toEqual(["MOVED_TO d/e/conf"]);
    shell("rm d/e/conf; mv d z");
    expect((await words(file)).slice(3)).toEqual(["DELETE d/e/conf"]);
  });

  for (const moved of ["p", "a"]) {
    test(`renamed to and fro and away by one process at once: ${moved}`, async () => {
      const path = join(base, moved === "p" ? "p" : "a/b/c");
      const [here, away] = [join(base, moved), join(base, "away")];
      mkdir(path);
      await daemon.add(path, "-r", ...NAMES);
      await daemon.whileStopped(() => {
        for (const to of [away, here, away]) renameSync(to === away ? here : away, to);
      });
      await settle();
      // Both renames to `away` are one event: the order isn't known, where it is, is.
      expect(daemon.events(path).every((line) => line.merged)).toBe(true);
      const before = (await words(path)).length;
      expect(await state(path)).toBe("pending");
      writeFileSync(join(away, "unseen"), "");
      expect(await words(path)).toHaveLength(before);
    });
  }

  test("replaced by a symlink, which isn't followed; by a file; by a directory again", async () => {
    const path = join(base, "p");
    shell("mkdir p elsewhere");
    await daemon.add(path, "-r", "-t", "create,delete,close_write");
    shell("rmdir p; ln -s elsewhere p; touch elsewhere/unseen");
    await settle();
    expect(await state(path)).not.toBe("impossible");
    shell("rm p; echo x > p; rm p; mkdir p; echo y > p/f");
    expect(await words(path)).toEqual([
      "DELETE p",
      "CREATE p",
      "DELETE p",
      "CREATE p",
      "CLOSE_WRITE p",
      "DELETE p",
      "CREATE p",
      "CREATE p/f",
      "CLOSE_WRITE p/f",
    ]);
    expect(await state(path)).toBe("watched");
  });

  test("a symlink given to add is resolved once, and the answer says so", async () => {
    shell("mkdir -p real/one real/two; ln -s real/one link");
    const { code, stderr } = await daemon.fsmon("add", join(base, "link"), "-r", ...NAMES);
    expect(code).toBe(0);
    expect(stderr).toContain(`${base}/real/one`);
    expect(stderr).toContain("symbolic link");
    shell("touch link/f; ln -sfn real/two link; touch link/unseen");
    expect(await managedPaths()).toContain(join(base, "real/one"));
    expect(await words(join(base, "real/one"))).toEqual(["CREATE real/one/f"]);
  });

  test("overlapping paths each get their events by their own filters", async () => {
    shell("mkdir -p a/in/deep");
    const outer = join(base, "a");
    const inner = join(base, "a/in");
    const file = join(base, "a/in/deep/f");
    await daemon.add(outer, "-r", "-t", "create", "-e", "*.tmp");
    await daemon.add(inner, "-t", "create,delete");
    await daemon.add(file, "-t", "close_write");
    shell("echo 1 > a/in/deep/f; echo 2 > a/in/g; rm a/in/g; touch a/in/x.tmp");
    expect(await words(outer)).toEqual(["CREATE a/in/deep/f", "CREATE a/in/g"]);
    expect(await words(inner)).toEqual(["CREATE a/in/g", "DELETE a/in/g", "CREATE a/in/x.tmp"]);
    expect(await words(file)).toEqual(["CLOSE_WRITE a/in/deep/f"]);
    // Taking one out leaves the others as they are.
    expect((await daemon.fsmon("remove", outer)).code).toBe(0);
    shell("echo 3 > a/in/deep/f; touch a/in/h");
    expect((await words(inner)).at(-1)).toBe("CREATE a/in/h");
    expect(await words(file)).toEqual(["CLOSE_WRITE a/in/deep/f", "CLOSE_WRITE a/in/deep/f"]);
  });

  test("a path is no prefix of another that begins with the same letters", async () => {
    shell("mkdir a ab");
    const a = join(base, "a");
    await daemon.add(a, "-r", ...NAMES);
    shell("touch ab/f a/f abc; mkdir ab/a; touch ab/a/f; mv ab/f a/g");
    expect(await words(a)).toEqual(["CREATE a/f", "MOVED_TO a/g"]);
  });

  test("non-recursive: the directory and its direct children, nothing deeper", async () => {
    shell("mkdir -p d/sub/deep");
    const path = join(base, "d");
    await daemon.add(path, "-t", "create,delete,attrib,moved_from,moved_to");
    shell(
      "touch -a -d 2020-01-01 d/sub/deep; touch d/sub/f; chmod 700 d/sub; mkdir d/new; touch d/new/f; mv d/sub/f d/f; mv d/f d/sub/f; rm -r d/new",
    );
    const seen = (await words(path)).filter((line) => !line.startsWith("ATTRIB d/new"));
    expect(seen).toEqual(["ATTRIB d/sub", "CREATE d/new", "MOVED_TO d/f", "MOVED_FROM d/f", "DELETE d/new"]);
  });

  test("several that wait below one directory that isn't there, and a file among them", async () => {
    const [one, two, file] = [join(base, "x/one"), join(base, "x/y/two"), join(base, "x/y/file")];
    await daemon.add(one, "-r", "-t", "create");
    await daemon.add(two, "-r", "-t", "create");
    await daemon.add(file, "-t", "create,close_write");
    shell("mkdir -p x/one x/y/two; touch x/one/f x/y/two/f; echo 1 > x/y/file; touch x/y/other");
    expect(await words(one)).toEqual(["CREATE x/one", "CREATE x/one/f"]);
    expect(await words(two)).toEqual(["CREATE x/y/two", "CREATE x/y/two/f"]);
    expect(await words(file)).toEqual(["CREATE x/y/file", "CLOSE_WRITE x/y/file"]);
  });

  test("a file whose path is longer than any call takes has its size", async () => {
    const path = join(base, "deep");
    await daemon.add(mkdir(path), "-r", "-t", "create,close_write,moved_to,delete");
    // 30 directories of 200 bytes: 6,000 bytes, where stat(2) ends at 4,095.
    run([
      "python3",
      "-c",
      `import os
os.chdir(${JSON.stringify(path)})
for i in range(30):
    os.mkdir('%02d' % i + 'x' * 198); os.chdir('%02d' % i + 'x' * 198)
open('f', 'w').write('12345'); os.rename('f', 'g'); open('g', 'a').write('678')`,
    ]);
    await settle();
    const lines = daemon.events(path).filter((line) => /\/[fg]$/.test(line.path));
    expect(lines[0]!.path.length).toBeGreaterThan(6000);
    expect(lines.map((line) => [line.event_type, line.path.slice(-1), line.file_size])).toEqual([
      ["CREATE", "f", 8],
      ["CLOSE_WRITE", "f", 8],
      ["MOVED_TO", "g", 8],
      ["CLOSE_WRITE", "g", 8],
    ]);
    await daemon.fsmon("remove", path);
    run(["rm", "-rf", path]);
  });

  test("the log directory inside the tree makes no loop, and what others do in it is recorded", async () => {
    await daemon.add(daemon.home, "-r", "-t", "create,open,access,close_nowrite,modify,delete");
    const other = join(daemon.logDir, "by-others");
    // A new file and one write: the runtime's own writing sets the length as well, which may come as a MODIFY of its own.
    shell(`echo x > ${other}; cat ${other} ${daemon.logDir}/*_log.jsonl; ls ${daemon.logDir}`);
    await until("the writing is logged", () =>
      daemon.events(daemon.home).some((line) => line.path === other),
    );
    await daemon.settle(daemon.home);
    const inLogs = daemon.events(daemon.home).filter((line) => line.path.startsWith(`${daemon.logDir}/`));
    expect(inLogs.map((line) => `${line.event_type} ${line.path}`)).toEqual([
      `CREATE ${other}`,
      `OPEN ${other}`,
      `MODIFY ${other}`,
      `OPEN ${other}`,
      `ACCESS ${other}`,
      `CLOSE_NOWRITE ${other}`,
    ]);
    await daemon.fsmon("remove", daemon.home);
  });
});
