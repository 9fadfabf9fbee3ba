// Where the kernel itself loses something the log says so, and is right again afterwards.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, run, TestFilesystem } from "../support/filesystem.ts";
import { hasMemoryGroups, MemoryLimit } from "../support/memory-limit.ts";
import { Mounts } from "../support/mounts.ts";
import { TreeModel } from "../support/replay.ts";
import { until } from "../support/wait.ts";

const LIMIT_BYTES = 128 << 20;

describe.skipIf(captureObstacle !== null)("loss (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  beforeEach(() => {
    filesystem = TestFilesystem.mount("tmpfs");
    daemon = new TestDaemon();
  });
  afterEach(async () => {
    await daemon.destroy();
    filesystem.unmount();
  });

  test.skipIf(!hasMemoryGroups)(
    "stopped in the middle of a storm under a memory limit it lives on, says GAP, and knows every directory again (needs cgroup v1 memory)",
    async () => {
      const root = join(filesystem.path, "storm");
      mkdirSync(root);
      mkdirSync(join(root, "from/inside"), { recursive: true });
      writeFileSync(join(root, "from/inside/f"), "");
      writeFileSync(join(root, "kept"), "");
      const before = TreeModel.of(root);
      const limit = new MemoryLimit(LIMIT_BYTES);
      try {
        await daemon.start([], limit.wrapper);
        await daemon.add(root, "-r");
        mkdirSync(join(root, "vanishing"));
        await daemon.settle(root);
        // More events than the queue may hold under this limit: 174,762.
        const storm = `cd ${root} && for d in 1 2 3 4; do mkdir d$d; done; rmdir vanishing
          python3 -c "
import os
for i in range(100000):
    os.close(os.open('f', os.O_CREAT | os.O_WRONLY)); os.unlink('f')
for d in '1234': os.rename('d' + d, 'e' + d); os.mkdir('e' + d + '/deep')
os.rename('from', 'e1/to'); os.rename('e1/to/inside', 'e2/inside'); os.rmdir('e4/deep'); os.mkdir('fresh'); os.mkdir('fresh/er')
open('fresh/er/f', 'w').write('123'); open('kept', 'a').write('1')
"`;
        const done = await daemon.whileStopped(() => command(["sh", "-c", storm]));
        expect(done).toMatchObject({ code: 0, stderr: "" });
        const gap = await until(
          "the log says GAP",
          () => daemon.gaps(root)[0],
          () => daemon.stderr,
        );
        expect(gap).toMatchObject({ reason: "queue_overflow", path: root, lost: null });
        // The directories are compared with the disk.
        await daemon.scanned(root);
        writeFileSync(join(root, "e3/deep/after"), "");
        await daemon.settle(root);
        const after = daemon.events(root).filter((line) => line.path.endsWith("/after"));
        expect(after.map((line) => line.path)).toEqual([
          join(root, "e3/deep/after"),
          join(root, "e3/deep/after"),
        ]);
        // What the disk shows was told, and puts the tree right.
        const found = daemon.events(root).filter((line) => line.origin === "scan");
        const words = found.map((line) => `${line.event_type} ${line.path.slice(root.length + 1)}`);
        for (const word of [
          "MOVED_TO e1",
          "CREATE e1/deep",
          "MOVED_TO e1/to",
          "MOVED_TO e2/inside",
          "CREATE fresh",
        ])
          expect(words).toContain(word);
        expect(words).toContain("CREATE fresh/er/f");
        expect(words).toContain("CLOSE_WRITE kept");
        expect(found.find((line) => line.path.endsWith("e2/inside"))?.from).toMatch(/\/inside$/);
        expect(words).not.toContain("DELETE e4/deep");
        expect(found.find((line) => line.path.endsWith("fresh/er/f"))?.file_size).toBe(3);
        // But for the file of the storm, whose last removal nobody can know of.
        const differences = before.replay(daemon.lines(root)).differences();
        expect(differences.filter((text) => !text.endsWith("/storm/f"))).toEqual([]);
        expect(await daemon.stop()).toBe(0);
        expect(readdirSync(root).sort()).toEqual(["e1", "e2", "e3", "e4", "fresh", "kept"]);
      } finally {
        await daemon.destroy();
        limit.remove();
      }
    },
  );

  test("a directory that can't be marked, where each has to be: GAP with the reason, and the others are watched", async () => {
    const mounts = new Mounts();
    try {
      const { merged } = mounts.overlay("refusing");
      const deep =
        'import os; os.chdir(os.sys.argv[1])\nfor i in range(30): os.mkdir("x" * 200); os.chdir("x" * 200)';
      mkdirSync(join(merged, "root/near"), { recursive: true });
      run(["python3", "-c", deep, join(merged, "root")]);
      const root = join(merged, "root");
      await daemon.start();
      await daemon.add(root, "-r", "-t", "create,delete");
      const gap = await until("the log says GAP", () => daemon.gaps(root)[0]);
      expect(gap).toMatchObject({ reason: "internal", lost: null });
      expect((await daemon.fsmon("managed", "--json")).stdout).toMatch(
        /can't be watched, nor perhaps others: .*: name too long \(ENAMETOOLONG\)/,
      );
      writeFileSync(join(root, "near/f"), "");
      await daemon.settle(root);
      expect(daemon.events(root).map((line) => line.path)).toEqual([join(root, "near/f")]);
      run(["rm", "-rf", root]);
    } finally {
      await daemon.destroy();
      mounts.destroy();
    }
  });
});
