// The log, replayed, gives the tree that is on the disk: after real programs, and after random work of several processes at once. A seed is printed with
// each failure; FSMON_SEED=<number> repeats it.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type LogLine, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, type FilesystemKind, TestFilesystem } from "../support/filesystem.ts";
import { TreeModel } from "../support/replay.ts";
import { Workload } from "../support/workload.ts";

const SEED = Number(process.env.FSMON_SEED ?? 1);

/** A program that must be there, and what is done with it, as a shell script in the managed directory; $SOURCE is a tree outside of it. */
interface Program {
  name: string;
  needs: string;
  script: string;
}

const PROGRAMS: Program[] = [
  {
    name: "cp -a",
    needs: "cp",
    script: 'cp -a "$SOURCE" copy && mkdir copy/again && cp -a copy/dir1 copy/again',
  },
  {
    name: "tar",
    needs: "tar",
    script:
      'tar -C "$SOURCE" -cf x.tar . && mkdir out && tar -C out -xf x.tar && tar -C out -xf x.tar && rm x.tar',
  },
  {
    name: "git init, commit, checkout, gc",
    needs: "git",
    script: `git init -q -b main repo && cd repo && git config user.email a@b && git config user.name c
      cp -r "$SOURCE"/. . && git add -A && git commit -qm one && git checkout -qb side
      rm -r dir1 && git mv dir2 moved && echo x > new && git add -A && git commit -qm two
      git checkout -q main && git checkout -q side && git checkout -q main
      git merge -q side && git stash list && git gc -q --aggressive --prune=now && git clone -q . ../clone`,
  },
  {
    name: "sqlite3",
    needs: "sqlite3",
    script: `for mode in delete truncate persist wal; do
        sqlite3 $mode.db "pragma journal_mode=$mode; create table t(a); begin; insert into t values(1); commit;
          with recursive c(x) as (select 1 union all select x+1 from c where x<2000) insert into t select x from c; vacuum;" > /dev/null
        for i in 1 2 3 4 5; do sqlite3 $mode.db "insert into t values($i)"; done
      done`,
  },
  {
    name: "rsync",
    needs: "rsync",
    script: `rsync -a "$SOURCE"/ mirror/ && echo more > mirror/dir1/extra && rsync -a --delete "$SOURCE"/ mirror/
      rsync -a --backup --suffix=.old --checksum --ignore-times "$SOURCE"/ mirror/ && rsync -a --delay-updates --ignore-times "$SOURCE"/ mirror/`,
  },
  {
    name: "dpkg-deb -x",
    needs: "dpkg-deb",
    script: `mkdir -p package/DEBIAN && cp -r "$SOURCE" package/usr
      printf 'Package: x\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n' > package/DEBIAN/control
      dpkg-deb -b package x.deb > /dev/null && dpkg-deb -x x.deb root && dpkg-deb -e x.deb root/control`,
  },
  {
    name: "dpkg: install, upgrade, remove",
    needs: "dpkg",
    script: `mkdir -p package/DEBIAN root/var/lib/dpkg/updates root/var/lib/dpkg/info && : > root/var/lib/dpkg/status && cp -r "$SOURCE" package/usr
      for version in 1 2; do
        printf "Package: x\\nVersion: $version\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n" > package/DEBIAN/control
        dpkg-deb -b package x.deb > /dev/null && dpkg --root="$PWD/root" --log=/dev/null -i x.deb > /dev/null
        find package/usr -name file2 -delete && find package/usr -name file3 -exec sed -i s/line/other/ {} +
      done; dpkg --root="$PWD/root" --log=/dev/null -r x > /dev/null`,
  },
  {
    name: "npm install, update, uninstall",
    needs: "npm",
    script: `mkdir app && echo '{"name":"app","version":"1.0.0"}' > app/package.json
      npm() { command npm "$@" --offline --no-audit --no-fund --no-update-notifier --cache "$PWD/../cache" > /dev/null; }
      for version in 1 2; do
        for p in one two three; do
          mkdir -p $p/package && cp -r "$SOURCE"/. $p/package
          printf '{"name":"%s","version":"%s.0.0"}' $p $version > $p/package/package.json
          tar -C $p -czf $p.tgz package
        done
        (cd app && npm install ../one.tgz ../two.tgz ../three.tgz)
      done; cd app && npm uninstall two`,
  },
  {
    name: "sed -i",
    needs: "sed",
    script:
      'cp -r "$SOURCE" t && find t -type f -exec sed -i s/line/word/ {} + && for i in 1 2 3; do sed -i.bak s/word/line/ t/dir1/file1; done',
  },
  {
    name: "vim and ex",
    needs: "vim",
    script: `cp -r "$SOURCE" t && for way in yes no auto; do for i in 1 2 3; do
        vim -u NONE -N -es -c "set backupcopy=$way backup writebackup" -c "normal oinserted" -c wq t/dir1/file$i < /dev/null
      done; done; printf 'a\\nline\\n.\\nw\\nq\\n' | ex -s t/dir2/file1`,
  },
  {
    name: "find -exec mv",
    needs: "find",
    script: `cp -r "$SOURCE" t && find t -type f -exec mv {} {}.moved \\; && mkdir flat
      find t -type f -path '*dir1*' -exec mv --backup=numbered -t flat {} + && find t -depth -type d -name 'dir[23]' -exec mv {} {}-moved \\;`,
  },
  {
    name: "installing packages as npm does: into a hidden directory beside, then renamed into place",
    needs: "sh",
    script: `mkdir node_modules && for i in 1 2 3 4 5 6; do
        for p in 1 2 3 4 5 6 7 8; do (
          mkdir -p node_modules/.p$p-$i/node_modules && cp -r "$SOURCE"/. node_modules/.p$p-$i
          if [ -e node_modules/p$p ]; then mv node_modules/p$p node_modules/.old-$p; fi
          mv node_modules/.p$p-$i node_modules/p$p && rm -rf node_modules/.old-$p ) & done; wait
      done`,
  },
  {
    name: "python: compile, zip, temporary directories, shutil",
    needs: "python3",
    script: `cat > work.py <<'PY'
import os, shutil, tempfile, zipfile, compileall
for i in range(30):
    with tempfile.TemporaryDirectory(dir=".") as name:
        shutil.copytree(os.environ["SOURCE"], name + "/t")
        shutil.make_archive("archive", "zip", name)
        os.replace("archive.zip", f"archive-{i % 3}.zip")
        if i % 2: shutil.move(name + "/t", f"kept-{i}")
with zipfile.ZipFile("archive-0.zip") as z: z.extractall("unzipped")
compileall.compile_dir("kept-1", quiet=1)
PY
      python3 work.py`,
  },
  {
    name: "sort, split, xargs, patch, install, truncate, ln",
    needs: "patch",
    script: `cp -r "$SOURCE" t && seq 50000 | sort -rS 64k -T . | split -l 500 - part. && ls part.* | xargs -P 4 -n 3 rm
      cp t/dir1/file1 a && sed s/line/other/ a > b; diff -u a b > p || true; patch -s -b a p && install -D a deep/er/a
      for i in $(seq 100); do ln -f a link && ln -sfn deep sym && truncate -s $i a && rm link; done; mkfifo fifo && rm fifo`,
  },
];

