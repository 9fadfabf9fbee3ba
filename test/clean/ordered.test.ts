import { describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ordersDataBeforeRename } from "../../src/clean/ordered.ts";
import { captureObstacle, run, TestFilesystem } from "../support/filesystem.ts";

describe.skipIf(captureObstacle !== null)("ordersDataBeforeRename() (needs root and mounts)", () => {
  for (const [kind, ordered] of [
    ["ext4", true],
    ["xfs", false],
  ] as const)
    test(`says ${ordered ? "yes" : "no"} for ${kind}, and for an overlay whose upper layer is on it`, () => {
      const under = TestFilesystem.mount(kind);
      const [lower, upper, work, merged] = ["lo wer", "up per", "work", "merged"].map((name) =>
        join(under.path, name),
      ) as [string, string, string, string];
      try {
        for (const dir of [lower, upper, work, merged]) mkdirSync(dir);
        run([
          "mount",
          "-t",
          "overlay",
          "-o",
          `lowerdir=${lower},upperdir=${upper},workdir=${work}`,
          "o",
          merged,
        ]);
        mkdirSync(join(merged, "logs"));
        expect(ordersDataBeforeRename(under.path)).toBe(ordered);
        expect(ordersDataBeforeRename(join(merged, "logs"))).toBe(ordered);
        run(["umount", merged]);
      } finally {
        under.unmount();
      }
    });
});
