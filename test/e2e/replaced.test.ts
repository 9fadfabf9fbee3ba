// Managed paths whose directories are moved away, replaced, exchanged and moved back while the daemon is behind: the disk shows another
// directory under the path than the queue tells of. Each event belongs to the path that its directory had when it happened.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type LogLine, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, run, runShell, TestFilesystem } from "../support/filesystem.ts";

/** exchange A B, by renameat2(2): mv --exchange needs coreutils 9.5. */
const EXCHANGE = `exchange() { python3 -c 'import ctypes,sys
sys.exit(ctypes.CDLL(None).renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), 2))' "$1" "$2"; }`;

describe.skipIf(captureObstacle !== null)("managed paths that are replaced (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let root: string;
  let tests = 0;

  beforeAll(async () => {
    filesystem = TestFilesystem.mount("tmpfs");
    root = realpathSync(filesystem.path);
    daemon = await new TestDaemon().start();
    mkdirSync(join(root, "settle"));
    await daemon.add(join(root, "settle"), "-t", "create,delete");
  });
  afterAll(async () => {
    await daemon?.destroy();
    filesystem?.unmount();
  });

  /** What the log of a managed path has of the work, "TYPE path" below a directory of the test's own; and the path's state. */
  async function behind(setup: string, managed: string, work: string): Promise<string[]> {
    const base = join(root, `t${tests++}`);
    mkdirSync(base);
    const shell = (script: string) => runShell(`${EXCHANGE}\n${script}`, base);
    shell(setup);
    const path = join(base, managed);
    await daemon.add(path, "-r", "-t", "create,delete,moved_from,moved_to");
    await daemon.settle(join(root, "settle"));
    await daemon.whileStopped(() => shell(work));
    await daemon.settle(join(root, "settle"));
    const state = String((await daemon.managedPath(path))?.state);
    await daemon.fsmon("remove", path);
    return [
      ...daemon.events(path).map((line) => `${line.event_type} ${line.path.slice(base.length + 1)}`),
      state,
    ];
  }

  test("two prepared trees, one after the other, in a directory above", async () => {
    const work =
      "mv p a; touch a/b/c/one; mv a old; touch old/b/c/no q/b/c/no; mv q a; touch a/b/c/two; rm a/b/c/no";
    expect(await behind("mkdir -p p/b/c q/b/c", "a/b/c", work)).toEqual([
      "MOVED_TO a/b/c",
      "CREATE a/b/c/one",
      "MOVED_FROM a/b/c",
      "MOVED_TO a/b/c",
      "CREATE a/b/c/two",
      "DELETE a/b/c/no",
      "watched",
    ]);
  });

  test("replaced above by a prepared tree, and then by a new one", async () => {
    const work =
      "touch a/b/c/zero; mv a old; touch old/b/c/no q/b/c/no; mv q a; touch a/b/c/two; mv a away; touch away/b/c/no2; mkdir -p a/b/c; touch a/b/c/three";
    expect(await behind("mkdir -p a/b/c q/b/c", "a/b/c", work)).toEqual([
      "CREATE a/b/c/zero",
      "MOVED_FROM a/b/c",
      "MOVED_TO a/b/c",
      "CREATE a/b/c/two",
      "MOVED_FROM a/b/c",
      "CREATE a/b/c",
      "CREATE a/b/c/three",
      "watched",
    ]);
  });

  test("moved into place above, used, and gone by the time that it is looked at", async () => {
    const work = "mv p a; touch a/b/c/one; rm a/b/c/one; rm -r a; mkdir -p a/b; touch a/b/c";
    expect(await behind("mkdir -p p/b/c/d; touch p/b/c/d/f", "a/b/c", work)).toEqual([
      "MOVED_TO a/b/c",
      "CREATE a/b/c/one",
      "DELETE a/b/c/one",
      "DELETE a/b/c/d/f",
      "DELETE a/b/c/d",
      "DELETE a/b/c",
      "CREATE a/b/c",
      "watched",
    ]);
  });

  test("exchanged for another directory, by either end, and back", async () => {
    for (const ends of ["a z", "z a"]) {
      const work = `exchange ${ends}; touch a/new z/no; mkdir z/d; exchange ${ends}; touch a/d/f z/no`;
      const renames = ends === "a z" ? ["MOVED_FROM a", "MOVED_TO a"] : ["MOVED_TO a", "MOVED_FROM a"];
      expect(await behind("mkdir a z", "a", work)).toEqual([
        ...renames,
        "CREATE a/new",
        ...renames,
        "CREATE a/d/f",
        "watched",
      ]);
    }
  });

  test("exchanged above, by either end, and at a level below", async () => {
    for (const [one, other] of [
      ["a/b", "q/b"],
      ["q/b", "a/b"],
    ]) {
      const work = `mv p a; touch a/b/c/1; exchange ${one} ${other}; touch a/b/c/2 q/b/c/no; exchange ${one}/c ${other}/c; touch a/b/c/3 q/b/c/no; mv a p; touch p/b/c/no q/b/c/no`;
      const got = await behind("mkdir -p p/b/c q/b/c", "a/b/c", work);
      expect(got.filter((word) => !word.startsWith("MOVED"))).toEqual([
        "CREATE a/b/c/1",
        "CREATE a/b/c/2",
        "CREATE a/b/c/3",
        "pending",
      ]);
    }
  });

  test("exchanged for a file, and a file for a directory", async () => {
    expect(await behind("mkdir -p a/b; touch z", "a", "exchange a z; touch z/b/no z/no")).toEqual([
      "MOVED_FROM a",
      "MOVED_TO a",
      "watched",
    ]);
    expect(await behind("mkdir -p z/b; touch a", "a", "exchange a z; touch a/b/f a/g; touch z")).toEqual([
      "MOVED_FROM a",
      "MOVED_TO a",
      "CREATE a/b/f",
      "CREATE a/g",
      "watched",
    ]);
  });

  test("a file that comes, goes and comes again is watched, pending and watched", async () => {
    expect(await behind("mkdir a", "a/f", "touch a/f")).toEqual(["CREATE a/f", "watched"]);
    expect(await behind("mkdir a; touch a/f", "a/f", "rm a/f")).toEqual(["DELETE a/f", "pending"]);
    expect(await behind("mkdir a; touch a/t", "a/f", "mv a/t a/f")).toEqual(["MOVED_TO a/f", "watched"]);
    expect(await behind("mkdir a", "a/f", "ln -s t a/f")).toEqual(["CREATE a/f", "pending"]);
  });

  test("made and removed while mounts come and go, for which every path is looked for again: each event once", async () => {
    const base = join(root, "mounts");
    mkdirSync(join(base, "point"), { recursive: true });
    const path = join(base, "a/b/c");
    await daemon.add(path, "-r", "-t", "create,delete");
    const mounting = Bun.spawn(
      ["sh", "-c", `until [ -e stop ]; do mount --bind ${root}/settle point; umount point; done`],
      {
        cwd: base,
      },
    );
    const expected: string[] = [];
    try {
      for (let round = 0; round < 30; round++) {
        run(["sh", "-ec", "mkdir -p a/b/c/d; touch a/b/c/d/f; rm -rf a"], { cwd: base });
        expected.push("CREATE a/b/c", "CREATE a/b/c/d", "CREATE a/b/c/d/f");
        expected.push("DELETE a/b/c/d/f", "DELETE a/b/c/d", "DELETE a/b/c");
      }
    } finally {
      writeFileSync(join(base, "stop"), "");
      await mounting.exited;
    }
    await daemon.settle(join(root, "settle"));
    expect(daemon.events(path).map((line) => inWords(line, base))).toEqual(expected);
    await daemon.fsmon("remove", path);
  });

  describe("random work", () => {
    const SEED = Number(process.env.FSMON_SEED ?? 1);
    const ROUNDS = 12 * Number(process.env.FSMON_ROUNDS ?? 1);
    test(`on directories that lead to managed paths, ${ROUNDS} rounds (FSMON_SEED=${SEED})`, async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const base = join(root, `r${round}`);
        mkdirSync(base);
        const work = new RandomWork(SEED + round, base, ["a", "a/b/c", "b/c"]);
        for (const path of work.managed)
          await daemon.add(join(base, path), "-r", "-t", "create,delete,moved_from,moved_to");
        await daemon.settle(join(root, "settle"));
        await daemon.whileStopped(() => {
          for (let i = 0; i < 16; i++) work.step();
        });
        await daemon.settle(join(root, "settle"));
        for (const path of work.managed) {
          const got = daemon.events(join(base, path)).map((line) => inWords(line, base));
          const how = `seed ${SEED + round}, ${path}:\n${work.done.join("\n")}`;
          expect({ how, lines: got }).toEqual({ how, lines: work.expected(path) });
          await daemon.fsmon("remove", join(base, path));
        }
        rmSync(base, { recursive: true });
      }
    });
  });
});