/** A filesystem with a managed directory, one beside it that isn't, and a daemon. */
class Place {
  private filesystem: TestFilesystem | null = null;
  private daemon: TestDaemon | null = null;
  outside = "";
  lines: LogLine[] = [];

  constructor(private readonly kind: FilesystemKind) {}

  async set(): Promise<void> {
    this.filesystem = TestFilesystem.mount(this.kind);
    this.outside = join(this.filesystem.path, "outside");
    for (let i = 1; i <= 3; i++) {
      const directory = join(this.outside, `source/dir${i}/deep/deeper`);
      mkdirSync(directory, { recursive: true });
      for (let k = 1; k <= 6; k++) {
        writeFileSync(join(directory, `file${k}`), `line ${k}\n`.repeat(k * 50));
        writeFileSync(join(this.outside, `source/dir${i}/file${k}`), `line ${k}\n`);
      }
    }
    this.daemon = await new TestDaemon().start();
  }

  async clear(): Promise<void> {
    await this.daemon?.destroy();
    this.filesystem?.unmount();
  }

  /** Has work done in a fresh managed directory: the log must give the tree that it leaves, and every directory of it must be known by its path. */
  async replayed(
    what: string,
    work: (root: string, daemon: TestDaemon) => void | Promise<void>,
  ): Promise<void> {
    const daemon = this.daemon!;
    const root = join(this.filesystem!.path, "managed");
    mkdirSync(root);
    try {
      await daemon.add(root, "-r");
      const before = TreeModel.of(this.filesystem!.path);
      await work(root, daemon);
      await daemon.settle(root);
      this.lines = daemon.events(root);
      expect(this.lines.length).toBeGreaterThan(0);
      expect(daemon.gaps(root)).toEqual([]);
      before.replay(this.lines).check(what);
      await this.probed(what, root, daemon);
    } finally {
      await daemon.fsmon("remove", root);
      rmSync(root, { recursive: true });
      // The next one's log begins anew.
      rmSync(daemon.logDir, { recursive: true });
    }
  }

