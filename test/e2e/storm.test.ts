// Storms: tens of thousands of operations as fast as C can do them, several processes at once. Every event must be there, once, under the path that it had.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type LogLine, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, type FilesystemKind, run, TestFilesystem } from "../support/filesystem.ts";
import { TreeModel } from "../support/replay.ts";
import { Workload } from "../support/workload.ts";

const KINDS: FilesystemKind[] = ["tmpfs", "ext4"];

/** A storm, and how hard it rages. An ext4 image of the tests holds 16,000 objects, so what a storm leaves behind is removed after it. */
interface Storm {
  processes: number;
  count: number;
  /** Threads of one process instead of processes. */
  threads?: boolean;
  /** The daemon is stopped meanwhile: the kernel merges as much as it can, and batches end anywhere. */
  asleep?: boolean;
}

for (const kind of KINDS) {
  describe.skipIf(captureObstacle !== null)(`storms on ${kind} (needs root and mounts)`, () => {
    let filesystem: TestFilesystem;
    let daemon: TestDaemon;
    let workload: Workload;
    beforeAll(async () => {
      workload = new Workload("storm");
      filesystem = TestFilesystem.mount(kind);
      daemon = await new TestDaemon().start();
    });
    afterAll(async () => {
      await daemon?.destroy();
      filesystem?.unmount();
      workload?.remove();
    });

    /** Lets a storm rage in a fresh managed directory; its lines, once the replay was found right. */
    async function rage(what: string, storm: Storm): Promise<LogLine[]> {
      const root = join(filesystem.path, "managed");
      mkdirSync(root);
      await daemon.add(root, "-r");
      const before = TreeModel.of(filesystem.path);
      const flags = storm.threads === true ? ["-t"] : [];
      const work = () => workload.run(...flags, what, root, storm.processes, storm.count);
      try {
        if (storm.asleep === true) await daemon.whileStopped(work);
        else work();
        await daemon.settle(root);
        expect(daemon.gaps(root)).toEqual([]);
        const lines = daemon.events(root);
        before.replay(lines).check(what);
        return lines;
      } finally {
        await daemon.fsmon("remove", root);
        rmSync(root, { recursive: true });
        // The next storm's log begins anew.
        rmSync(daemon.logDir, { recursive: true });
      }
    }

    test("20,000 files created, written, closed and unlinked by 4 processes: every event, once", async () => {
      const lines = await rage("files", { processes: 4, count: 5000 });
      const types = ["CREATE", "CLOSE_WRITE", "ATTRIB", "DELETE", "DELETE_SELF"];
      expectExactly(
        lines,
        names(4, 5000).flatMap((name) => types.map((type) => `${type} ${name}`)),
      );
    });

    for (const asleep of [false, true]) {
      const while_ = asleep ? " while the daemon is stopped" : "";

      test(`2,000 fresh trees, a file at each level at once${while_}: 0 missed, 0 wrong paths`, async () => {
        const lines = await rage("fresh", { processes: 2, count: 1000, asleep });
        const expected = names(2, 1000).flatMap((a) =>
          [a, `${a}/b`, `${a}/b/c`].flatMap((dir) => [`CREATE ${dir}`, ...made(`${dir}/f`)]),
        );
        expectExactly(lines, expected);
      });

      test(`2,000 directories renamed twice and written into at once${while_}`, async () => {
        const lines = await rage("renamed", { processes: 4, count: 500, asleep });
        const expected = names(4, 500).flatMap((one) => [
          `CREATE ${one}`,
          `CREATE ${one}/sub`,
          ...move(one, `${one}-two`),
          ...move(`${one}-two`, `${one}-three`),
          ...[`${one}/sub/in-one`, `${one}-two/sub/in-two`, `${one}-three/sub/in-three`].flatMap(made),
        ]);
        expectExactly(lines, expected);
      });

      test(`10,000 saves by rename${while_}: the file that each one overwrites dies under its name`, async () => {
        expectExactly(await rage("saves", { processes: 4, count: 2500, asleep }), saves(4, 2500));
      });

      test(`3,000 trees made, filled and removed in one breath${while_}`, async () => {
        const lines = await rage("removed", { processes: 3, count: 1000, asleep });
        const expected = names(3, 1000).flatMap((dir) => [
          ...[dir, `${dir}/sub`].flatMap((path) => [
            `CREATE ${path}`,
            `DELETE ${path}`,
            `DELETE_SELF ${path}`,
          ]),
          ...made(`${dir}/sub/f`),
          ...["ATTRIB", "DELETE", "DELETE_SELF"].map((type) => `${type} ${dir}/sub/f`),
        ]);
        expectExactly(lines, expected);
      });

      test(`1,500 pairs of directories exchanged and written into at once${while_}`, async () => {
        const lines = await rage("exchanges", { processes: 2, count: 750, asleep });
        const expected = names(2, 750).flatMap((name) => {
          const a = `${name}-a`;
          const b = `${name}-b`;
          return [
            ...[`CREATE ${a}`, `CREATE ${b}`, ...move(a, b), ...move(b, a)],
            ...[`${a}/was-a`, `${b}/was-b`, `${a}/now-a`, `${b}/now-b`].flatMap(made),
          ];
        });
        expectExactly(lines, expected);
        expect(lines.filter((line) => line.event_type === "MOVED_TO" && line.exchange !== true)).toEqual([]);
      });
    }

    // Where the kernel's read ends between the two halves of one operation, each half comes in a batch of its own: many boundaries, few events between.
    test("3,000 pairs of files exchanged, whatever batch the halves fall into", async () => {
      const lines = await rage("swaps", { processes: 1, count: 3000, asleep: true });
      const moved = lines.filter((line) => line.event_type.startsWith("MOVED_"));
      expect(moved.length).toBe(3000 * 4);
      expect(moved.filter((line) => line.exchange !== true)).toEqual([]);
    });

    test("10,000 saves by rename by 4 threads of one process", async () => {
      expectExactly(await rage("saves", { processes: 4, count: 2500, threads: true }), saves(4, 2500));
    });

    test("5,000 directories in which another process works before mkdir was through: nothing missed", async () => {
      const lines = await rage("pounce", { processes: 2, count: 5000 });
      const rounds = Array.from({ length: 5000 }, (_, round) => String(round));
      expectExactly(
        lines,
        rounds.flatMap((dir) => [`CREATE ${dir}`, `ATTRIB ${dir}`, ...made(`${dir}/by-1`)]),
      );
    });
  });
}