function inWords(line: LogLine, base: string): string {
  const cut = (path: string) => path.slice(base.length + 1);
  if (line.event_type === "MOVED_TO") return `MOVED_TO ${cut(line.path)} from ${cut(line.from ?? "")}`;
  if (line.event_type === "MOVED_FROM") return `MOVED_FROM ${cut(line.path)} to ${cut(line.to ?? "")}`;
  return `${line.event_type} ${cut(line.path)}`;
}

type Tree = Map<string, Tree>;

/**
 * Directories made, moved and written into, and what each managed path must have of it. Each step is a process of its own and each
 * name used once for a file, so that nothing is merged.
 */
class RandomWork {
  readonly done: string[] = [];
  private readonly top: Tree = new Map();
  /** With the one managed path that they concern, where they don't concern all that the path lies in. */
  private readonly events: { path: string; words: string; only?: string }[] = [];
  private names = 0;

  constructor(
    private state: number,
    private readonly base: string,
    readonly managed: readonly string[],
  ) {
    for (const name of ["p0", "p1", "p2", "a"].slice(0, 3 + this.random(2))) {
      for (const path of [name, `${name}/b`, `${name}/b/c`].slice(0, 1 + this.random(3))) {
        mkdirSync(join(base, path));
        this.directory(path.slice(0, path.lastIndexOf("/") + 1)).set(baseName(path), new Map());
      }
    }
  }

