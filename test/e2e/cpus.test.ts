// CPUs that come and go while the daemon runs: really, where the machine lets us.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { accessSync, constants, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { until } from "../support/wait.ts";
import { Workload } from "../support/workload.ts";

const SWITCH = "/sys/devices/system/cpu/cpu1/online";

function obstacle(): string | null {
  try {
    accessSync(SWITCH, constants.W_OK);
    return readFileSync(SWITCH, "latin1").trim() === "1" ? captureObstacle : "CPU 1 is offline";
  } catch {
    return "CPU 1 can't be switched off";
  }
}

describe.skipIf(obstacle() !== null)(
  "a CPU that goes and comes back (needs root and a CPU to switch off)",
  () => {
    let filesystem: TestFilesystem;
    let daemon: TestDaemon;
    let witness: Workload;
    beforeAll(async () => {
      witness = new Workload("witness");
      filesystem = TestFilesystem.mount("tmpfs");
      mkdirSync(join(filesystem.path, "links"));
      for (const name of ["w0-0", "w0-1", "w0-2"])
        copyFileSync(witness.program, join(filesystem.path, "links", name));
      daemon = await new TestDaemon().start();
    });
    afterAll(async () => {
      await daemon?.destroy();
      filesystem?.unmount();
      witness?.remove();
    });

    const managed = (name: string) => daemon.add(filesystem.directory(name), "-r");

    const gapsOf = (root: string) => daemon.processGaps(root);

    /** Programs on that CPU, which are gone when their events are read. */
    async function expectNamed(root: string): Promise<void> {
      const launch = [witness.program, "launch", join(filesystem.path, "links"), root, "1", "3"];
      const done = await daemon.whileStopped(() => command(["taskset", "-c", "1", ...launch]));
      expect(done.code).toBe(0);
      await daemon.settle(root);
      const told = daemon.events(root).filter((line) => line.path.includes("/ran."));
      expect(told).toHaveLength(6);
      for (const line of told) {
        expect(line.path).toContain(`.${line.cmd}.${line.pid}.`);
        expect(line.exe).toBe(join(filesystem.path, "links", line.cmd!));
        // Known by the streams, not by /proc.
        expect([undefined, "launched", "changed_meanwhile"]).toContain(line.who);
      }
    }

    test("has its rings again, the log says that records are missing, and programs on it are named exactly", async () => {
      const root = await managed("root");
      try {
        writeFileSync(SWITCH, "0");
        await daemon.settle(root);
        expect(gapsOf(root)).toEqual([]);
      } finally {
        writeFileSync(SWITCH, "1");
      }
      // Nobody does anything below the path: the daemon notices by itself.
      const gap = await until("the log tells of it", () => gapsOf(root)[0]);
      expect(gap).toMatchObject({ reason: "process_stream_lost", lost: null });
      // Until the queue was read to its end nobody's number is sure.
      await daemon.settle(root);
      await expectNamed(root);
      expect(gapsOf(root)).toHaveLength(1);
    });

    test("the same where it was back before the daemon could look", async () => {
      const root = await managed("flipped");
      await daemon.whileStopped(() => {
        try {
          writeFileSync(SWITCH, "0");
        } finally {
          writeFileSync(SWITCH, "1");
        }
      });
      await until("the log tells of it", () => gapsOf(root)[0]);
      await daemon.settle(root);
      await expectNamed(root);
      expect(gapsOf(root)).toHaveLength(1);
    });
  },
);
