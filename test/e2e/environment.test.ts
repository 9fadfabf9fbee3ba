// Where the daemon is started and what stands in its environment: neither runs code in it nor opens a port, and each decides
// about the places of files only where the documentation says so.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PASSED_ON, RUNTIME_SETTINGS } from "../../src/daemon/anew.ts";
import { BINARY, command, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { giveTo, PERSON_UID, PersonsDaemon } from "../support/person.ts";

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "fsmon-hostile-"));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

/** A folder full of what a runtime may read, each of it made to leave a mark. */
function hostileFolder(): { folder: string; mark: string; env: Record<string, string> } {
  const folder = join(scratch, "here");
  const mark = join(scratch, "mark");
  const code = `require("node:fs").appendFileSync(${JSON.stringify(mark)}, "ran\\n");`;
  const files: Record<string, string> = {
    "bunfig.toml": 'preload = ["./foreign.js"]\n[run]\nbun = true\n',
    "foreign.js": code,
    ".env": "SUDO_UID=0\nHOME=/nowhere\nFSMON_DEBUG=1\nXDG_STATE_HOME=/nowhere\n",
    ".env.local": "BUN_OPTIONS=--preload=./foreign.js\n",
    "tsconfig.json": '{"extends": "./foreign.js", "compilerOptions": {"paths": {"*": ["./foreign.js"]}}}',
    "package.json":
      '{"name": "here", "main": "foreign.js", "imports": {"#*": "./foreign.js"}, "type": "commonjs"}',
    "node_modules/cac/index.js": code,
    "node_modules/cac/package.json": '{"name": "cac", "main": "index.js"}',
    "node_modules/picocolors/index.js": code,
    "node_modules/smol-toml/index.js": code,
    "tmp/.keep": "",
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const foreign = join(folder, "foreign.js");
  const env = {
    BUN_OPTIONS: `--preload=${foreign}`,
    BUN_BE_BUN: "1",
    BUN_INSPECT: "127.0.0.1:0",
    BUN_INSPECT_PRELOAD: foreign,
    BUN_INSPECT_CONNECT_TO: join(scratch, "inspector"),
    BUN_CONFIG_FILE: join(folder, "bunfig.toml"),
    BUN_RUNTIME_TRANSPILER_CACHE_PATH: join(folder, "tmp"),
    BUN_JSC_useJIT: "0",
    BUN_JSC_noSuchOption: "1",
    BUN_JSC_logGC: "1",
    NODE_OPTIONS: `--require=${foreign}`,
    NODE_PATH: join(folder, "node_modules"),
    TMPDIR: join(folder, "tmp"),
    BUN_TMPDIR: join(folder, "tmp"),
  };
  return { folder, mark, env };
}

/** Listening TCP sockets of a process, or of none. */
function listeningPorts(pid: number): string[] {
  const own = Bun.spawnSync(["sh", "-c", `ls -l /proc/${pid}/fd`]).stdout.toString();
  const rows = ["tcp", "tcp6"].flatMap((name) =>
    readFileSync(`/proc/${pid}/net/${name}`, "latin1").split("\n").slice(1),
  );
  return rows.filter((row) => {
    const columns = row.trim().split(/\s+/);
    return columns[3] === "0A" && own.includes(`socket:[${columns[9]}]`);
  });
}

describe("a hostile working directory and environment", () => {
  test("run no code in the client and change nothing in what it says", async () => {
    const { folder, mark, env } = hostileFolder();
    const clean = { HOME: scratch, PATH: "/usr/bin:/bin" };
    for (const args of [["--version"], ["managed"], ["query", "--since", "1h"], ["help"]]) {
      const expected = await command([BINARY, ...args], { env: clean, cwd: "/" });
      const got = await command([BINARY, ...args], { env: { ...clean, ...env }, cwd: folder });
      expect({ args, ...got }).toEqual({ args, ...expected });
    }
    expect(existsSync(mark)).toBe(false);
  });

  test("a deleted working directory is no obstacle to whoever names paths from / on", async () => {
    const here = async (...args: string[]) =>
      command(["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$0" "$@"', BINARY, ...args], {
        env: { HOME: scratch },
        cwd: scratch,
      });
    expect((await here("--version")).stdout).toMatch(/^fsmon \d/);
    expect(await here("add", "/srv/data")).toMatchObject({ code: 0 });
    expect((await here("managed")).stdout).toContain("/srv/data | types=");
    expect(await here("remove", "/srv/data")).toMatchObject({ code: 0 });
    const relative = await here("add", "data");
    expect(relative).toMatchObject({ code: 1, stdout: "" });
    expect(relative.stderr).toStartWith(
      'fsmon: Cannot find "data": the current directory was deleted\n  hint: ',
    );
    for (const flag of ["--config", "--log-dir", "--path"]) {
      const refused = await here("query", flag, "there");
      expect(refused).toMatchObject({ code: 1, stdout: "" });
      expect(refused.stderr).toStartWith('fsmon: Cannot find "there": the current directory was deleted');
    }
  });
});

describe.skipIf(captureObstacle !== null)("the daemon's surroundings (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  const daemons: TestDaemon[] = [];
  beforeEach(() => {
    filesystem = TestFilesystem.mount("tmpfs");
  });
  afterEach(async () => {
    for (const daemon of daemons.splice(0)) await daemon.destroy();
    filesystem.unmount();
  });
  const mine = <D extends TestDaemon>(daemon: D): D => {
    daemons.push(daemon);
    return daemon;
  };

  async function recordsOne(daemon: TestDaemon): Promise<void> {
    const root = await daemon.add(filesystem.directory("root"), "-r");
    writeFileSync(join(root, "f"), "x");
    await daemon.settle(root);
    expect(daemon.events(root).map((line) => line.event_type)).toContain("CLOSE_WRITE");
  }

  test("a hostile folder and environment run no code in it, open no port, and are not passed on", async () => {
    const { folder, mark, env } = hostileFolder();
    const daemon = mine(new TestDaemon());
    const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    await daemon.start([], ["env", "-C", folder, ...settings]);
    await recordsOne(daemon);
    expect(listeningPorts(daemon.pid)).toEqual([]);
    const variables = readFileSync(`/proc/${daemon.pid}/environ`, "latin1").split("\0").filter(Boolean);
    const foreign = variables.filter((one) => !PASSED_ON.includes(one.split("=")[0] ?? ""));
    expect(foreign).toEqual([...RUNTIME_SETTINGS]);
    expect(readFileSync(`/proc/${daemon.pid}/comm`, "latin1")).toBe("fsmon\n");
    await daemon.stop();
    expect(existsSync(mark)).toBe(false);
  });

  test("a deleted working directory keeps it from nothing", async () => {
    const gone = join(scratch, "gone");
    mkdirSync(gone);
    const daemon = mine(new TestDaemon());
    await daemon.start([], ["sh", "-c", `cd ${gone} && rmdir ${gone} && exec "$@"`, "sh"]);
    expect(readlinkSync(`/proc/${daemon.pid}/cwd`)).toBe(`${gone} (deleted)`);
    await recordsOne(daemon);
  });

  test("what is passed on can be set as one likes: it is no mark that skips or repeats the new start", async () => {
    const daemon = mine(new TestDaemon());
    const settings = PASSED_ON.filter((name) => !/^(HOME|SUDO_UID|XDG_.*)$/.test(name)).map(
      (name) => `${name}=1`,
    );
    await daemon.start([], ["env", ...settings, "HOME=/first", `HOME=${daemon.home}`]);
    await recordsOne(daemon);
  });

  test("behind sudo the person's home comes from the user database, and root's HOME and XDG_* don't count", async () => {
    const daemon = mine(new PersonsDaemon());
    daemon.variables = {
      XDG_STATE_HOME: join(scratch, "state"),
      XDG_CONFIG_HOME: join(scratch, "config"),
      XDG_DATA_HOME: scratch,
    };
    await daemon.start();
    await recordsOne(daemon);
    expect(existsSync(join(scratch, "state"))).toBe(false);
    // The client runs in the person's own environment, where XDG_* count: it says that the daemon's places differ.
    const own = await daemon.run([BINARY, "managed", "--socket", daemon.socketPath], {
      XDG_DATA_HOME: join(daemon.home, "data"),
    });
    expect(own.stderr).toContain("uses another store than your config names");
    expect(own.stdout).toContain(filesystem.path);
    const query = await daemon.run([BINARY, "query", "--config", daemon.configFile], {
      XDG_STATE_HOME: join(daemon.home, "state"),
    });
    expect(query.stderr).toContain("logs to another directory than your config names, so that one is used");
    expect(query.stdout).toContain('"CLOSE_WRITE"');
    // A directory of the person's own config that is there, without a daemon of its own.
    const config = join(daemon.home, "other.toml");
    writeFileSync(config, `[logging]\ndir = "${daemon.home}"\n[socket]\npath = "${daemon.socketPath}"\n`);
    const file = join(filesystem.path, "root/f");
    for (const args of [["query"], ["who", file], ["clean", "--dry-run"], ["doctor"]]) {
      const { stderr } = await daemon.run([BINARY, ...args, "--config", config], {});
      expect(stderr).toContain("logs to another directory than your config names, so that one is used");
    }
    // The same directory, and another store: the lock tells. Without it the file would lie below no managed path.
    const data = { XDG_DATA_HOME: join(daemon.home, "data") };
    const who = await daemon.run([BINARY, "who", file, "--config", daemon.configFile], data);
    expect(who.stderr).toContain("uses another store than your config names, so that one is used");
    expect(who.stdout).toContain("written");
    const health = await daemon.run([BINARY, "health", "--config", config], {});
    expect(health.stderr).toContain("logs to another directory than your config names");
    const removed = await daemon.run(
      [BINARY, "remove", join(filesystem.path, "root"), "--socket", daemon.socketPath],
      {
        XDG_DATA_HOME: join(daemon.home, "data"),
      },
    );
    expect(removed.stderr).toContain("uses another store than your config names");
    expect((await daemon.fsmon("managed")).stdout).toBe("");
  });

  test("root's own XDG_* count when nobody else called it", async () => {
    const daemon = mine(new TestDaemon());
    Object.assign(daemon, { logDir: join(scratch, "fsmon") });
    await daemon.start([], ["env", `XDG_STATE_HOME=${scratch}`]);
    await recordsOne(daemon);
    expect(daemon.stderr).toContain(`logs in ${scratch}/fsmon`);
  });

  test("a person without an entry in the user database is refused with what to do", async () => {
    const daemon = mine(new PersonsDaemon(false));
    const done = await daemon.tryToStart();
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(
      new RegExp(
        `^fsmon: Cannot find the user with the id ${PERSON_UID} \\(from SUDO_UID\\).*\n {2}hint: .*--user`,
      ),
    );
  });

  test("a home that doesn't exist is refused with what to do, and nothing is made in its place", async () => {
    const daemon = mine(new PersonsDaemon());
    rmSync(daemon.home, { recursive: true });
    const done = await daemon.tryToStart();
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(
      /^fsmon: Cannot use the home of user "person": ".*" is no directory\n {2}hint: make it/,
    );
    expect(existsSync(daemon.home)).toBe(false);
  });

  for (const value of ["-1", "abc", "4294967296", "0x10", ""]) {
    test(`SUDO_UID=${JSON.stringify(value)} is ${value === "" ? "nobody: root itself" : "refused"}`, async () => {
      const daemon = mine(new TestDaemon());
      const env = { ...daemon.environment, SUDO_UID: value };
      const done = await command([BINARY, "daemon", "--check-config"], { env, cwd: "/" });
      if (value === "") expect(done.stdout).toContain("(uid 0)");
      else expect(done.stderr).toContain(`SUDO_UID is "${value}"`);
      expect(done.code).toBe(value === "" ? 0 : 1);
    });
  }

  test("a container's user without a name works with HOME alone, and root without HOME has root's home", async () => {
    const home = join(scratch, "home");
    mkdirSync(home);
    giveTo(home, PERSON_UID);
    chmodSync(scratch, 0o755);
    const daemon = mine(new PersonsDaemon());
    const nameless = await daemon.run([BINARY, "daemon", "--check-config"], { HOME: home });
    expect(nameless.stdout).toContain(
      `# user ${PERSON_UID} (uid ${PERSON_UID}), config file ${home}/.config/`,
    );
    const root = await command([BINARY, "daemon", "--check-config"], { env: {}, cwd: "/" });
    expect(root.stdout).toContain("# user root (uid 0), config file /root/.config/");
  });
});
