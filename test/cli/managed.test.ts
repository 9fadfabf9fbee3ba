import { describe, expect, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { AddReply } from "../../src/control/protocol.ts";
import type { ManagedPath } from "../../src/event.ts";
import { logHash } from "../../src/log/names.ts";
import { FakeHandler, fakeDaemon, STATUS, WATCHED } from "../control/fake-daemon.ts";
import { writeLog } from "../support/made-log.ts";
import { temporaryHome } from "./fsmon.ts";

describe("without a daemon, add", () => {
  test("changes the store, says that it takes effect at the next start, and writes nothing to stdout", async () => {
    using home = temporaryHome();
    const added = await home.run("add", "-r", "/srv/x", "-e", "*.swp", "--only-cmd", "007", "-m", "1MB");
    expect(added).toMatchObject({ stdout: "", exitCode: 0 });
    expect(added.stderr).toContain('Added "/srv/x"');
    expect(added.stderr).toContain("takes effect at the next start");
    const entry = JSON.parse(readFileSync(home.managedFile, "utf8"));
    expect(entry).toMatchObject({ path: "/srv/x", recursive: true, only_cmd: ["007"], min_size: 1048576 });
  });

  test("replaces the filters of a path that is managed already", async () => {
    using home = temporaryHome();
    await home.run("add", "/srv/x", "-r");
    const again = await home.run("add", "/srv/x", "-t", "create");
    expect(again.stderr).toContain('Replaced the filters of "/srv/x"');
    const listed = await home.run("managed");
    expect(listed.stdout).toBe(
      "/srv/x | types=CREATE | non-recursive | min_size=- | exclude-path=- | exclude-cmd=- | only-cmd=- | events=filtered | state=unwatched\n",
    );
  });

  test("resolves symbolic links once and says so", async () => {
    using home = temporaryHome();
    mkdirSync(join(home.dir, "real"));
    symlinkSync("real", join(home.dir, "link"));
    const added = await home.run("add", "link/sub");
    expect(added.stderr).toContain(`"${home.dir}/real/sub" is what will be watched`);
    expect((await home.run("managed")).stdout).toStartWith(`${home.dir}/real/sub | `);
  });

  test("refuses what can't be watched with exit code 1, and stores nothing", async () => {
    using home = temporaryHome();
    const refused = await home.run("add", "/proc/self");
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("no events on proc") });
    expect(existsSync(home.managedFile)).toBe(false);
  });

  const wrong: [args: string[], message: string][] = [
    [["add", "/srv", "-t", "CREATED"], '"CREATED"'],
    [["add", "/srv", "-t", "CREATE", "--all-events"], "--all-events"],
    [["add", "/srv", "-m", "-5"], '"-5"'],
    [["add", "/srv", "-e", "re:("], '"re:("'],
    [["add", "/srv", "-e", "["], '"["'],
    [["add", ""], '""'],
  ];
  for (const [args, message] of wrong) {
    test(`refuses "${args.join(" ")}" with exit code 2 and a hint, and changes nothing`, async () => {
      using home = temporaryHome();
      const ran = await home.run(...args);
      expect(ran).toMatchObject({ exitCode: 2, stdout: "" });
      expect(ran.stderr).toContain(message);
      expect(ran.stderr).toContain("  hint: ");
      expect(existsSync(home.managedFile)).toBe(false);
    });
  }
});