describe.skipIf(captureObstacle !== null)("large trees (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let workload: Workload;
  let root: string;
  beforeEach(() => {
    workload = new Workload("storm");
    filesystem = TestFilesystem.mount("tmpfs");
    daemon = new TestDaemon();
    root = join(filesystem.path, "managed");
    mkdirSync(root);
  });
  afterEach(async () => {
    await daemon.destroy();
    filesystem.unmount();
    workload.remove();
  });

  const DEAD = ["ATTRIB", "DELETE", "DELETE_SELF"];

  for (const early of [false, true]) {
    const when = early ? "while it is being scanned" : "once it is scanned";
    test(`rm -rf of 20,000 entries that were there before the daemon, ${when}: each by its path`, async () => {
      workload.run("tree", root, 1, 10_000);
      await daemon.fsmon("add", root, "-r");
      const before = TreeModel.of(filesystem.path);
      const paths = treePaths(10_000);
      await daemon.start();
      if (!early) await daemon.scanned(root);
      run(["rm", "-rf", join(root, "0")]);
      await daemon.settle(root);
      const lines = daemon.events(root);
      expectExactly(
        lines,
        paths.flatMap((path) =>
          (path.endsWith("/file") ? DEAD : DEAD.slice(1)).map((type) => `${type} ${path}`),
        ),
      );
      before.replay(lines).check("rm -rf");
    });
  }

  test("rm -rf of 20,000 entries that were made and removed in one breath: each by its path", async () => {
    await daemon.start();
    await daemon.add(root, "-r");
    const before = TreeModel.of(filesystem.path);
    await daemon.whileStopped(() => {
      workload.run("tree", root, 1, 10_000);
      run(["rm", "-rf", join(root, "0")]);
    });
    await daemon.settle(root);
    const lines = daemon.events(root);
    const expected = treePaths(10_000).flatMap((path) =>
      path.endsWith("/file")
        ? [...made(path), ...DEAD.map((type) => `${type} ${path}`)]
        : ["CREATE", "DELETE", "DELETE_SELF"].map((type) => `${type} ${path}`),
    );
    expectExactly(lines, expected);
    before.replay(lines).check("made and removed");
  });

  test("a tree of 20,000 entries moved in and removed at once: each by its path", async () => {
    const outside = join(filesystem.path, "outside");
    mkdirSync(outside);
    workload.run("tree", outside, 1, 10_000);
    await daemon.start();
    await daemon.add(root, "-r");
    const before = TreeModel.of(filesystem.path);
    renameSync(join(outside, "0"), join(root, "0"));
    run(["rm", "-rf", join(root, "0")]);
    await daemon.settle(root);
    const lines = daemon.events(root);
    before.replay(lines).check("moved in and removed");
    const deleted = lines.filter((line) => line.event_type === "DELETE").map((line) => line.path);
    expect(deleted.length).toBe(20_000);
  });

  test("30,000 directories: add doesn't wait for the scan, and what happens before its place is scanned has its right path", async () => {
    workload.run("tree", root, 1, 30_000);
    await daemon.start();
    const before = TreeModel.of(filesystem.path);
    await daemon.add(root, "-r");
    const made: string[] = [];
    for (const a of "abcdefgh") {
      for (const b of "abcdefgh") {
        const moved = join(root, "0", a, `${b}-moved`);
        renameSync(join(root, "0", a, b), moved);
        made.push(join(moved, "c", "at-once"));
        writeFileSync(join(moved, "c", "at-once"), "");
      }
    }
    await daemon.settle(root);
    const lines = daemon.events(root);
    expect(lines.filter((line) => line.event_type === "CREATE").map((line) => line.path)).toEqual(made);
    before.replay(lines).check("during the scan");
    await daemon.scanned(root);
    const directories = treePaths(30_000).filter((path) => !path.endsWith("/file"));
    const later = directories.map((path) => join(root, path.replace(/^(0\/.\/.)/, "$1-moved"), "later"));
    for (const path of later) writeFileSync(path, "");
    await daemon.settle(root);
    const seen = daemon
      .events(root)
      .filter((line) => line.event_type === "CREATE" && line.path.endsWith("/later"));
    expect(seen.map((line) => line.path)).toEqual(later);
  });
});

