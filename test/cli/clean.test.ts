import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { logHash } from "../../src/log/names.ts";
import { FakeHandler, fakeDaemon, STATUS } from "../control/fake-daemon.ts";
import { type Home, temporaryHome } from "./fsmon.ts";

const DAY_MS = 86_400_000;

function log(home: Home, logDir: string, ...agesDays: number[]): string {
  mkdirSync(logDir, { recursive: true });
  const lines = agesDays.map((age) => {
    const time = new Date(Date.now() - age * DAY_MS).toISOString().replace("Z", "+00:00");
    const rest = { event_type: "CREATE", path: "/srv/x", pid: 1, cmd: "sh", user: "root", file_size: 0 };
    return `${JSON.stringify({ time, ...rest, monitored_path: "/srv" })}\n`;
  });
  const file = join(logDir, `${logHash("/srv")}_log.jsonl`);
  writeFileSync(file, lines.join(""));
  expect(existsSync(home.dir)).toBe(true);
  return file;
}

const linesOf = (file: string) => readFileSync(file, "utf8").split("\n").length - 1;

describe("clean", () => {
  test("--dry-run tells lines, bytes and times, and changes nothing", async () => {
    using home = temporaryHome();
    const file = log(home, home.logDir, 9, 8, 1);
    const before = readFileSync(file, "utf8");
    const { stdout, stderr, exitCode } = await home.run("clean", "--keep-days", "7", "--dry-run");
    expect(stdout).toMatch(/^\/srv \| would delete 2 lines, \d+B, from \S+ to \S+ \| \d+B would stay\n$/);
    expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
    expect(readFileSync(file, "utf8")).toBe(before);
  });

  test("deletes by the option, else by the config, else by the default of 30 days", async () => {
    using home = temporaryHome();
    const file = log(home, home.logDir, 40, 20, 9, 1);
    await home.run("clean");
    expect(linesOf(file)).toBe(3);
    mkdirSync(dirname(home.configFile), { recursive: true });
    writeFileSync(home.configFile, "[logging]\nkeep_days = 10\n");
    await home.run("clean");
    expect(linesOf(file)).toBe(2);
    await home.run("clean", "--keep-days=30", "--keep-days=5");
    expect(linesOf(file)).toBe(1);
  });

  test("of a path without a log fails, and an unreadable limit is wrong usage", async () => {
    using home = temporaryHome();
    log(home, home.logDir, 1);
    const none = await home.run("clean", "-p", "/nope");
    expect(none.exitCode).toBe(1);
    expect(none.stderr).toContain('"/nope"');
    for (const args of [
      ["--keep-days", "-5"],
      ["--keep-days", "1e3"],
      ["--max-size", "big"],
    ]) {
      const ran = await home.run("clean", ...args);
      expect(ran.exitCode).toBe(2);
      expect(ran.stderr).toContain(`"${args[1]}"`);
    }
  });
});

describe("when XDG_STATE_HOME says otherwise than the running daemon", () => {
  class Elsewhere extends FakeHandler {
    constructor(readonly logDir: string) {
      super();
    }
    override status() {
      return { ...STATUS, logDir: this.logDir };
    }
  }

  test("clean and query use the daemon's directory and say so", async () => {
    using home = temporaryHome();
    const logDir = join(home.dir, "daemon-logs");
    const file = log(home, logDir, 40, 1);
    await using _daemon = await fakeDaemon({ socketPath: home.socketPath, handler: new Elsewhere(logDir) });
    mkdirSync(dirname(home.configFile), { recursive: true });
    writeFileSync(home.configFile, `[socket]\npath = "${home.socketPath}"\n`);
    const env = { XDG_STATE_HOME: join(home.dir, "mine") };
    const asked = await home.runWith({ env }, "query");
    expect(asked.stdout.split("\n")).toHaveLength(3);
    expect(asked.stderr).toContain(`"${logDir}"`);
    const cleaned = await home.runWith({ env }, "clean");
    expect(cleaned.stderr).toContain(`"${logDir}"`);
    expect(linesOf(file)).toBe(1);
    const named = await home.runWith({ env }, "query", "--log-dir", logDir);
    expect(named.stderr).toBe("");
  });
});