describe("without a daemon, remove", () => {
  test("takes the path out, keeps its log, and says where that is", async () => {
    using home = temporaryHome();
    const remove = async () => {
      await home.run("add", "/srv/x");
      const removed = await home.run("remove", "/srv/x/");
      expect(removed).toMatchObject({ stdout: "", exitCode: 0 });
      expect((await home.run("managed")).stdout).toBe("");
      return removed.stderr;
    };
    expect(await remove()).toContain('Removed "/srv/x"; it has no log');
    writeLog(home.logDir, "/srv/x", "");
    const hash = logHash("/srv/x");
    expect(await remove()).toContain(`its log stays at "${home.logDir}/${hash}_log.jsonl"\n`);
    writeLog(home.logDir, "/srv/x", "", "");
    expect(await remove()).toContain(`_log.jsonl" (older segments beside it)\n`);
    rmSync(join(home.logDir, `${hash}_log.jsonl`));
    expect(await remove()).toContain(`its log stays at "${home.logDir}/${hash}.000001_log.jsonl"\n`);
  });

  test("names the nearest managed path when this one isn't managed", async () => {
    using home = temporaryHome();
    const none = await home.run("remove", "/srv/x");
    expect(none).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("no path is managed") });
    await home.run("add", "/var/www/myapp");
    await home.run("add", "/home");
    for (const [typed, hint] of [
      ["/var/www/myap", 'the nearest managed path is "/var/www/myapp"'],
      ["/var/www/other/deep", 'the nearest managed path is "/var/www/myapp"'],
      ["/var/www/myapp/sub", 'it lies below the managed path "/var/www/myapp"'],
      ["/usr/zzz", 'the nearest managed path is "/home"'],
      ["/", 'the nearest managed path is "/home"'],
    ] as const) {
      const ran = await home.run("remove", typed);
      expect(ran.exitCode).toBe(1);
      expect(ran.stderr).toContain(`Cannot remove "${typed}": it is not managed`);
      expect(ran.stderr).toContain(hint);
    }
  });

  test("says that it was to be removed when it can't be a path", async () => {
    using home = temporaryHome();
    for (const [typed, problem] of [
      ["", "it is empty"],
      ["a\ufffd", "it is not valid UTF-8"],
    ] as const) {
      const ran = await home.run("remove", typed);
      expect(ran.exitCode).toBe(2);
      expect(ran.stderr).toMatch(new RegExp(`Cannot remove ".*": ${problem}`));
    }
  });

  test("finds a managed path that has become a symbolic link since", async () => {
    using home = temporaryHome();
    const path = join(home.dir, "data");
    await home.run("add", "data");
    symlinkSync("/somewhere/else", path);
    expect(await home.run("remove", "data")).toMatchObject({ exitCode: 0 });
  });
});

describe("without a daemon, managed", () => {
  test("says once that none is running, on stderr", async () => {
    using home = temporaryHome();
    await home.run("add", "/a");
    await home.run("add", "/b");
    const { stdout, stderr } = await home.run("managed");
    expect(stdout.split("\n")).toHaveLength(3);
    expect(stderr.match(/No daemon is running/g)).toHaveLength(1);
  });

  test("names a broken line of the store by its number, shows the others, and exits with 1", async () => {
    using home = temporaryHome();
    await home.run("add", "/a");
    appendFileSync(home.managedFile, "{broken\n");
    const { stdout, stderr, exitCode } = await home.run("managed");
    expect(stdout).toStartWith("/a | ");
    expect(stderr).toContain("line 2");
    expect(exitCode).toBe(1);
  });

  test("shows hostile names as visible escapes in the table and exactly in JSON", async () => {
    using home = temporaryHome();
    const path = "/srv/\x1b[31m\n\u202ex";
    await home.run("add", path, "-e", "\u009b*");
    const table = await home.run("managed");
    expect(table.stdout).toContain("/srv/\\e[31m\\n\\u202ex | ");
    expect(table.stdout).toContain("exclude-path=\\x9b*");
    expect(table.stdout.trimEnd()).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]/);
    const json = await home.run("managed", "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({ path, exclude: ["\u009b*"], state: "unwatched" });
  });

  test("writes more than a pipe holds, into a pipe that is non-blocking and read slowly", async () => {
    using home = temporaryHome();
    mkdirSync(dirname(home.managedFile), { recursive: true });
    const lines = Array.from({ length: 3000 }, (_, n) => `{"path":"/srv/${n}"}\n`);
    writeFileSync(home.managedFile, lines.join(""));
    const reader = `
import os, subprocess, sys, time
r, w = os.pipe()
os.set_blocking(w, False)
p = subprocess.Popen(sys.argv[1:], stdout=w, stderr=subprocess.DEVNULL)
os.close(w)
time.sleep(0.3)
total = 0
while data := os.read(r, 4096): total += data.count(b"\\n")
print(total, p.wait())`;
    const { MAIN } = await import("./fsmon.ts");
    const words = [process.execPath, MAIN, "managed", "--json", "--socket", home.socketPath];
    const child = Bun.spawn(["python3", "-c", reader, ...words], {
      env: { HOME: home.dir, PATH: process.env.PATH ?? "" },
      stdout: "pipe",
    });
    expect(await new Response(child.stdout).text()).toBe("3000 0\n");
  });

  test("colours the state on a terminal only, and not with NO_COLOR or --no-color", async () => {
    using home = temporaryHome();
    await home.run("add", "/a");
    const coloured = /\x1b\[/;
    expect((await home.run("managed")).stdout).not.toMatch(coloured);
    expect(await onTerminal(home.dir, home.socketPath, {})).toMatch(coloured);
    expect(await onTerminal(home.dir, home.socketPath, { NO_COLOR: "1" })).not.toMatch(coloured);
    expect(await onTerminal(home.dir, home.socketPath, { TERM: "dumb" })).not.toMatch(coloured);
    expect(await onTerminal(home.dir, home.socketPath, {}, "--no-color")).not.toMatch(coloured);
  });
});

