// Safe as root: whatever the person whom the daemon works for puts in the way of its files, root's own files stay as they are,
// nothing hangs, and every thread has no more rights than it needs.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { NEEDED, PASSED_ON, PRIORITY, RUNTIME_SETTINGS } from "../../src/daemon/anew.ts";
import {
  CAPABILITY_BITS,
  capabilityMask,
  everyCapability,
  readCapabilities,
} from "../../src/kernel/capabilities.ts";
import { liveName, logHash } from "../../src/log/names.ts";
import { encodeEntry } from "../../src/managed/entry.ts";
import { BINARY, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, run, TestFilesystem } from "../support/filesystem.ts";
import { managedPath } from "../support/managed-path.ts";
import { asPerson, giveTo, PERSON_UID, PersonsDaemon } from "../support/person.ts";
import { until } from "../support/wait.ts";
import { Workload } from "../support/workload.ts";

/** Files that only root may write, and what is to be seen of them if somebody does. */
class Treasure {
  readonly dir = mkdtempSync(join(tmpdir(), "fsmon-treasure-"));
  readonly secret = join(this.dir, "secret");
  private readonly before: string;

  constructor() {
    // Anybody may look in, so that only the right to write stands between.
    chmodSync(this.dir, 0o755);
    writeFileSync(this.secret, "root's alone\n", { mode: 0o600 });
    this.before = this.look();
  }

  private look(): string {
    const one = (path: string) => {
      const { ino, mode, uid, gid, size, mtimeMs, ctimeMs, nlink } = lstatSync(path);
      return { path, ino, mode, uid, gid, size, mtimeMs, ctimeMs, nlink };
    };
    const names = readdirSync(this.dir).sort();
    return JSON.stringify([
      one(this.dir),
      ...names.map((name) => one(join(this.dir, name))),
      readFileSync(this.secret, "utf8"),
    ]);
  }

  expectUntouched(): void {
    expect(this.look()).toBe(this.before);
  }
}

/** What somebody can put into a place: the person, or (device) whoever made their disk. */
const OCCUPANTS: Readonly<Record<string, (place: string, treasure: Treasure) => void>> = {
  "a symlink to root's file": (place, { secret }) => symlinkSync(secret, place),
  "a symlink to root's directory": (place, { dir }) => symlinkSync(dir, place),
  "a dangling symlink into root's directory": (place, { dir }) => symlinkSync(join(dir, "new"), place),
  "a FIFO": (place) => run(["mkfifo", place]),
  "a device": (place) => run(["mknod", place, "c", "1", "5"]),
  "a directory": (place) => mkdirSync(place),
};

