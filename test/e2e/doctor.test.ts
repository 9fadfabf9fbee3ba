import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Finding } from "../../src/doctor/finding.ts";
import { type Finished, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, run, TestFilesystem } from "../support/filesystem.ts";
import { PERSON_UID, PersonsDaemon } from "../support/person.ts";

function findings({ stdout }: Finished): Finding[] {
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Finding);
}

function about(list: readonly Finding[], subject: string): string[] {
  return list.filter((one) => one.subject === subject).map(({ level, text }) => `${level}: ${text}`);
}

describe.skipIf(captureObstacle !== null)(`fsmon doctor (needs root and mounts: ${captureObstacle})`, () => {
  let fs: TestFilesystem;
  let daemon: TestDaemon;

  beforeEach(() => {
    fs = TestFilesystem.mount("tmpfs");
    daemon = new TestDaemon();
  });
  afterEach(async () => {
    await daemon.destroy();
    fs.unmount();
  });

  test("as root tries marks, types and the round trip through the daemon, and leaves nothing behind", async () => {
    await daemon.start();
    await daemon.add(fs.path, "-r");
    const done = await daemon.fsmon("doctor", fs.path, "--json");
    expect(done).toMatchObject({ code: 0, stderr: "" });
    const list = findings(done);
    expect(list.filter(({ level }) => level === "broken" || level === "unseen")).toEqual([]);
    expect(about(list, "filesystem")[0]).toStartWith(`fine: tmpfs at "${fs.path}": one mark for everything`);
    const [types, trip] = about(list, "canary");
    expect(types).toStartWith("fine: All 12 types that can be tried arrive");
    expect(trip).toMatch(/^fine: A canary's line was in the log of ".*" within [\d.]+ms to [\d.]+m?s$/);
    expect(readdirSync(fs.path)).toEqual([]);
    const text = await daemon.fsmon("doctor");
    expect(text).toMatchObject({ code: 0, stderr: "" });
    expect(text.stdout).toContain("daemon      ok    fsmon ");
  });

  test("tells a path that isn't managed, and filters that leave the canary out", async () => {
    await daemon.start();
    const unmanaged = about(findings(await daemon.fsmon("doctor", fs.path, "--json")), "canary");
    expect(unmanaged.at(-1)).toEndWith("isn't managed: nothing in it is being recorded");
    await daemon.add(fs.path, "-r", "--only-cmd", "nobody");
    const filtered = about(findings(await daemon.fsmon("doctor", fs.path, "--json")), "canary");
    expect(filtered.at(-1)).toMatch(/^unseen: No line .* the filters of ".*" leave it out$/);
  });

  test("says what a default overlay can't deliver, by trying it", async () => {
    for (const name of ["lower", "upper", "work", "merged"]) mkdirSync(join(fs.path, name));
    const at = (name: string) => join(fs.path, name);
    const options = `lowerdir=${at("lower")},upperdir=${at("upper")},workdir=${at("work")}`;
    run(["mount", "-t", "overlay", "-o", options, "overlay", at("merged")]);
    try {
      const list = findings(await daemon.fsmon("doctor", at("merged"), "--json"));
      expect(about(list, "filesystem")[0]).toMatch(/^limit: overlay at .* is watched directory by directory/);
      const missing = about(list, "canary")[0];
      expect(missing).toStartWith("limit: These types don't arrive here: ");
      expect(missing).toContain("DELETE_SELF");
    } finally {
      run(["umount", at("merged")]);
    }
  });

  test("judges a btrfs subvolume by what the daemon does with it, not by single marks", async () => {
    const btrfs = TestFilesystem.mount("btrfs");
    const mounted = join(fs.path, "sub");
    try {
      run(["btrfs", "subvolume", "create", join(btrfs.path, "s")]);
      mkdirSync(mounted);
      const device = run(["findmnt", "-no", "SOURCE", btrfs.path]).trim();
      run(["mount", "-o", "subvol=s", device, mounted]);
      await daemon.start();
      await daemon.add(mounted, "-r");
      const done = await daemon.fsmon("doctor", mounted, "--json");
      expect(done.code).toBe(0);
      const list = findings(done);
      expect(about(list, "filesystem")[0]).toMatch(/^fine: btrfs at .* is a subvolume/);
      expect(about(list, "canary")).toHaveLength(1);
      expect(about(list, "canary")[0]).toStartWith("fine: A canary's line");
    } finally {
      await daemon.stop();
      spawnSync("umount", [mounted]);
      btrfs.unmount();
    }
  });

  test("a filesystem that can't be watched is exit code 1, a path that doesn't exist too", async () => {
    const proc = await daemon.fsmon("doctor", "/proc/self", "--json");
    expect(proc.code).toBe(1);
    expect(about(findings(proc), "filesystem")[0]).toStartWith("broken: proc at ");
    expect(await daemon.fsmon("doctor", join(fs.path, "nowhere"))).toMatchObject({ code: 1, stdout: "" });
  });
});

describe.skipIf(captureObstacle !== null)(
  `fsmon doctor for a person (needs root and mounts: ${captureObstacle})`,
  () => {
    let fs: TestFilesystem;
    let daemon: PersonsDaemon;

    beforeEach(() => {
      fs = TestFilesystem.mount("tmpfs");
      daemon = new PersonsDaemon();
    });
    afterEach(async () => {
      await daemon.destroy();
      fs.unmount();
    });

    test("without root says what it can't see, and measures the round trip all the same", async () => {
      chownSync(fs.path, PERSON_UID, PERSON_UID);
      await daemon.start();
      await daemon.add(fs.path, "-r");
      const done = await daemon.fsmon("doctor", fs.path, "--json");
      expect(done).toMatchObject({ code: 0, stderr: "" });
      const list = findings(done);
      expect(about(list, "rights")[0]).toStartWith("unseen: Not root");
      expect(about(list, "kernel")[0]).toStartWith("fine: Linux ");
      expect(about(list, "canary").at(-1)).toStartWith("fine: A canary's line was in the log");
    });

    test("makes no canary as root where the person may not, save in root's own directories", async () => {
      const [shared, own] = [join(fs.path, "shared"), join(fs.path, "own")];
      mkdirSync(shared);
      chmodSync(shared, 0o775);
      chownSync(shared, 1, 1);
      mkdirSync(own);
      chmodSync(own, 0o755);
      const asRoot = (path: string) => daemon.sudo("doctor", path, "--json");
      expect(about(findings(await asRoot(shared)), "canary")[0]).toMatch(
        /^unseen: No canary .*person may not/,
      );
      expect(about(findings(await asRoot(own)), "canary")[0]).toStartWith("fine: All 12 types");
      expect(readdirSync(own)).toEqual([]);
    });
  },
);