describe("with a daemon", () => {
  test("add leaves store and watching to it, and says that it watches now", async () => {
    using home = temporaryHome();
    await using daemon = await fakeDaemon({ socketPath: home.socketPath, handler: new Daemon(home) });
    const added = await home.run("add", "-r", "/srv/data", "-e", "a,b", "-e", "c");
    expect(added).toMatchObject({ stdout: "", exitCode: 0 });
    expect(added.stderr).toContain('Added "/srv/data": it is being watched now');
    expect(added.stderr).not.toContain("your config names");
    expect(daemon.handler.entries.get("/srv/data")).toMatchObject({ recursive: true, exclude: ["a,b", "c"] });
    expect(existsSync(home.managedFile)).toBe(false);
  });

  test("add tells its notes, and that it uses other places than the config names", async () => {
    using home = temporaryHome();
    const handler = new Daemon(home);
    handler.more = {
      managedFile: "/elsewhere/m.jsonl",
      logFile: "/elsewhere/l.jsonl",
      notes: ["the log lies inside"],
    };
    await using _daemon = await fakeDaemon({ socketPath: home.socketPath, handler });
    const { stderr } = await home.run("add", "/srv/data");
    expect(stderr).toContain(
      'another store than your config names, so that one is used: "/elsewhere/m.jsonl"',
    );
    expect(stderr).toContain('another directory than your config names, so that one is used: "/elsewhere"');
    expect(stderr).toContain("the log lies inside");
  });

  test("remove asks it, with the nearest path when there is none", async () => {
    using home = temporaryHome();
    const handler = new Daemon(home);
    handler.paths = [WATCHED];
    handler.entries.set(WATCHED.path, WATCHED);
    await using _daemon = await fakeDaemon({ socketPath: home.socketPath, handler });
    const wrong = await home.run("remove", "/srv/dta");
    expect(wrong).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('"/srv/data"') });
    const removed = await home.run("remove", "/srv/data");
    expect(removed).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('Removed "/srv/data"; ') });
    expect(handler.entries.size).toBe(0);
  });

  test("managed says of each path whether it is watched, pending or impossible, and why", async () => {
    using home = temporaryHome();
    const handler = new Daemon(home);
    handler.paths = [
      WATCHED,
      { ...WATCHED, path: "/later", state: "pending", reason: "it does not exist yet" },
      { ...WATCHED, path: "/fuse", state: "impossible", reason: "fuse has no filesystem id" },
    ];
    await using _daemon = await fakeDaemon({ socketPath: home.socketPath, handler });
    const table = await home.run("managed");
    expect(table.stderr).toBe("");
    expect(table.stdout.split("\n")).toEqual([
      "/srv/data | types=CREATE,DELETE | recursive | min_size=1KB | exclude-path=*.swp,re:\\.tmp$ | exclude-cmd=- | only-cmd=nginx,vim | events=filtered | state=watched",
      expect.stringMatching(/^\/later .* \| state=pending \(it does not exist yet\)$/),
      expect.stringMatching(/^\/fuse .* \| state=impossible \(fuse has no filesystem id\)$/),
      "",
    ]);
    const json = (await home.run("managed", "--json")).stdout.trimEnd().split("\n");
    expect(JSON.parse(json[0] ?? "")).toMatchObject({
      path: "/srv/data",
      state: "watched",
      directories: 12,
      min_size: 1024,
    });
  });

  test("a refusal of its handler is told with its hint and exit code", async () => {
    using home = temporaryHome();
    const handler = new Daemon(home);
    handler.before = () => {
      throw new Error("surprise");
    };
    await using _daemon = await fakeDaemon({ socketPath: home.socketPath, handler });
    const ran = await home.run("add", "/srv/data");
    expect(ran).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("Internal error of the daemon: surprise"),
    });
  });
});

describe("generate", () => {
  test("writes the default config, and never over one without -f", async () => {
    using home = temporaryHome();
    expect(await home.run("generate")).toMatchObject({ stdout: "", exitCode: 0 });
    const text = readFileSync(home.configFile, "utf8");
    writeFileSync(home.configFile, "# mine\n");
    const refused = await home.run("generate");
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("generate -f") });
    expect(readFileSync(home.configFile, "utf8")).toBe("# mine\n");
    expect(await home.run("generate", "-f")).toMatchObject({ exitCode: 0 });
    expect(readFileSync(home.configFile, "utf8")).toBe(text);
  });

  test("writes to the file that --config names, relative to the working directory", async () => {
    using home = temporaryHome();
    await home.run("generate", "--config", "here.toml");
    expect(existsSync(join(home.dir, "here.toml"))).toBe(true);
  });
});

