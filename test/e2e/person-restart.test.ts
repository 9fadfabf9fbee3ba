import { describe, expect, test } from "bun:test";
import { captureObstacle } from "../support/filesystem.ts";
import { PersonsDaemon } from "../support/person.ts";

describe.skipIf(captureObstacle !== null)(
  `a person's daemon (needs root and mounts: ${captureObstacle})`,
  () => {
    test("takes over the socket of one that was killed", async () => {
      const daemon = new PersonsDaemon();
      try {
        await daemon.start();
        await daemon.stop("SIGKILL");
        await daemon.start();
        expect(daemon.stderr).not.toContain("can't be controlled");
        expect(await daemon.fsmon("managed")).toMatchObject({
          code: 0,
          stderr: expect.stringContaining("No path"),
        });
      } finally {
        await daemon.destroy();
      }
    });
  },
);
