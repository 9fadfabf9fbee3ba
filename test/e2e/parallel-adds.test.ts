// Many commands at once beside a running daemon: what is in the store, what is watched and what was answered are the same.
import { expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { askDaemon } from "../../src/control/client.ts";
import { loadStore, updateStore } from "../../src/managed/store.ts";
import { TestDaemon } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { managedPath } from "../support/managed-path.ts";

const ROOT = { uid: 0, gid: 0, groups: [0] };

test.skipIf(captureObstacle !== null)(
  "100 adds at once, others changing the store beside the daemon, lose nothing (needs root and mounts)",
  async () => {
    const filesystem = TestFilesystem.mount("tmpfs");
    const daemon = new TestDaemon();
    try {
      await daemon.start();
      const storeFile = join(daemon.home, ".local/share/fsmon/managed.jsonl");
      const entry = (name: string) => managedPath(join(filesystem.path, name), { recursive: true });
      const asked = Array.from({ length: 100 }, (_, i) => entry(`asked-${i}`));
      const beside = Array.from({ length: 20 }, (_, i) => entry(`beside-${i}`));
      for (const { path } of [...asked, ...beside]) mkdirSync(path);
      const answers = await Promise.all([
        ...asked.map((one) => askDaemon(daemon.socketPath, { command: "add", entry: one })),
        ...beside.map(async (one) => {
          await Bun.sleep(1);
          updateStore(storeFile, ROOT, (paths) => [...paths, one]);
        }),
      ]);
      expect(answers.filter((one) => one?.running === true && one.reply.state === "watched").length).toBe(
        100,
      );
      const stored = loadStore(storeFile, ROOT).paths.map((one) => one.path);
      expect(stored.toSorted()).toEqual([...asked, ...beside].map((one) => one.path).toSorted());
      const status = await askDaemon(daemon.socketPath, { command: "status" });
      expect(status.running && status.reply.paths.map((one) => one.path).toSorted()).toEqual(
        asked.map((one) => one.path).toSorted(),
      );
    } finally {
      await daemon.destroy();
      filesystem.unmount();
    }
  },
);