  private async probed(what: string, root: string, daemon: TestDaemon): Promise<void> {
    const probes = directoriesBelow(root).flatMap((one) => [join(one, "probe"), join(one, "probe/deeper")]);
    for (const probe of probes) {
      if (probe.endsWith("/probe")) mkdirSync(probe);
      else writeFileSync(probe, "");
    }
    await daemon.settle(root);
    const seen = daemon.events(root).slice(this.lines.length);
    const made = seen.filter((line) => line.event_type === "CREATE").map((line) => line.path);
    expect({ what, probes: made.sort() }).toEqual({ what, probes: probes.sort() });
  }
}

function directoriesBelow(directory: string): string[] {
  const entries = readdirSync(directory, { withFileTypes: true });
  const deeper = entries.filter((one) => one.isDirectory());
  return [directory, ...deeper.flatMap((one) => directoriesBelow(join(directory, one.name)))];
}

function isMissing(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0;
}

for (const kind of ["tmpfs", "ext4"] as const) {
  describe.skipIf(captureObstacle !== null)(
    `replaying real programs on ${kind} (needs root and mounts)`,
    () => {
      const place = new Place(kind);
      beforeAll(() => place.set());
      afterAll(() => place.clear());

      for (const { name, needs, script } of PROGRAMS) {
        test.skipIf(isMissing(needs))(`${name} (needs ${needs})`, async () => {
          await place.replayed(name, (root) => {
            const source = join(place.outside, "source");
            const done = spawnSync("sh", ["-ec", script], {
              cwd: root,
              env: { PATH: process.env.PATH, HOME: "/nonexistent", SOURCE: source },
              encoding: "utf8",
            });
            if (done.status !== 0) throw new Error(`${name}: ${done.stderr}${done.stdout}`);
          });
          expect(place.lines.filter((line) => line.merged === true && isRename(line))).toEqual([]);
        });
      }
    },
  );
}

