// A large tree is put under watch: events are recorded from the first moment, with their right paths, while the scan runs beside them.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestDaemon } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { until } from "../support/wait.ts";
import { Workload } from "../support/workload.ts";

const DIRECTORIES = 100_000;
/** Beyond what the idle daemon has: the tree is 5 MB of it, compiled code and the engine's heap the rest. */
const MEMORY_MAX_MB = 30;

describe.skipIf(captureObstacle !== null)("a tree of 100,000 directories (needs root and mounts)", () => {
  let forest: Workload;
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let root: string;
  /** The directory that was made last, at the deepest level. */
  let last: string;

  beforeAll(() => {
    forest = new Workload("forest");
  });
  afterAll(() => forest?.remove());
  beforeEach(async () => {
    filesystem = TestFilesystem.mount("tmpfs");
    root = join(filesystem.path, "w");
    mkdirSync(root);
    last = join(root, forest.run(root, DIRECTORIES));
    daemon = await new TestDaemon().start();
  });
  afterEach(async () => {
    await daemon.destroy();
    filesystem.unmount();
  });

  const rssMb = (): number =>
    Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, "latin1"))![1]) / 1024;

  test("what happens in it before its place was scanned is recorded, under the right path", async () => {
    const idleMb = rssMb();
    await daemon.add(root, "-r", "-t", "create,delete,moved_from,moved_to");
    const addedMs = performance.now();
    // All over the tree, in directories that nobody has looked at; one that is renamed, and one above what was written in.
    const expected: string[] = [];
    for (let i = 0; i < 50; i++) {
      writeFileSync(join(root, `${i}/99/f${i}`), "");
      expected.push(`CREATE ${root}/${i}/99/f${i}`);
    }
    renameSync(join(root, "5/5"), join(root, "6/moved"));
    writeFileSync(join(root, "6/moved/9/f"), "");
    rmdirSync(last);
    expected.push(
      `MOVED_FROM ${root}/5/5`,
      `MOVED_TO ${root}/6/moved`,
      `CREATE ${root}/6/moved/9/f`,
      `DELETE ${last}`,
    );
    await until("all of it is recorded", () => daemon.events(root).length >= expected.length);
    const recordedMs = performance.now() - addedMs;
    expect(daemon.events(root).map((line) => `${line.event_type} ${line.path}`)).toEqual(expected);
    expect(daemon.gaps(root)).toEqual([]);
    await daemon.scanned(root);
    const scannedMs = performance.now() - addedMs;
    // Not after the scan, but beside it.
    expect(recordedMs).toBeLessThan(scannedMs);
    expect((await daemon.managedPath(root))?.directories).toBe(DIRECTORIES);
    await until("its memory is small again", () => rssMb() - idleMb < MEMORY_MAX_MB);
    writeFileSync(join(root, "98/99/after"), "");
    await until("it is recorded", () => daemon.events(root).at(-1)?.path.endsWith("98/99/after"));
  });
});
