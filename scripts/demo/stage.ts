// The world in which the demonstration happens: a folder of its own with a HOME in it, so that neither the files of the
// person nor a daemon that already runs is touched. Every command that is shown is run exactly as shown, by a shell.
// Whatever happens, close() stops the daemon and removes the folder.
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Obstacle, projectDir } from "../setup/step.mjs";

const READY_MS_MAX = 15_000;
const STOP_MS_MAX = 10_000;
const POLL_MS = 20;

export class Stage {
  readonly dir: string;
  readonly #socket: string;
  readonly #env: Record<string, string>;
  readonly #interrupted: AbortSignal;
  #daemon: ChildProcess | null = null;
  #daemonTalk = "";

  /** @param interrupted aborted when the person wants to stop */
  constructor(interrupted: AbortSignal) {
    this.#interrupted = interrupted;
    this.dir = mkdtempSync(join(realpathSync(tmpdir()), "fsmon-demo-"));
    // Another user works in the tree later on; HOME stays root's own.
    chmodSync(this.dir, 0o755);
    const home = join(this.dir, "home");
    mkdirSync(join(home, ".config/fsmon"), { recursive: true, mode: 0o700 });
    this.#socket = join(this.dir, "daemon.sock");
    writeFileSync(
      join(home, ".config/fsmon/config.toml"),
      `[socket]\npath = ${JSON.stringify(this.#socket)}\n`,
    );
    // Nothing is inherited but the way to programs: SUDO_* and XDG_* would lead to the person's own files.
    this.#env = {
      PATH: `${projectDir}:${process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin"}`,
      HOME: home,
      LANG: "C.UTF-8",
      GIT_CONFIG_NOSYSTEM: "1",
    };
  }

  /** Starts `fsmon daemon` and waits until it takes requests. */
  async startDaemon(): Promise<void> {
    console.log("$ fsmon daemon &");
    const daemon = spawn("fsmon", ["daemon"], {
      cwd: this.dir,
      env: this.#env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#daemon = daemon;
    daemon.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#daemonTalk += text;
    });
    daemon.on("error", (error) => {
      this.#daemonTalk += error.message;
    });
    await this.until("the daemon to take requests", READY_MS_MAX, () => existsSync(this.#socket));
  }

  /** Shows a shell command, runs it in the folder, shows what it prints and returns that. */
  async show(command: string): Promise<string> {
    console.log(`$ ${command}`);
    const output = await this.output(command);
    if (output !== "") console.log(output.trimEnd().replace(/^/gm, "  "));
    return output;
  }

  /** Runs a shell command in the folder; stdout and stderr, whatever its exit code. */
  async output(command: string): Promise<string> {
    this.#interrupted.throwIfAborted();
    const shell = spawn("sh", ["-c", `{ ${command}\n} 2>&1`], {
      cwd: this.dir,
      env: this.#env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    shell.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    await ended(shell);
    this.#interrupted.throwIfAborted();
    return output;
  }

  /** Waits for a condition; gives up when the daemon ends, the time is over or the person wants to stop. */
  async until(what: string, maxMs: number, met: () => boolean | Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + maxMs;
    while (!(await met())) {
      this.#interrupted.throwIfAborted();
      if (this.#daemon === null || hasEnded(this.#daemon)) {
        throw new Obstacle(`The daemon has ended; it said:\n${this.#daemonTalk.trimEnd()}`);
      }
      if (performance.now() > deadlineMs) {
        throw new Obstacle(
          `Waited ${maxMs / 1000} seconds for ${what}, in vain; the daemon said:\n${this.#daemonTalk.trimEnd()}`,
        );
      }
      await Bun.sleep(POLL_MS);
    }
  }

  /** Stops the daemon as Ctrl-C would, and removes the folder. */
  async close(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon !== null && !hasEnded(daemon)) {
      daemon.kill("SIGINT");
      const impatient = setTimeout(() => daemon.kill("SIGKILL"), STOP_MS_MAX);
      await ended(daemon);
      clearTimeout(impatient);
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((done) => child.once("close", () => done()).once("error", () => done()));
}