/** What the storm "tree" makes. */
function treePaths(count: number): string[] {
  const paths: string[] = [];
  for (let round = 0; round < count; round++) {
    let name = "";
    for (let rest = round; rest > 0; rest = Math.floor((rest - 1) / 8))
      name = `/${"abcdefgh"[(rest - 1) % 8]}${name}`;
    paths.push(`0${name}`, `0${name}/file`);
  }
  return paths;
}

/** "3-17" for round 17 of process 3. */
function names(processes: number, count: number): string[] {
  return Array.from({ length: processes * count }, (_, i) => `${Math.floor(i / count)}-${i % count}`);
}

function made(file: string): string[] {
  return [`CREATE ${file}`, `CLOSE_WRITE ${file}`];
}

function move(from: string, to: string): string[] {
  return [`MOVED_FROM ${from} to ${to}`, `MOVED_TO ${to} from ${from}`, `MOVE_SELF ${to}`];
}

function saves(processes: number, count: number): string[] {
  return names(processes, count).flatMap((temporary) => {
    const [file, round] = temporary.split("-");
    const victim = round === "0" ? [] : [`ATTRIB ${file}`, `DELETE_SELF ${file}`];
    return [...made(temporary), ...move(temporary, file!), ...victim];
  });
}

/** Every expected line is there, and no other. */
function expectExactly(lines: readonly LogLine[], expected: readonly string[]): void {
  const counts = new Map<string, number>();
  for (const text of expected) counts.set(text, (counts.get(text) ?? 0) + 1);
  const below = (path: string) => {
    const at = path.indexOf("/managed/");
    return at < 0 ? path : path.slice(at + "/managed/".length);
  };
  const unexpected: string[] = [];
  for (const line of lines) {
    const end =
      line.to !== undefined
        ? ` to ${below(line.to)}`
        : line.from !== undefined
          ? ` from ${below(line.from)}`
          : "";
    const text = `${line.event_type} ${below(line.path)}${end}`;
    const left = counts.get(text) ?? 0;
    if (left === 0) unexpected.push(text);
    else counts.set(text, left - 1);
  }
  const missing = [...counts]
    .filter(([, left]) => left > 0)
    .map(([text, left]) => (left > 1 ? `${left} × ${text}` : text));
  const summary = { missing: missing.length, unexpected: unexpected.length };
  expect({ ...summary, examples: [...missing.slice(0, 8), ...unexpected.slice(0, 8)] }).toEqual({
    missing: 0,
    unexpected: 0,
    examples: [],
  });
}