describe.skipIf(captureObstacle !== null)(
  "replaying what was done while the daemon was behind (needs root and mounts)",
  () => {
    const place = new Place("tmpfs");
    let storm: Workload;
    beforeAll(async () => {
      storm = new Workload("storm");
      await place.set();
    });
    afterAll(async () => {
      await place.clear();
      storm?.remove();
    });

    async function behind(what: string, work: (root: string) => void): Promise<void> {
      await place.replayed(what, (root, daemon) => daemon.whileStopped(() => work(root)));
    }

    const told = (name: string) =>
      place.lines.filter((line) => line.path.endsWith(`/${name}`)).map((line) => line.event_type);

    test("a file written under one name, linked to another and unlinked under the first: made first, removed last", async () => {
      await behind("link", (root) => {
        writeFileSync(join(root, "temporary"), "content");
        linkSync(join(root, "temporary"), join(root, "final"));
        unlinkSync(join(root, "temporary"));
      });
      expect(told("temporary")).toEqual(["CREATE", "CLOSE_WRITE", "DELETE"]);
      expect(told("final")[0]).toBe("CREATE");
    });

    test("a name unlinked and linked again within one event, and there now: removed first", async () => {
      const one = join(place.outside, "one");
      writeFileSync(one, "");
      await behind("link again", (root) => {
        linkSync(one, join(root, "again"));
        unlinkSync(join(root, "again"));
        linkSync(one, join(root, "again"));
      });
      const types = told("again").filter((type) => type !== "ATTRIB");
      expect(types).toEqual(["DELETE", "CREATE"]);
      unlinkSync(one);
    });

    test("a directory made below one that is renamed, and removed there: each by its path at that time", async () => {
      await behind("renamed above", (root) => {
        mkdirSync(join(root, "a/b"), { recursive: true });
        writeFileSync(join(root, "a/b/file"), "");
        renameSync(join(root, "a"), join(root, "c"));
        unlinkSync(join(root, "c/b/file"));
        writeFileSync(join(root, "c/b/other"), "");
        unlinkSync(join(root, "c/b/other"));
        rmdirSync(join(root, "c/b"));
      });
      expect(told("a/b")).toEqual(["CREATE"]);
      expect(told("c/b")).toEqual(["DELETE", "DELETE_SELF"]);
    });

    test("a directory made, filled, emptied and removed in one that has just been moved in", async () => {
      mkdirSync(join(place.outside, "moved"));
      await behind("moved in", (root) => {
        mkdirSync(join(root, "before"));
        rmdirSync(join(root, "before"));
        renameSync(join(place.outside, "moved"), join(root, "moved"));
        mkdirSync(join(root, "moved/brief"));
        writeFileSync(join(root, "moved/brief/file"), "");
        unlinkSync(join(root, "moved/brief/file"));
        rmdirSync(join(root, "moved/brief"));
      });
      expect(told("moved/brief")).toEqual(["CREATE", "DELETE", "DELETE_SELF"]);
    });

    test("directories made and removed, with thousands of events behind them and new directories among those", async () => {
      await behind("many batches", (root) => {
        mkdirSync(join(root, "p/q"), { recursive: true });
        rmdirSync(join(root, "p/q"));
        rmdirSync(join(root, "p"));
        for (let i = 0; i < 20_000; i++) writeFileSync(join(root, `f${i}`), "");
        for (let i = 0; i < 10; i++) mkdirSync(join(root, `new${i}`));
        for (let i = 0; i < 9_000; i++) writeFileSync(join(root, `g${i}`), "");
      });
      expect(told("p")).toEqual(["CREATE", "DELETE", "DELETE_SELF"]);
      expect(told("q")).toEqual(["CREATE", "DELETE", "DELETE_SELF"]);
    });

    test("20,000 files exchanged in pairs, and gone before the daemon comes by", async () => {
      await behind("exchanges", (root) => {
        storm.run("swaps", root, 3, 3500);
        const done = spawnSync("find", [root, "-type", "f", "-delete"]);
        if (done.status !== 0) throw new Error(String(done.stderr));
      });
      const moved = place.lines.filter((line) => line.event_type.startsWith("MOVED_"));
      expect(moved.length).toBe(3 * 3500 * 4);
      expect(moved.filter((line) => line.exchange !== true)).toEqual([]);
    });

    test("a directory moved in, removed, and a new one made, which may get the number that it had in the tree", async () => {
      mkdirSync(join(place.outside, "d/e"), { recursive: true });
      await behind("moved in and removed", (root) => {
        renameSync(join(place.outside, "d"), join(root, "d"));
        rmSync(join(root, "d"), { recursive: true });
        mkdirSync(join(root, "n"));
        writeFileSync(join(root, "n/file"), "");
      });
      expect(told("d/e")).toContain("DELETE");
      expect(told("n/file")).toContain("CREATE");
    });

    test("a file written, and removed after the directory that it is in was renamed: removed under its path then", async () => {
      mkdirSync(join(place.outside, "old/deep"), { recursive: true });
      writeFileSync(join(place.outside, "old/deep/f"), "1");
      await behind("written and removed", (root) => {
        renameSync(join(place.outside, "old"), join(root, "old"));
        writeFileSync(join(root, "old/deep/f"), "2");
        mkdirSync(join(root, "new"));
        renameSync(join(root, "old/deep"), join(root, "new/er"));
        rmSync(join(root, "new"), { recursive: true });
      });
      const removed = place.lines.filter((line) => line.event_type === "DELETE").map((line) => line.path);
      expect(removed.map((path) => path.slice(path.indexOf("/new")))).toEqual([
        "/new/er/f",
        "/new/er",
        "/new",
      ]);
    });

    test("what was written before its directory was renamed, or before it was renamed twice, has its size", async () => {
      await behind("sizes", (root) => {
        mkdirSync(join(root, "first"));
        for (let i = 0; i < 5; i++) writeFileSync(join(root, `first/f${i}`), "12345");
        renameSync(join(root, "first"), join(root, "final"));
        writeFileSync(join(root, "a"), "1234567");
        renameSync(join(root, "a"), join(root, "b"));
        renameSync(join(root, "b"), join(root, "c"));
      });
      const written = place.lines.filter((line) => line.event_type === "CLOSE_WRITE");
      expect(written.map((line) => line.file_size)).toEqual([5, 5, 5, 5, 5, 7]);
    });
  },
);

