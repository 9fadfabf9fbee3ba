// `fsmon who` over a real daemon's log: what editors and tools do to a file, and the unprivileged owner who asks.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, run, runShell, TestFilesystem } from "../support/filesystem.ts";
import { PERSON_UID, PersonsDaemon } from "../support/person.ts";

/** "CMD what": the rest depends on the machine. */
function told(stdout: string): string[] {
  return stdout
    .split("\n")
    .slice(0, -1)
    .map((row) => row.replace(/^\S+ \S+ +(now|\S+ ago) +(\S+ \(\S+\)|\S+) +/, "").replace(/\[\d+\] +/, " "));
}

describe.skipIf(captureObstacle !== null)("fsmon who (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let tree = "";

  beforeAll(async () => {
    filesystem = TestFilesystem.mount("tmpfs");
    daemon = await new TestDaemon().start();
    tree = filesystem.path;
    await daemon.add(tree, "-r");
  });
  afterAll(async () => {
    await daemon.destroy();
    filesystem.unmount();
  });

  const who = async (...args: string[]) => {
    await daemon.settle(tree);
    const done = await daemon.fsmon("who", ...args);
    expect(done.code).toBe(0);
    return told(done.stdout);
  };
  const shell = (script: string) => runShell(script, tree);
  test.skipIf(Bun.which("vim") === null)(
    "vim's save by rename, with and without a backup (needs vim)",
    async () => {
      for (const [name, settings] of [
        ["backup.txt", "set backup backupcopy=no backupskip="],
        ["plain.txt", "set nobackup writebackup backupcopy=no backupskip="],
      ] as const) {
        const file = join(tree, name);
        writeFileSync(file, "one\n");
        await daemon.settle(tree);
        await command(["vim", "-Nes", "-u", "NONE", "-c", settings, "-c", "s/one/two/", "-c", "wq", file], {
          cwd: tree,
        });
        const rows = await who(file);
        expect(rows[0]).toMatch(/^vim .*renamed to \S+~, created, .*written.*, 4B$/);
        expect(rows.at(-1)).toMatch(/ created, written, 4B$/);
      }
    },
  );

  test("sed -i, mv over it, chmod, rm and a new one: one line each", async () => {
    for (const step of [
      "echo a > f",
      "sed -i s/a/b/ f",
      "echo c > f.new; mv f.new f",
      "chmod 600 f",
      "rm f",
      "echo again > f",
    ]) {
      shell(step);
      // Else the sizes would be those of the last file of the name, where all of it is read at once.
      await daemon.settle(tree);
    }
    expect((await who(join(tree, "f"))).map((row) => row.replace(/sed\w{6}/, "sedXXXXXX"))).toEqual([
      "bash created, written, 6B",
      "rm deleted",
      "chmod attributes changed",
      "mv replaced by rename from f.new, 2B",
      "bash created, written, 2B, as f.new",
      "sed created, written, replaced by rename from sedXXXXXX, 2B",
      "bash created, written, 2B",
    ]);
  });

  test("a directory renamed above it, and a file that is gone with its tree", async () => {
    mkdirSync(join(tree, "d/e"), { recursive: true });
    shell("echo x > d/e/g");
    shell("mv d moved; mv moved/e/g h");
    expect(await who(join(tree, "h"))).toEqual([
      "mv renamed from moved/e/g, 2B",
      `mv its directory renamed from d/e/g, as moved/e/g`,
      "bash created, written, 2B, as d/e/g",
    ]);
    shell("mv h moved/e/g; rm -r moved");
    expect((await who(join(tree, "moved/e/g")))[0]).toBe("rm deleted");
  });

  test("answers without a daemon, and says that none runs", async () => {
    shell("echo last > late");
    await daemon.settle(tree);
    await daemon.stop();
    const done = await daemon.fsmon("who", join(tree, "late"));
    expect(done.code).toBe(0);
    expect(done.stdout).toMatch(/^! Nothing has been recorded since .*no daemon is running\n/);
    expect(done.stdout).toContain("created, written, 5B");
    await daemon.start();
    const after = await daemon.fsmon("who", join(tree, "late"));
    // Not always first: times of files tick, and the rescan may find again what was written right before.
    expect(after.stdout).toMatch(/^! events may be missing from .*: the daemon was stopped$/m);
  });
});

test.skipIf(captureObstacle !== null)(
  "who works for the unprivileged owner of the logs (needs root)",
  async () => {
    const filesystem = TestFilesystem.mount("tmpfs");
    const daemon = new PersonsDaemon();
    try {
      await daemon.start();
      await daemon.add(filesystem.path, "-r");
      writeFileSync(join(filesystem.path, "f"), "x");
      await daemon.settle(filesystem.path);
      const done = await daemon.fsmon("who", join(filesystem.path, "f"));
      expect(done.code).toBe(0);
      expect(done.stdout).toContain("created, written, 1B");
      run(["chown", String(PERSON_UID), filesystem.path]);
      rmSync(join(filesystem.path, "f"));
      await daemon.settle(filesystem.path);
      expect((await daemon.fsmon("who", join(filesystem.path, "f"), "-n", "1")).stdout).toContain("deleted");
    } finally {
      await daemon.destroy();
      filesystem.unmount();
    }
  },
);
