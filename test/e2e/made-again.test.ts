// A name whose file one process makes, removes and gives to another file, or that the same file comes back to. The kernel merges the
// removal into the making, where nobody knows what came in between: the line must stand before the new file's CREATE, and behind
// the renames of the file itself.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, linkSync, mkdirSync, openSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestDaemon } from "../support/daemon.ts";
import { captureObstacle, type FilesystemKind, TestFilesystem } from "../support/filesystem.ts";

const KINDS: FilesystemKind[] = ["tmpfs", "ext4", "btrfs"];

for (const kind of KINDS) {
  describe.skipIf(captureObstacle !== null)(`names made again on ${kind} (needs root and mounts)`, () => {
    let filesystem: TestFilesystem;
    let daemon: TestDaemon;
    beforeAll(async () => {
      filesystem = TestFilesystem.mount(kind);
      daemon = await new TestDaemon().start();
    });
    afterAll(async () => {
      await daemon?.destroy();
      filesystem?.unmount();
    });

    /** What happens to names, in order, while the daemon is stopped: all of it is merged as far as the kernel can. */
    async function names(work: (at: (name: string) => string) => void): Promise<string[]> {
      const root = join(filesystem.path, "managed");
      const name = `case-${Bun.nanoseconds()}`;
      const directory = join(root, name);
      mkdirSync(join(directory, "in"), { recursive: true });
      await daemon.add(directory, "-r", "-t", "CREATE,DELETE,MOVED_TO");
      daemon.signal("SIGSTOP");
      try {
        work((entry) => join(directory, entry));
      } finally {
        daemon.signal("SIGCONT");
      }
      await daemon.settle(directory);
      return daemon
        .events(directory)
        .map((line) => `${line.event_type} ${line.path.slice(directory.length + 1)} ${line.file_size}`);
    }

    test("a lock file that is held while the next one is made", async () => {
      let held = -1;
      const got = await names((at) => {
        writeFileSync(at("lock"), "x");
        held = openSync(at("lock"), "r");
        unlinkSync(at("lock"));
        writeFileSync(at("lock"), "newer");
      });
      closeSync(held);
      expect(got).toEqual(["CREATE lock 1", "DELETE lock 0", "CREATE lock 5"]);
    });

    test("a file that lives on under its other name", async () => {
      const got = await names((at) => {
        writeFileSync(at("a"), "x");
        linkSync(at("a"), at("b"));
        unlinkSync(at("a"));
        writeFileSync(at("c"), "newer");
        renameSync(at("c"), at("a"));
      });
      expect(got).toEqual(["CREATE a 1", "DELETE a 0", "CREATE b 1", "CREATE c 5", "MOVED_TO a 5"]);
    });

    test("a file that was renamed, came back and was removed", async () => {
      const got = await names((at) => {
        writeFileSync(at("f"), "x");
        renameSync(at("f"), at("in/g"));
        renameSync(at("in/g"), at("f"));
        unlinkSync(at("f"));
      });
      expect(got).toEqual(["CREATE f 0", "MOVED_TO in/g 0", "MOVED_TO f 0", "DELETE f 0"]);
    });

    test("a file that came back to a name that another one had meanwhile", async () => {
      const got = await names((at) => {
        writeFileSync(at("f"), "x");
        renameSync(at("f"), at("g"));
        writeFileSync(at("f"), "x");
        renameSync(at("g"), at("f"));
        unlinkSync(at("f"));
      });
      expect(got).toEqual(["CREATE f 0", "MOVED_TO g 0", "CREATE f 0", "MOVED_TO f 0", "DELETE f 0"]);
    });
  });
}
