// Runs the command line as a person would: a process of its own, a home of its own, nothing of the caller's environment.

import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export const MAIN = join(import.meta.dir, "../../src/main.ts");

export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export interface Home extends Disposable {
  readonly dir: string;
  readonly configFile: string;
  readonly managedFile: string;
  readonly logDir: string;
  readonly socketPath: string;
  /** Runs `fsmon …` with this home; the socket is this home's own, so that no real daemon is asked. */
  run(...args: string[]): Promise<Ran>;
  runWith(
    options: { env?: Record<string, string>; stdin?: string; cwd?: string },
    ...args: string[]
  ): Promise<Ran>;
}

/** Commands that have the option --socket. */
const ASKING = new Set(["daemon", "add", "remove", "managed", "clean"]);
/** Commands that have none, but ask the daemon for its log directory. */
const READING = new Set(["query", "who", "watch"]);

/** So that no daemon that happens to run on this machine is asked for its log directory. */
export function nameOwnSocket(home: Home): void {
  if (existsSync(home.configFile)) return;
  mkdirSync(dirname(home.configFile), { recursive: true });
  writeFileSync(home.configFile, `[socket]\npath = "${home.socketPath}"\n`);
}

export function temporaryHome(): Home {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "fsmon-cli-")));
  const home: Home = {
    dir,
    configFile: join(dir, ".config/fsmon/config.toml"),
    managedFile: join(dir, ".local/share/fsmon/managed.jsonl"),
    logDir: join(dir, ".local/state/fsmon"),
    socketPath: join(dir, "fsmon.sock"),
    run: (...args) => home.runWith({}, ...args),
    async runWith({ env = {}, stdin, cwd = dir }, ...args) {
      const [command = "", ...rest] = args;
      const words = ASKING.has(command) ? [command, "--socket", home.socketPath, ...rest] : args;
      if (READING.has(command)) nameOwnSocket(home);
      const child = Bun.spawn([process.execPath, MAIN, ...words], {
        cwd,
        env: { HOME: dir, PATH: process.env.PATH ?? "", ...env },
        stdin: stdin === undefined ? "ignore" : Buffer.from(stdin),
        stdout: "pipe",
        stderr: "pipe",
      });
      const [stdout, stderr, exitCode] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.exited,
      ]);
      return { stdout, stderr, exitCode };
    },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
  return home;
}
