// Each filter and pairs of them, on real work: what the log has is what was asked for, and nothing that was is missing.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EventType, TYPE_BITS } from "../../src/event.ts";
import { type LogLine, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, run, runShell, TestFilesystem } from "../support/filesystem.ts";

describe.skipIf(captureObstacle !== null)("filters on real work (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let programs: string;
  beforeAll(async () => {
    filesystem = TestFilesystem.mount("tmpfs");
    daemon = await new TestDaemon().start();
    programs = mkdtempSync(join(tmpdir(), "fsmon-programs-"));
  });
  afterAll(async () => {
    await daemon?.destroy();
    filesystem?.unmount();
    rmSync(programs, { recursive: true, force: true });
  });

  let roots = 0;
  /** A fresh managed tree, after `prepare` (a shell script) ran in it. */
  async function manage(prepare: string, ...flags: string[]): Promise<string> {
    const root = join(filesystem.path, `root${roots++}`);
    mkdirSync(root);
    shell(root, prepare);
    await daemon.add(root, "-r", ...flags);
    return root;
  }
  const shell = (root: string, script: string) => runShell(script, root, daemon.environment);
  /** A shell that bears another program's name: only a process of that name writes. */
  function program(name: string): string {
    const path = join(programs, name);
    copyFileSync("/bin/sh", path);
    return path;
  }
  /**
   * What was logged, once everything is. The sentinel must pass the filters, so it is one's own: a tree without any beside it, on
   * the same filesystem.
   */
  let beside = "";
  async function logged(root: string): Promise<LogLine[]> {
    if (beside === "") beside = await manage("");
    await daemon.settle(beside);
    return daemon.events(root);
  }
  const short = (root: string, lines: LogLine[]): string[] =>
    lines.map((line) => `${line.event_type} ${line.path.slice(root.length + 1)}`);
  const filteredIn = async (root: string) => (await daemon.managedPath(root))!.events_filtered;

  test.skipIf(Bun.which("ex") === null)(
    "-e '*.swp' leaves out vim's swap file and nothing else (needs vim)",
    async () => {
      const edit =
        "ex -n -s -c 'set swapfile directory=. updatecount=1' -c '%s/one/two/' -c 'preserve' -c 'wq' file.txt";
      const bare = await manage("echo one > file.txt");
      shell(bare, edit);
      const everything = await logged(bare);
      // Else the test below would pass with an editor that makes no swap file.
      expect(everything.some((line) => line.path.endsWith(".swp"))).toBe(true);
      const root = await manage("echo one > file.txt", "-e", "*.sw?,4913");
      shell(root, edit);
      const lines = await logged(root);
      expect(lines.filter((line) => /\.sw.$/.test(line.path))).toEqual([]);
      expect(lines.filter((line) => line.event_type === "CLOSE_WRITE").map((line) => line.path)).toEqual([
        join(root, "file.txt"),
      ]);
      expect(new Set(lines.map((line) => line.cmd))).toEqual(new Set(["ex"]));
      expect(readFileSync(join(root, "file.txt"), "utf8")).toBe("two\n");
    },
  );

  test("--only-cmd nginx,vim keeps these two programs, and a third's work is gone", async () => {
    const [nginx, vim, php] = ["nginx", "vim", "php-fpm8.2"].map(program);
    const root = await manage("", "--only-cmd", "nginx,vim");
    shell(root, `for p in ${nginx} ${vim} ${php}; do $p -c "echo x > by-$(basename $p)"; done`);
    expect(short(root, await logged(root))).toEqual(
      ["nginx", "vim"].flatMap((name) => [`CREATE by-${name}`, `CLOSE_WRITE by-${name}`]),
    );
    expect(await filteredIn(root)).toBeGreaterThan(0);
  });

  test("--exclude-cmd with globs leaves out by name, as typed also beyond the kernel's 15 characters", async () => {
    const names = ["rsync", "apt-get", "a-program-with-a-long-name", "cp"];
    const root = await manage(
      "",
      "--exclude-cmd",
      "rsync|apt*",
      "--exclude-cmd",
      "a-program-with-a-long-name",
    );
    shell(root, names.map((name) => `${program(name)} -c "echo x > ${name}"`).join("\n"));
    expect(short(root, await logged(root))).toEqual(["CREATE cp", "CLOSE_WRITE cp"]);
  });

  test("--only-cmd and --exclude together: both must let an event pass", async () => {
    const root = await manage("mkdir cache", "--only-cmd", "vim", "-e", "*.swp|*/cache/*");
    const work = "for f in a.txt .a.swp cache/b; do echo x > $f; done";
    shell(root, `${program("vim")} -c '${work}'\n${program("nginx")} -c '${work}'`);
    expect(short(root, await logged(root))).toEqual(["CREATE a.txt", "CLOSE_WRITE a.txt"]);
  });

  test("--types are what the kernel is asked for, and what the tree needs; the union follows add and remove", async () => {
    const own = TestFilesystem.mount("tmpfs");
    const optional: EventType[] = ["MODIFY", "OPEN", "ACCESS", "CLOSE_WRITE", "CLOSE_NOWRITE", "OPEN_EXEC"];
    const forTheTree: EventType[] = ["CREATE", "DELETE", "DELETE_SELF", "ATTRIB"];
    const asked = (of: EventType[]) =>
      of.filter((type) => (kernelMask(daemon.pid, own.path) & TYPE_BITS[type]) !== 0);
    try {
      const [a, b] = ["a", "b"].map((name) => join(own.path, name)) as [string, string];
      mkdirSync(a);
      mkdirSync(b);
      await daemon.add(a, "-r", "--types", "close_write");
      expect(asked(optional)).toEqual(["CLOSE_WRITE"]);
      expect(asked(forTheTree)).toEqual(forTheTree);
      await daemon.add(b, "-r", "--types", "modify,open");
      expect(asked(optional)).toEqual(["MODIFY", "OPEN", "CLOSE_WRITE"]);
      await daemon.fsmon("remove", a);
      expect(asked(optional)).toEqual(["MODIFY", "OPEN"]);
      await daemon.fsmon("remove", b);
      expect(kernelMask(daemon.pid, own.path)).toBe(0);
    } finally {
      own.unmount();
    }
  });

  test("--types on real work: those and no other, also below directories that came later", async () => {
    const root = await manage("", "-t", "modify,Delete");
    shell(
      root,
      "mkdir -p new/deep; echo 1 > new/deep/f; cat new/deep/f > /dev/null; chmod 600 new/deep/f; rm new/deep/f",
    );
    expect(short(root, await logged(root))).toEqual(["MODIFY new/deep/f", "DELETE new/deep/f"]);
  });

  test("--types MODIFY alone: directories that are made, moved in and renamed are followed all the same", async () => {
    const root = await manage("", "-t", "MODIFY");
    // Each file is new and written once: emptying an old one is a MODIFY too, merged with the writing or not.
    shell(
      root,
      "mkdir -p ../outside/in new/deep; mv ../outside moved; mv new renamed; echo 1 > renamed/deep/f; echo 1 > moved/in/f; mv moved renamed/deep; echo 2 > renamed/deep/moved/in/g",
    );
    expect(short(root, await logged(root))).toEqual([
      "MODIFY renamed/deep/f",
      "MODIFY moved/in/f",
      "MODIFY renamed/deep/moved/in/g",
    ]);
  });

  test("--min-size looks at the size at the time, and --types goes with it", async () => {
    const root = await manage("", "--min-size", "1K", "-t", "close_write");
    shell(
      root,
      "echo small > small; head -c 1023 /dev/zero > below; head -c 1024 /dev/zero > at; head -c 5000 /dev/zero > above",
    );
    expect((await logged(root)).map((line) => [line.path.slice(root.length + 1), line.file_size])).toEqual([
      ["at", 1024],
      ["above", 5000],
    ]);
  });

  test("--min-size judges what is gone by its last known size, and the line says it", async () => {
    const root = await manage(
      "head -c 9000 /dev/zero > before",
      "--min-size",
      "4K",
      "-t",
      "delete,delete_self,moved_from",
    );
    shell(
      root,
      "head -c 10 /dev/zero > small; head -c 5000 /dev/zero > big; head -c 10 /dev/zero > away; head -c 6000 /dev/zero > bigger; head -c 10 /dev/zero > grown",
    );
    await logged(root);
    shell(root, "head -c 7000 /dev/zero >> grown");
    await logged(root);
    shell(root, "rm small big before grown; mv away ../; mv bigger other");
    await logged(root);
    shell(root, "rm other; echo again > big");
    await logged(root);
    shell(root, "rm big");
    const lines = (await logged(root)) as (LogLine & { last_size?: number })[];
    expect(
      lines.map((line) => [
        line.event_type,
        line.path.slice(root.length + 1),
        line.file_size,
        line.last_size,
      ]),
    ).toEqual([
      ["DELETE", "big", 0, 5000],
      ["DELETE_SELF", "big", 0, 5000],
      // Nobody has seen how large it was: unknown passes.
      ["DELETE", "before", 0, undefined],
      ["DELETE_SELF", "before", 0, undefined],
      ["DELETE", "grown", 0, 7010],
      ["DELETE_SELF", "grown", 0, 7010],
      ["MOVED_FROM", "bigger", 0, undefined],
      ["DELETE", "other", 0, 6000],
      ["DELETE_SELF", "other", 0, 6000],
    ]);
  });

  for (const sizeBytes of [50, 9000]) {
    test(`--min-size knows the ${sizeBytes} bytes of a file that a rename put in another's place`, async () => {
      const root = await manage("echo old > target", "--min-size", "4K", "-t", "attrib,delete,delete_self");
      shell(root, `head -c ${sizeBytes} /dev/zero > new`);
      await logged(root);
      shell(root, "mv new target");
      await logged(root);
      shell(root, `head -c ${sizeBytes} /dev/zero > new`);
      await logged(root);
      // Now the size of what it overwrites is known too.
      shell(root, "mv new target");
      await logged(root);
      shell(root, "rm target");
      const lines = (await logged(root)) as (LogLine & { last_size?: number })[];
      const deleted = lines.filter((line) => line.event_type === "DELETE").map((line) => line.last_size);
      expect(deleted).toEqual(sizeBytes === 50 ? [] : [9000]);
    });
  }

  for (const taking of ["rm f; head -c 9000 /dev/zero > f", "mv large f"]) {
    test(`--min-size judges a file by its own size that is held open while its name is taken: ${taking}`, async () => {
      const root = await manage("", "--min-size", "4K", "-t", "delete,delete_self");
      shell(root, "head -c 50 /dev/zero > f; head -c 9000 /dev/zero > large");
      await logged(root);
      const held = openSync(join(root, "f"), "r");
      shell(root, taking);
      await logged(root);
      closeSync(held);
      expect(await logged(root)).toEqual([]);
      shell(root, "rm f");
      const lines = (await logged(root)) as (LogLine & { last_size?: number })[];
      expect(lines.map((line) => [line.event_type, line.last_size])).toEqual([
        ["DELETE", 9000],
        ["DELETE_SELF", 9000],
      ]);
    });
  }

  test("--min-size never takes another file's size for that of one that is gone", async () => {
    const root = await manage("mkdir d e", "--min-size", "4K", "-t", "delete,delete_self");
    const zeros = (count: number, file: string) => `head -c ${count} /dev/zero > ${file}`;
    shell(root, [zeros(10, "target"), zeros(9000, "new"), zeros(10, "d/f"), zeros(9000, "e/f")].join("\n"));
    await logged(root);
    // The file that a rename overwrites was small; the one that is there now is large.
    shell(root, "mv new target");
    expect(await logged(root)).toEqual([]);
    shell(root, "rm target");
    // Another directory under the same name, and a name that is taken again at once.
    shell(root, `mv d gone; mv e d; rm d/f; ${zeros(10, "x")}; rm x; ${zeros(5000, "x")}; rm x`);
    const lines = (await logged(root)) as (LogLine & { last_size?: number })[];
    const deleted = lines.filter((line) => line.event_type === "DELETE");
    expect(deleted.map((line) => line.path.slice(root.length + 1))).toContain("target");
    expect(deleted.map((line) => line.path.slice(root.length + 1))).toContain("d/f");
    // Known rightly, or not known: never 10.
    expect(deleted.filter((line) => ![undefined, 5000, 9000].includes(line.last_size))).toEqual([]);
    expect(deleted.filter((line) => line.path.endsWith("/x")).length).toBeGreaterThan(0);
  });

  test("an excluded directory is pruned: nothing below is resolved or counted, made before or after", async () => {
    const root = await manage("mkdir -p keep node_modules/{a,b,c}/{1,2,3}", "-e", "node_modules,*/build/tmp");
    await daemon.scanned(root);
    const before = await filteredIn(root);
    shell(
      root,
      "for i in $(seq 300); do echo x > node_modules/a/1/f$i; done; rm node_modules/a/1/f*\n" +
        "mkdir -p build/tmp/x/y; echo x > build/tmp/x/y/z; mkdir keep/node_modules; echo x > keep/node_modules/f; echo x > keep/f",
    );
    const lines = short(root, await logged(root));
    expect(lines).toEqual(["CREATE build", "CREATE keep/f", "CLOSE_WRITE keep/f"]);
    // The directories themselves are told to be made, and left out; what lies below never comes so far.
    expect((await filteredIn(root)) - before).toBeLessThanOrEqual(4);
  });

  test("overlapping paths have each their own filters, changed at once by another add", async () => {
    const outer = await manage("mkdir inner", "-t", "create");
    const inner = join(outer, "inner");
    await daemon.add(inner, "-r", "-t", "delete", "-e", "*.log");
    shell(outer, "touch inner/a inner/b.log; rm inner/a inner/b.log");
    await logged(outer);
    await daemon.add(inner, "-r", "-t", "delete");
    shell(outer, "touch inner/c.log; rm inner/c.log");
    expect(short(outer, await logged(outer))).toEqual([
      "CREATE inner/a",
      "CREATE inner/b.log",
      "CREATE inner/c.log",
    ]);
    expect(short(inner, daemon.events(inner))).toEqual(["DELETE a", "DELETE c.log"]);
    const watch = daemon.lines(inner).filter((line) => line.event_type === "WATCH") as (LogLine & {
      filters?: string;
    })[];
    expect(watch.map((line) => [line.state, /exclude-path=(\S+)/.exec(line.filters ?? "")?.[1]])).toEqual([
      ["started", "*.log"],
      ["changed", "-"],
    ]);
  });

  test("managed shows each filter in its place", async () => {
    const root = await manage("", "-t", "modify,create", "-e", "*.swp", "--only-cmd", "nginx,vim");
    expect((await daemon.fsmon("managed")).stdout).toContain(
      `${root} | types=MODIFY,CREATE | recursive | min_size=- | exclude-path=*.swp | exclude-cmd=- | only-cmd=nginx,vim | events=filtered | state=watched\n`,
    );
  });
});

/** The FAN_* bits that the daemon has asked for on the filesystem of a directory; 0 without a mark. */
function kernelMask(pid: number, directory: string): number {
  const device = Number(run(["stat", "-c", "%d", directory]));
  const fds = readdirSync(`/proc/${pid}/fd`);
  const fan = fds.find((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === "anon_inode:[fanotify]");
  const info = readFileSync(`/proc/${pid}/fdinfo/${fan}`, "latin1");
  for (const [, sdev, mask] of info.matchAll(/^fanotify sdev:([0-9a-f]+) mflags:\S+ mask:([0-9a-f]+)/gm)) {
    // The kernel's own numbering has 20 bits for the minor; stat's has 8 and 12.
    const kernelDevice = Number.parseInt(sdev!, 16);
    const [major, minor] = [kernelDevice >>> 20, kernelDevice & 0xfffff];
    if (((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) === device)
      return Number.parseInt(mask!, 16) & 0xffff;
  }
  return 0;
}