describe.skipIf(captureObstacle !== null)("safe as root (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let treasure: Treasure;
  let daemon: PersonsDaemon;
  beforeAll(() => {
    filesystem = TestFilesystem.mount("tmpfs");
    treasure = new Treasure();
  });
  afterAll(() => {
    filesystem?.unmount();
    rmSync(treasure.dir, { recursive: true, force: true });
  });
  beforeEach(() => {
    daemon = new PersonsDaemon();
  });
  afterEach(async () => {
    await daemon.destroy();
  });

  let trees = 0;
  function tree(): string {
    return filesystem.directory(`tree${trees++}`);
  }
  /** The store as a hand may write it, before the daemon's first start. */
  function store(...paths: string[]): string {
    const file = join(daemon.home, ".local/share/fsmon/managed.jsonl");
    mkdirSync(dirname(file), { recursive: true });
    const entry = (path: string) => managedPath(path, { recursive: true, types: ["CREATE", "DELETE"] });
    writeFileSync(file, paths.map((path) => `${encodeEntry(entry(path))}\n`).join(""));
    giveTo(join(daemon.home, ".local"), PERSON_UID);
    return file;
  }

  const PLACES: Readonly<Record<string, (managed: string) => string>> = {
    config: () => daemon.configFile,
    store: () => join(daemon.home, ".local/share/fsmon/managed.jsonl"),
    "store's lock": () => join(daemon.home, ".local/share/fsmon/managed.jsonl.lock"),
    "log directory": () => daemon.logDir,
    "log directory's lock": () => join(daemon.logDir, "daemon.lock"),
    log: (managed) => join(daemon.logDir, liveName(logHash(managed))),
    socket: () => daemon.socketPath,
  };

  for (const [name, placeOf] of Object.entries(PLACES)) {
    test(`the ${name} may be a link to root's file, a FIFO, a device, a directory: root's files stay, nothing hangs`, async () => {
      for (const [what, occupy] of Object.entries(OCCUPANTS)) {
        const managed = tree();
        store(managed);
        const place = placeOf(managed);
        mkdirSync(dirname(place), { recursive: true });
        giveTo(daemon.home, PERSON_UID);
        rmSync(place, { recursive: true, force: true });
        occupy(place, treasure);
        giveTo(daemon.home, PERSON_UID);
        // It records, or it ends with a sentence that names the place.
        const outcome = await daemon.start().then(
          () => "recording",
          (error: Error) => error.message,
        );
        if (outcome === "recording") {
          await daemon.fsmon("add", managed, "-r");
          await daemon.run(["touch", join(managed, "by-the-person")]);
          expect(await daemon.stop()).toBe(0);
        } else {
          expect(outcome).toMatch(/^The daemon ended with 1: fsmon: /);
          expect(outcome).toContain(name === "config" || name === "store" ? place : daemon.logDir);
        }
        treasure.expectUntouched();
        expect(`${what}: ${lstatSync(daemon.home).uid}`).toBe(`${what}: ${PERSON_UID}`);
        rmSync(place, { recursive: true, force: true });
        await daemon.destroy();
        daemon = new PersonsDaemon();
      }
    });
  }

  test("links exchanged with the real files all the time deceive it in nothing", async () => {
    const exchange = new Workload("exchange");
    const managed = tree();
    const storeFile = store(managed);
    mkdirSync(daemon.logDir, { recursive: true });
    writeFileSync(
      daemon.configFile,
      `[socket]\npath = "${daemon.socketPath}"\n[logging]\nsegment_size = 4096\n`,
    );
    const live = join(daemon.logDir, liveName(logHash(managed)));
    const pairs = [live, storeFile, daemon.logDir].map((place) => [place, `${place}.link`] as const);
    for (const [place, link] of pairs)
      symlinkSync(place === daemon.logDir ? treasure.dir : treasure.secret, link);
    giveTo(daemon.home, PERSON_UID);
    await daemon.start();
    chmodSync(exchange.program, 0o755);
    chmodSync(dirname(exchange.program), 0o755);
    for (const [place, link] of pairs) {
      const racer = Bun.spawn([...asPerson(), exchange.program, place, link]);
      const untilMs = performance.now() + 700;
      for (let i = 0; performance.now() < untilMs; i++) {
        await daemon.run(["touch", ...Array.from({ length: 30 }, (_, k) => join(managed, `${i}-${k}`))]);
        if (i % 3 === 0) daemon.signal("SIGHUP");
        if (i % 3 === 1) await daemon.fsmon("add", managed, "-r", "-e", `pattern${i}`);
      }
      racer.kill("SIGKILL");
      await racer.exited;
      treasure.expectUntouched();
      // Whichever name ended up where: the real one has its name again.
      if (lstatSync(place).isSymbolicLink()) {
        renameSync(place, `${place}.aside`);
        renameSync(link, place);
        renameSync(`${place}.aside`, link);
      }
    }
    expect((await daemon.fsmon("managed")).code).toBe(0);
    expect(await daemon.stop()).toBe(0);
    treasure.expectUntouched();
    exchange.remove();
  });

  test("what it makes is the person's alone, and nothing of it is root's", async () => {
    const managed = tree();
    await daemon.start();
    await daemon.add(managed, "-r");
    await daemon.run(["touch", join(managed, "f")]);
    await daemon.settle(managed);
    const socket = lstatSync(daemon.socketPath);
    expect([socket.uid, socket.mode & 0o777]).toEqual([PERSON_UID, 0o600]);
    await daemon.stop();
    const made = run(["find", daemon.home, "-printf", "%U %m %y %P\n"]).trim().split("\n");
    expect(made.filter((line) => !line.startsWith(`${PERSON_UID} `))).toEqual([]);
    expect(
      made.filter((line) => / f .*(log|lock|jsonl)/.test(line) && !line.startsWith(`${PERSON_UID} 600 `)),
    ).toEqual([]);
  });

  test("no thread has a capability that it doesn't need, nor could get one", async () => {
    const plain = await new TestDaemon().start();
    try {
      const allowed = capabilityMask(NEEDED);
      const tasks = readdirSync(`/proc/${plain.pid}/task`);
      expect(tasks.length).toBeGreaterThan(1);
      for (const task of tasks) {
        const held = readCapabilities(`/proc/${plain.pid}/task/${task}/status`);
        expect((everyCapability(held) & ~allowed).toString(16)).toBe("0");
        expect([held.inheritable, held.ambient]).toEqual([0n, 0n]);
      }
    } finally {
      await plain.destroy();
    }
  });

  test("it comes before what it watches, all its threads, unless somebody chose another priority", async () => {
    for (const [wrapper, expected] of [
      [[], PRIORITY],
      [["nice", "-n", "5"], 5],
      // Without the right it takes its turn.
      [["setpriv", "--bounding-set=-sys_nice"], 0],
    ] as const) {
      const plain = new TestDaemon();
      try {
        await plain.start([], wrapper);
        // proc_pid_stat(5): behind the name, which may hold spaces, nice is the 17th.
        const nices = readdirSync(`/proc/${plain.pid}/task`).map((task) =>
          Number(
            readFileSync(`/proc/${plain.pid}/task/${task}/stat`, "latin1").split(") ")[1]?.split(" ")[16],
          ),
        );
        expect(new Set(nices)).toEqual(new Set([expected]));
      } finally {
        await plain.destroy();
      }
    }
  });

  test("docs/security.md names exactly the capabilities that are kept and the variables that are passed on", () => {
    const page = readFileSync(resolve(import.meta.dir, "../../docs/security.md"), "utf8");
    const rows = [...page.matchAll(/^\| `(CAP_[A-Z_]+)` \|/gm)].map(([, name]) => name);
    expect(rows.toSorted()).toEqual([...NEEDED].toSorted() as string[]);
    expect(Object.keys(CAPABILITY_BITS).toSorted()).toEqual([...NEEDED].toSorted());
    for (const name of [...PASSED_ON, ...RUNTIME_SETTINGS]) expect(page).toContain(`\`${name}\``);
  });

  test("without the right to give capabilities up it says so and records all the same, without executing itself in circles", async () => {
    const plain = new TestDaemon();
    try {
      await plain.start([], ["setpriv", "--bounding-set=-setpcap"]);
      expect(plain.stderr).toMatch(/keeps capabilities that it doesn't need .*EPERM/);
      expect(await plain.stop()).toBe(0);
    } finally {
      await plain.destroy();
    }
  });

  test("capabilities that a unit has taken away already stay away, and what is missing is told", async () => {
    const plain = new TestDaemon();
    try {
      const names = NEEDED.filter((name) => name !== "CAP_SYS_PTRACE").map(
        (name) => `+${name.slice(4).toLowerCase()}`,
      );
      await plain.start([], ["setpriv", `--bounding-set=-all,${names.join(",")}`]);
      const held = readCapabilities(`/proc/${plain.pid}/status`);
      expect(held.bounding & capabilityMask(["CAP_SYS_PTRACE"])).toBe(0n);
      expect(plain.stderr).not.toContain("capabilities");
    } finally {
      await plain.destroy();
    }
  });

  test("a stranger may neither ask nor find anything out", async () => {
    const managed = tree();
    await daemon.start();
    await daemon.add(managed, "-r");
    const asked = [
      "setpriv",
      "--reuid=65533",
      "--regid=65533",
      "--clear-groups",
      BINARY,
      "managed",
      "--socket",
      daemon.socketPath,
    ];
    chmodSync(daemon.home, 0o755);
    const done = Bun.spawnSync(asked, { env: { HOME: "/tmp" }, cwd: "/" });
    expect(done.exitCode).toBe(1);
    expect(done.stderr.toString()).toContain("permission denied");
    expect(done.stdout.toString()).toBe("");
    expect(statSync(daemon.logDir).mode & 0o077).toBe(0);
    await until("it still answers its owner", async () =>
      (await daemon.fsmon("managed")).stdout.includes(managed),
    );
  });

  test("no escape sequence and no turn of the writing direction from a name reaches a terminal", async () => {
    const hostile = [
      "esc\x1b[31mred",
      "osc\x1b]0;title\x07",
      "c1\u009b31m",
      "del\x7f",
      "bidi\u202egpj.exe",
      "line\nfeed\r",
    ];
    // What a terminal obeys, and for a person also what turns or hides characters.
    const obeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/;
    const misleading =
      /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
    const managed = tree();
    await daemon.start();
    for (const name of hostile) {
      const path = join(managed, name);
      mkdirSync(path);
      for (const said of [
        await daemon.fsmon("add", path, "-e", name),
        await daemon.fsmon("add", path, "-r"),
        await daemon.fsmon("add", "--no-such", path),
        await daemon.fsmon("managed"),
      ]) {
        expect([name, said.stdout.match(misleading), said.stderr.match(misleading)]).toEqual([
          name,
          null,
          null,
        ]);
      }
      writeFileSync(join(path, name), "x");
      await daemon.settle(path);
    }
    for (const args of [
      ["clean", "--dry-run"],
      ["clean", "--path", `${managed}/no\x1b[2J`],
      ["remove", `${managed}/no\u202e`],
    ]) {
      const said = await daemon.fsmon(...args);
      expect([args, said.stdout.match(misleading), said.stderr.match(misleading)]).toEqual([
        args,
        null,
        null,
      ]);
    }
    // Data is exact, and safe to look at.
    const data = await daemon.fsmon("query");
    expect(data.stdout.match(obeyed)).toBe(null);
    const paths = data.stdout
      .trim()
      .split("\n")
      .map((line): string => JSON.parse(line).path);
    for (const name of hostile) expect(paths).toContain(join(managed, name, name));
    expect((await daemon.fsmon("managed", "--json")).stdout.match(obeyed)).toBe(null);
    for (const name of hostile)
      expect((await daemon.fsmon("remove", join(managed, name))).stderr.match(misleading)).toBe(null);
    await daemon.stop();
    expect(daemon.stderr.match(misleading)).toBe(null);
  });
});