  expected(managed: string): string[] {
    return this.events
      .filter(({ path, only = managed }) => `${path}/`.startsWith(`${managed}/`) && only === managed)
      .map((event) => event.words);
  }

  step(): void {
    const all = this.directories("", this.top);
    const [path, tree] = this.one(all);
    const kind = this.random(10);
    if (kind < 2) {
      const name = this.one(["a", "b", "c"]);
      if (tree.has(name)) return;
      this.run("mkdir", path + name);
      tree.set(name, new Map());
      this.tell("CREATE", path + name);
    } else if (kind < 5) {
      const name = `f${this.names++}`;
      this.run("touch", path + name);
      this.tell("CREATE", path + name);
    } else if (kind < 8) this.swapTop();
    else if (path !== "") this.move(path.slice(0, -1), ...this.one(all));
  }

  /** What a managed path is seen through goes away, or something comes in its place. */
  private swapTop(): void {
    if (this.top.has("a")) this.move("a", "", this.top);
    else this.move(this.one([...this.top.keys()]), "", this.top, "a");
  }

  /** To a name that nothing had before, or to one that leads to a managed path: equal renames would be merged. */
  private move(from: string, toPath: string, to: Tree, name = ""): void {
    const old = baseName(from);
    const fresh = `z${this.names++}`;
    const given = name !== "" ? name : /^[abc]$/.test(old) ? fresh : this.one(["a", "b", "c", fresh]);
    if (`${toPath}/`.startsWith(`${from}/`) || to.has(given)) return;
    const parent = this.directory(from.slice(0, from.lastIndexOf("/") + 1));
    this.run("mv", "-T", from, toPath + given);
    this.tell("MOVED_FROM", from, ` to ${toPath}${given}`);
    this.tell("MOVED_TO", toPath + given, ` from ${from}`);
    this.tellCarried("MOVED_FROM", from, "to", toPath + given);
    to.set(given, parent.get(old)!);
    parent.delete(old);
    this.tellCarried("MOVED_TO", toPath + given, "from", from);
  }

  /** Managed paths that are there below a directory that goes, or has come, by a renaming. */
  private tellCarried(type: string, above: string, key: string, otherEnd: string): void {
    for (const only of this.managed) {
      if (!only.startsWith(`${above}/`) || !this.has(only)) continue;
      this.events.push({
        path: only,
        words: `${type} ${only} ${key} ${otherEnd}${only.slice(above.length)}`,
        only,
      });
    }
  }

  private has(path: string): boolean {
    return this.directories("", this.top).some(([one]) => one === `${path}/`);
  }

  private run(program: string, ...args: string[]): void {
    this.done.push(`${program} ${args.join(" ")}`);
    run([program, ...args], { cwd: this.base });
  }

  private tell(type: string, path: string, more = ""): void {
    this.events.push({ path, words: `${type} ${path}${more}` });
  }

  /** With their paths, which end in a slash. */
  private directories(path: string, tree: Tree): [string, Tree][] {
    const below = [...tree].flatMap(([name, one]) => this.directories(`${path}${name}/`, one));
    return [[path, tree], ...below];
  }

  private directory(path: string): Tree {
    let tree = this.top;
    for (const name of path.split("/").filter(Boolean)) tree = tree.get(name)!;
    return tree;
  }

  private one<T>(of: readonly T[]): T {
    return of[this.random(of.length)]!;
  }

  /** mulberry32. */
  private random(below: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below) | 0;
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
