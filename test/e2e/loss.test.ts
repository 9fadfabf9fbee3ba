// Where the kernel itself loses something the log says so, and is right again afterwards.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { until } from "../support/wait.ts";

/** cgroup v1's memory controller; a limit there bounds the kernel's queue too (src/daemon/queue-bound.ts). */
const MEMORY_GROUPS = "/sys/fs/cgroup/memory";
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

  test.skipIf(!existsSync(join(MEMORY_GROUPS, "memory.limit_in_bytes")))(
    "stopped in the middle of a storm under a memory limit it lives on, says GAP, and knows every directory again (needs cgroup v1 memory)",
    async () => {
      const root = join(filesystem.path, "storm");
      mkdirSync(root);
      const group = join(MEMORY_GROUPS, `fsmon-test-${process.pid}`);
      mkdirSync(group);
      try {
        writeFileSync(join(group, "memory.limit_in_bytes"), String(LIMIT_BYTES));
        await daemon.start([], ["sh", "-c", `echo $$ > ${group}/cgroup.procs && exec "$@"`, "sh"]);
        await daemon.add(root, "-r");
        mkdirSync(join(root, "vanishing"));
        await daemon.settle(root);
        daemon.signal("SIGSTOP");
        // More events than the queue may hold under this limit: 174,762.
        const storm = `cd ${root} && for d in 1 2 3 4; do mkdir d$d; done; rmdir vanishing
          python3 -c "
import os
for i in range(100000):
    os.close(os.open('f', os.O_CREAT | os.O_WRONLY)); os.unlink('f')
for d in '1234': os.rename('d' + d, 'e' + d); os.mkdir('e' + d + '/deep')
"`;
        const done = await command(["sh", "-c", storm]);
        expect(done).toMatchObject({ code: 0, stderr: "" });
        daemon.signal("SIGCONT");
        const gap = await until(
          "the log says GAP",
          () => daemon.lines(root).find((line) => line.event_type === "GAP"),
          30_000,
          () => daemon.stderr,
        );
        expect(gap).toMatchObject({ reason: "queue_overflow", path: root, lost: null });
        await until("the directories were compared with the disk", async () => {
          const status = JSON.parse((await daemon.fsmon("managed", "--json")).stdout.split("\n")[0]!);
          return status.scanning === false;
        });
        writeFileSync(join(root, "e3/deep/after"), "");
        await daemon.settle(root);
        const after = daemon.events(root).filter((line) => line.path.endsWith("/after"));
        expect(after.map((line) => line.path)).toEqual([
          join(root, "e3/deep/after"),
          join(root, "e3/deep/after"),
        ]);
        expect(await daemon.stop()).toBe(0);
        expect(readdirSync(root).sort()).toEqual(["e1", "e2", "e3", "e4"]);
      } finally {
        await daemon.destroy();
        rmdirSync(group);
      }
    },
    60_000,
  );
});
