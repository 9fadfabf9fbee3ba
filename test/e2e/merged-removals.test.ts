// Files whose removal the kernel merges into an older event: written, and removed with other names left, while open, or a batch later. The
// line stands where the removal happened, under the path that the directory had then, and the file's one DELETE_SELF behind its last name's.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, linkSync, mkdirSync, openSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TestDaemon } from "../support/daemon.ts";
import { captureObstacle, type FilesystemKind, TestFilesystem } from "../support/filesystem.ts";
import { Hands } from "../support/hands.ts";
import { Workload } from "../support/workload.ts";

const KINDS: FilesystemKind[] = ["tmpfs", "ext4", "btrfs"];
/** ATTRIB tells where the number of links changed; that it comes is all that is wanted of it here. */
const TYPES = "attrib,create,delete,delete_self,moved_to,close_write";
/** More than a batch holds, of an excluded name. */
const MANY = 900;

for (const kind of KINDS) {
  describe.skipIf(captureObstacle !== null)(
    `removals that were merged, on ${kind} (needs root and mounts)`,
    () => {
      let filesystem: TestFilesystem;
      let daemon: TestDaemon;
      let workload: Workload;
      let cases = 0;
      beforeAll(async () => {
        workload = new Workload("hands");
        filesystem = TestFilesystem.mount(kind);
        daemon = await new TestDaemon().start();
      });
      afterAll(async () => {
        await daemon?.destroy();
        filesystem?.unmount();
        workload?.remove();
      });

      type At = (name: string) => string;
      const write = (path: string) => writeFileSync(path, "x");
      /** What is told of two linked files, a and b, and what is done to them while the daemon is stopped. */
      async function told(work: (at: At) => void, prepare = linked): Promise<string[]> {
        const directory = join(filesystem.path, `case${cases++}`);
        const at: At = (name) => join(directory, name);
        mkdirSync(at("d"), { recursive: true });
        prepare(at);
        await daemon.add(directory, "-r", "-t", TYPES, "-e", "many*");
        await daemon.whileStopped(() => work(at));
        await daemon.settle(directory);
        await daemon.fsmon("remove", directory);
        return daemon
          .events(directory)
          .filter((line) => line.event_type !== "ATTRIB")
          .map((line) => `${line.event_type} ${line.path.slice(directory.length + 1)}`);
      }
      const linked = (at: At) => {
        write(at("a"));
        linkSync(at("a"), at("b"));
      };
      const nothing = () => {};
      const many = (at: At) => {
        for (let i = 0; i < MANY; i++) write(at(`many${i}`));
        for (let i = 0; i < MANY; i++) unlinkSync(at(`many${i}`));
      };

      for (const [apart, between] of [
        ["within a batch", nothing],
        ["batches later", many],
      ] as const) {
        test(`a name that was written, while the other stays, ${apart}`, async () => {
          const got = await told((at) => {
            write(at("a"));
            mkdirSync(at("before"));
            between(at);
            unlinkSync(at("a"));
            mkdirSync(at("after"));
            between(at);
            write(at("b"));
          });
          const expected = ["CLOSE_WRITE a", "CREATE before", "DELETE a", "CREATE after", "CLOSE_WRITE b"];
          expect(got).toEqual(expected);
        });

        test(`below a directory that was renamed, under its path then, ${apart}`, async () => {
          const got = await told(
            (at) => {
              write(at("d/c"));
              between(at);
              renameSync(at("d"), at("e"));
              unlinkSync(at("e/c"));
              mkdirSync(at("after"));
            },
            (at) => {
              write(at("a"));
              linkSync(at("a"), at("d/c"));
            },
          );
          expect(got).toEqual(["CLOSE_WRITE d/c", "MOVED_TO e", "DELETE e/c", "CREATE after"]);
        });

        test(`both names written and removed: one death, behind the last, ${apart}`, async () => {
          const got = await told((at) => {
            write(at("a"));
            write(at("b"));
            mkdirSync(at("before"));
            between(at);
            unlinkSync(at("a"));
            unlinkSync(at("b"));
            mkdirSync(at("after"));
          });
          const written = ["CLOSE_WRITE a", "CLOSE_WRITE b", "CREATE before"];
          expect(got).toEqual([...written, "DELETE a", "DELETE b", "DELETE_SELF b", "CREATE after"]);
        });

        test(`a name that is made again, ${apart}: removed before`, async () => {
          const got = await told((at) => {
            write(at("a"));
            between(at);
            unlinkSync(at("a"));
            write(at("a"));
          });
          expect(got).toEqual(["CLOSE_WRITE a", "DELETE a", "CREATE a", "CLOSE_WRITE a"]);
        });
      }

      test("a name that it left by an exchange and came back to: removed behind", async () => {
        let ended = Promise.resolve();
        const got = await told(
          (at) => {
            write(at("f"));
            const hands = new Hands(workload.program, at(""));
            hands.do(["x g f", "m g f"]);
            ended = hands.end();
            unlinkSync(at("f"));
          },
          (at) => {
            write(at("f"));
            write(at("g"));
          },
        );
        await ended;
        const moved = ["MOVED_TO f", "MOVED_TO g", "MOVED_TO f"];
        expect(got).toEqual(["CLOSE_WRITE f", ...moved, "DELETE_SELF f", "DELETE f", "DELETE_SELF f"]);
      });

      test("both names of a file that is held open: one death, behind the last", async () => {
        const got = await told((at) => {
          const held = openSync(at("a"), "r");
          unlinkSync(at("a"));
          mkdirSync(at("between"));
          unlinkSync(at("b"));
          closeSync(held);
        });
        expect(got).toEqual(["DELETE a", "CREATE between", "DELETE b", "DELETE_SELF b"]);
      });

      test("both names of a file that is made, linked, held open and gone: one death, at the end", async () => {
        const got = await told((at) => {
          write(at("a"));
          linkSync(at("a"), at("b"));
          const held = openSync(at("a"), "r");
          unlinkSync(at("a"));
          unlinkSync(at("b"));
          closeSync(held);
        }, nothing);
        expect(got.slice(0, 3)).toEqual(["CREATE a", "CLOSE_WRITE a", "CREATE b"]);
        expect(got.slice(3, -1).sort()).toEqual(["DELETE a", "DELETE b"]);
        expect(got.at(-1)).toBe(got.at(-2)!.replace("DELETE", "DELETE_SELF"));
      });
    },
  );
}