/** How often each kind of random work is done. FSMON_ROUNDS=<number> does it that many times as often, for a night. */
const RANDOM: { kind: FilesystemKind; names: "fresh" | "few"; rounds: number }[] = [
  { kind: "tmpfs", names: "fresh", rounds: 3 },
  { kind: "ext4", names: "fresh", rounds: 3 },
  { kind: "xfs", names: "fresh", rounds: 3 },
  { kind: "btrfs", names: "fresh", rounds: 3 },
  { kind: "tmpfs", names: "few", rounds: 2 },
];
const TIMES = Number(process.env.FSMON_ROUNDS ?? 1);

for (const { kind, names, rounds } of RANDOM) {
  const needs = kind === "tmpfs" ? "" : `, mkfs.${kind}`;
  const absent = captureObstacle !== null || (needs !== "" && isMissing(`mkfs.${kind}`));
  describe.skipIf(absent)(
    `replaying random work, ${names} names, on ${kind} (needs root and mounts${needs}; FSMON_SEED=${SEED})`,
    () => {
      const place = new Place(kind);
      let chaos: Workload;
      beforeAll(async () => {
        chaos = new Workload("chaos");
        await place.set();
      });
      afterAll(async () => {
        await place.clear();
        chaos?.remove();
      });

      for (let round = 0; round < rounds * TIMES; round++) {
        const seed = SEED + round;
        const asleep = round % 3 === 2;
        const processes = round % 4 === 1 ? 1 : 4;
        const how = `${processes === 1 ? "1 process" : `${processes} processes at once`}${asleep ? ", the daemon stopped meanwhile" : ""}`;
        test(`round ${round}: ${how}`, async () => {
          const stock = join(place.outside, "stock");
          mkdirSync(stock);
          const work = (root: string, count: number) => chaos.run(names, seed, root, stock, processes, count);
          work(place.outside, 0);
          try {
            await place.replayed(`FSMON_SEED=${SEED}, round ${round} (seed ${seed})`, (root, daemon) => {
              const done = () => void work(root, (names === "few" ? 400 : 3000) / processes);
              return asleep ? daemon.whileStopped(done) : done();
            });
          } finally {
            rmSync(stock, { recursive: true });
          }
          if (names === "fresh") {
            expect(place.lines.filter((line) => line.merged === true && isRename(line))).toEqual([]);
          }
        });
      }
    },
  );
}

/** What else says `merged` is a name that was linked and unlinked within one event: that order can't be known. */
function isRename(line: LogLine): boolean {
  return line.event_type.startsWith("MOVE");
}
