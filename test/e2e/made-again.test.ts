// A name whose file one process makes, removes and gives to another file, or that the same file comes back to. The kernel merges the
// removal into the making, where nobody knows what came in between: the line must stand before the new file's CREATE, and behind
// the renames of the file itself.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, linkSync, mkdirSync, openSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestDaemon } from "../support/daemon.ts";
import { captureObstacle, type FilesystemKind, TestFilesystem } from "../support/filesystem.ts";

const KINDS: FilesystemKind[] = ["tmpfs", "ext4", "btrfs"];
/** More than a batch holds. */
const MANY = 900;

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
    async function names(
      work: (at: (name: string) => string) => void,
      types = "CREATE,DELETE,MOVED_TO",
    ): Promise<string[]> {
      const root = join(filesystem.path, "managed");
      const name = `case-${Bun.nanoseconds()}`;
      const directory = join(root, name);
      mkdirSync(join(directory, "in"), { recursive: true });
      await daemon.add(directory, "-r", "-t", types, "-e", "many*");
      await daemon.whileStopped(() => work((entry) => join(directory, entry)));
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
      expect(got).toEqual(["CREATE lock 0", "DELETE lock 0", "CREATE lock 5"]);
    });

    test("a file that lives on under its other name", async () => {
      const got = await names((at) => {
        writeFileSync(at("a"), "x");
        linkSync(at("a"), at("b"));
        unlinkSync(at("a"));
        writeFileSync(at("c"), "newer");
        renameSync(at("c"), at("a"));
      });
      expect(got).toEqual(["CREATE a 1", "CREATE b 1", "DELETE a 0", "CREATE c 5", "MOVED_TO a 5"]);
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

    describe("a name that was renamed away and given to the file again by a link, whose CREATE is merged into the first", () => {
      /** What is told, sizes left out, and ATTRIB, which tells where the number of links changed. */
      async function links(work: (at: (name: string) => string) => void): Promise<string[]> {
        const got = await names(work, "CREATE,DELETE,MOVED_TO,DELETE_SELF,ATTRIB");
        return got.filter((line) => !line.startsWith("ATTRIB")).map((line) => line.replace(/ \d+$/, ""));
      }
      const many = (at: (name: string) => string) => {
        for (let i = 0; i < MANY; i++) writeFileSync(at(`many${i}`), "");
      };

      test("at the queue's end, and with something behind it", async () => {
        const work = (at: (name: string) => string) => {
          writeFileSync(at("f"), "x");
          renameSync(at("f"), at("in/g"));
          linkSync(at("in/g"), at("f"));
        };
        expect(await names(work, "CREATE,DELETE,MOVED_TO,ATTRIB")).toEqual([
          "CREATE f 1",
          "MOVED_TO in/g 1",
          "CREATE f 1",
          "ATTRIB f 1",
        ]);
        const got = await links((at) => {
          work(at);
          writeFileSync(at("after"), "");
        });
        expect(got).toEqual(["CREATE f", "MOVED_TO in/g", "CREATE f", "CREATE after"]);
      });

      test("batches later", async () => {
        const got = await links((at) => {
          writeFileSync(at("f"), "x");
          many(at);
          renameSync(at("f"), at("in/g"));
          many(at);
          linkSync(at("in/g"), at("f"));
          many(at);
        });
        expect(got).toEqual(["CREATE f", "MOVED_TO in/g", "CREATE f"]);
      });

      test("behind the rename of another file, which overwrote nothing", async () => {
        const got = await links((at) => {
          writeFileSync(at("x"), "");
          writeFileSync(at("b"), "");
          renameSync(at("b"), at("c"));
          renameSync(at("x"), at("y"));
          linkSync(at("c"), at("b"));
        });
        expect(got).toEqual(["CREATE x", "CREATE b", "MOVED_TO c", "MOVED_TO y", "CREATE b"]);
      });

      test("and removed", async () => {
        const got = await links((at) => {
          writeFileSync(at("f"), "x");
          renameSync(at("f"), at("g"));
          linkSync(at("g"), at("f"));
          unlinkSync(at("f"));
          writeFileSync(at("f"), "newer");
        });
        expect(got).toEqual(["CREATE f", "MOVED_TO g", "CREATE f", "DELETE f", "CREATE f"]);
      });

      test("but not: a file that is held open while the next one overwrites it, or is linked to a new name", async () => {
        const held: number[] = [];
        const got = await links((at) => {
          for (let i = 0; i < 3; i++) {
            writeFileSync(at("new"), "x");
            held.push(openSync(at("new"), "r"));
            renameSync(at("new"), at("f"));
          }
          linkSync(at("f"), at("g"));
          renameSync(at("g"), at("h"));
          unlinkSync(at("h"));
        });
        for (const fd of held) closeSync(fd);
        const saves = Array.from({ length: 3 }, () => ["CREATE new", "MOVED_TO f"]).flat();
        expect(got).toEqual([...saves, "CREATE g", "MOVED_TO h", "DELETE h"]);
      });
    });
  });
}