describe("the config", () => {
  test("is checked by daemon --check-config, which tells each value's source and needs no root", async () => {
    using home = temporaryHome();
    mkdirSync(dirname(home.configFile), { recursive: true });
    writeFileSync(home.configFile, "[logging]\nkeep_days = 7\n");
    const { stdout, exitCode } = await home.run("daemon", "--check-config", "--log-dir", "/logs");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("keep_days = 7 # from the config file");
    expect(stdout).toContain('dir = "/logs" # from the command line');
    expect(stdout).toContain('max_size = "1GB" # default');
    writeFileSync(home.configFile, stdout);
    expect((await home.run("daemon", "--check-config")).stdout).toContain(
      "keep_days = 7 # from the config file",
    );
  });

  test("is told apart from what XDG variables decide", async () => {
    using home = temporaryHome();
    const env = { XDG_STATE_HOME: "/state", XDG_DATA_HOME: "relative" };
    const { stdout } = await home.runWith({ env }, "daemon", "--check-config");
    expect(stdout).toContain(`dir = "/state/fsmon" # default, by the environment's XDG_* variables\n`);
    expect(stdout).toContain('file = "~/.local/share/fsmon/managed.jsonl" # default\n');
  });

  test("that is invalid stops every command with file, line and column, and stays as it is", async () => {
    using home = temporaryHome();
    mkdirSync(dirname(home.configFile), { recursive: true });
    writeFileSync(home.configFile, "[logging]\nkeep_dais = 7\n");
    for (const args of [["managed"], ["add", "/a"], ["daemon", "--check-config"]]) {
      const ran = await home.run(...args);
      expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
      expect(ran.stderr).toContain(`${home.configFile}:2:1`);
      expect(ran.stderr).toContain("did you mean keep_days");
    }
    expect(existsSync(home.managedFile)).toBe(false);
  });

  test("that --config names must exist", async () => {
    using home = temporaryHome();
    const ran = await home.run("managed", "--config", "nowhere.toml");
    expect(ran).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("does not exist") });
  });

  test("names the store that is used", async () => {
    using home = temporaryHome();
    writeFileSync(join(home.dir, "c.toml"), `[managed]\nfile = "~/my paths.jsonl"\n`);
    await home.run("add", "/a", "--config", "c.toml");
    expect(existsSync(join(home.dir, "my paths.jsonl"))).toBe(true);
  });
});

test("a relative path in a deleted working directory is a sentence, not a stack", async () => {
  using home = temporaryHome();
  const { MAIN } = await import("./fsmon.ts");
  const script = `mkdir gone; cd gone; rmdir ../gone; "$0" "$1" add x`;
  const child = Bun.spawn(["sh", "-c", script, process.execPath, MAIN], {
    cwd: home.dir,
    env: { HOME: home.dir, PATH: process.env.PATH ?? "" },
    stderr: "pipe",
    stdout: "pipe",
  });
  expect(await new Response(child.stderr).text()).toMatch(/current (working )?directory was deleted/);
  expect(await child.exited).toBe(1);
});

class Daemon extends FakeHandler {
  more: Partial<AddReply> = {};
  readonly #home: { managedFile: string; logDir: string };

  constructor(home: { managedFile: string; logDir: string }) {
    super();
    this.#home = home;
  }
  override async add(entry: ManagedPath): Promise<AddReply> {
    const { managedFile, logDir } = this.#home;
    return { ...(await super.add(entry)), managedFile, logFile: join(logDir, "x_log.jsonl"), ...this.more };
  }
  override status() {
    const { managedFile, logDir } = this.#home;
    return { ...STATUS, paths: this.paths, managedFile, logDir };
  }
}

/** What `fsmon managed` prints when its stdout is a terminal. */
async function onTerminal(home: string, socketPath: string, env: Record<string, string>, ...args: string[]) {
  const { MAIN } = await import("./fsmon.ts");
  const code = "import pty,sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
  const words = [process.execPath, MAIN, "managed", "--socket", socketPath, ...args];
  const child = Bun.spawn(["python3", "-c", code, ...words], {
    env: { HOME: home, PATH: process.env.PATH ?? "", TERM: "xterm", ...env },
    stdin: "ignore",
    stdout: "pipe",
  });
  return new Response(child.stdout).text();
}
