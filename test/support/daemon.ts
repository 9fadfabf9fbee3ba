// The compiled daemon under a HOME of its own, driven as a person would: by the command line, its log read
// from the disk.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  type Stats,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseLine } from "./schema.ts";
import { until } from "./wait.ts";

/** The binary under test; another one by FSMON_BINARY. */
export const BINARY = process.env.FSMON_BINARY ?? resolve(import.meta.dir, "../../fsmon");

/** One line of a log. */
export interface LogLine {
  time: string;
  event_type: string;
  path: string;
  pid: number | null;
  cmd: string | null;
  user: string | null;
  file_size: number;
  monitored_path: string;
  from?: string;
  to?: string;
  exchange?: boolean;
  dir?: boolean;
  merged?: boolean;
  path_b64?: string;
  who?: string;
  who_reason?: string;
  reason?: string;
  state?: string;
  gap_from?: string;
  gap_to?: string;
  lost?: number | null;
  untold?: number;
  origin?: string;
  ppid?: number;
  exe?: string;
  uid?: number;
  euid?: number;
  login?: string;
  ancestry?: string;
  error?: number;
}

/** What `fsmon managed --json` says of a path. */
export interface ManagedRow {
  path: string;
  state: string;
  reason: string | null;
  scanning: boolean;
  directories: number;
  log_file: string;
  events_filtered: number;
}

export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

let sentinels = 0;

export class TestDaemon {
  readonly home = mkdtempSync(join(tmpdir(), "fsmon-home-"));
  readonly socketPath = join(this.home, "control.sock");
  readonly logDir = join(this.home, ".local/state/fsmon");
  readonly configFile = join(this.home, ".config/fsmon/config.toml");
  private child: Bun.Subprocess<"ignore", "ignore", "pipe"> | null = null;
  private startedPid = 0;
  stderr = "";

  constructor(readonly binary: string = BINARY) {
    mkdirSync(dirname(this.configFile), { recursive: true });
    writeFileSync(this.configFile, `[socket]\npath = "${this.socketPath}"\n`);
  }

  get environment(): Record<string, string> {
    return { HOME: this.home, PATH: process.env.PATH ?? "/usr/bin:/bin", LANG: "C.UTF-8" };
  }

  get pid(): number {
    if (this.child === null) throw new Error("the daemon isn't running");
    return this.child.pid;
  }

  /** Starts it and waits until it answers. */
  async start(args: readonly string[] = [], wrapper: readonly string[] = []): Promise<this> {
    this.stderr = "";
    const child = Bun.spawn([...wrapper, this.binary, "daemon", ...args], {
      env: this.environment,
      cwd: "/",
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    this.child = child;
    this.startedPid = child.pid;
    void this.collect(child.stderr);
    await until(
      "the daemon says that it is watching",
      () => {
        if (child.exitCode !== null)
          throw new Error(`The daemon ended with ${child.exitCode}: ${this.stderr}`);
        return /^.*watching \d+ managed path/m.test(this.stderr);
      },
      () => this.stderr,
    );
    return this;
  }

  private async collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.stderr += decoder.decode(chunk, { stream: true });
  }

  signal(name: NodeJS.Signals): void {
    this.child?.kill(name);
  }

  /** Does work that the daemon finds done when it goes on: each of its threads stands still, in no system call either. */
  async whileStopped<T>(work: () => T | Promise<T>): Promise<T> {
    this.signal("SIGSTOP");
    try {
      await until("the daemon stands still", () => standsStill(this.pid));
      return await work();
    } finally {
      this.signal("SIGCONT");
    }
  }

  /** Waits for the end after a signal; the exit code. */
  async ended(): Promise<number> {
    const code = await this.child!.exited;
    this.child = null;
    return code;
  }

  /** Stops it in good order. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    if (this.child === null) return 0;
    this.signal(signal);
    return this.ended();
  }

  /** Ends everything and removes the files. */
  async destroy(): Promise<void> {
    if (this.child !== null) {
      // Under a wrapper (strace) the daemon isn't our child: its lock file says who it is.
      const pid = this.lockedBy();
      this.signal("SIGKILL");
      await this.ended();
      if (pid !== null && pid !== this.startedPid) process.kill(pid, "SIGKILL");
    }
    rmSync(this.home, { recursive: true, force: true });
  }

  private lockedBy(): number | null {
    const lock = join(this.logDir, "daemon.lock");
    return existsSync(lock) ? (JSON.parse(readFileSync(lock, "utf8")) as { pid: number }).pid : null;
  }

  /** A command of the client. */
  async fsmon(...args: string[]): Promise<Finished> {
    return command([this.binary, ...args], { env: this.environment, cwd: "/" });
  }

  /** `fsmon add`, which must succeed. @returns the path */
  async add(path: string, ...flags: string[]): Promise<string> {
    const done = await this.fsmon("add", path, ...flags);
    if (done.code !== 0) throw new Error(`fsmon add ${path} failed: ${done.stderr}`);
    return path;
  }

  async managed(): Promise<ManagedRow[]> {
    const { stdout } = await this.fsmon("managed", "--json");
    return stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  }

  async managedPath(path: string): Promise<ManagedRow | undefined> {
    return (await this.managed()).find((row) => row.path === path);
  }

  /** Waits for the end of a path's first scan. */
  async scanned(path: string): Promise<void> {
    await until(`${path} is scanned`, async () => (await this.managedPath(path))?.scanning === false);
  }

  /** Every line of all logs, in order of the files; a line that isn't whole JSON fails the test here. */
  allLines(): LogLine[] {
    if (!existsSync(this.logDir)) return [];
    const lines: LogLine[] = [];
    for (const name of readdirSync(this.logDir).sort()) {
      if (!name.endsWith("_log.jsonl")) continue;
      // What follows the last newline is being written at this moment.
      for (const line of readFileSync(join(this.logDir, name), "utf8").split("\n").slice(0, -1)) {
        lines.push(parseLine(line) as unknown as LogLine);
      }
    }
    return lines;
  }

  /** The lines of one managed path. */
  lines(monitoredPath: string): LogLine[] {
    return this.allLines().filter((line) => line.monitored_path === monitoredPath);
  }

  /** GAPs of events. */
  gaps(monitoredPath: string): LogLine[] {
    return this.lines(monitoredPath).filter(
      (line) => line.event_type === "GAP" && line.reason !== "process_stream_lost",
    );
  }

  /** GAPs of process records: names may be missing, not events. While the whole machine is busy the kernel may drop some. */
  processGaps(monitoredPath: string): LogLine[] {
    return this.lines(monitoredPath).filter((line) => line.reason === "process_stream_lost");
  }

  /** Only what happened: without WATCH and GAP, and without sentinels. */
  events(monitoredPath: string): LogLine[] {
    return this.lines(monitoredPath).filter(
      (line) => line.event_type !== "WATCH" && line.event_type !== "GAP" && !line.path.includes(SENTINEL),
    );
  }

  /**
   * Everything that was done before is in the log when this returns: a file is made and removed in the managed directory, and
   * its lines are waited for. Twice, because lines of one batch may follow the sentinel's.
   */
  async settle(directory: string): Promise<void> {
    for (let round = 0; round < 2; round++) {
      const name = `${SENTINEL}${process.pid}-${sentinels++}`;
      const path = join(directory, name);
      const before = this.logSizes();
      writeFileSync(path, "");
      unlinkSync(path);
      await until(
        `the log has the sentinel ${name}`,
        () => this.grownBy(before).includes(name),
        () => `${this.stderr}\n${this.grownBy(before).toString("latin1").slice(-5000)}`,
      );
    }
  }

  private logSizes(): Map<string, number> {
    const sizes = new Map<string, number>();
    if (!existsSync(this.logDir)) return sizes;
    for (const name of readdirSync(this.logDir)) {
      const stat = statSync(join(this.logDir, name));
      sizes.set(identityOf(stat), stat.size);
    }
    return sizes;
  }

  /** What the logs have gained; by inode, because a segment may have been sealed. */
  private grownBy(before: ReadonlyMap<string, number>): Buffer {
    if (!existsSync(this.logDir)) return Buffer.alloc(0);
    const parts = readdirSync(this.logDir)
      .filter((name) => name.endsWith("_log.jsonl"))
      .map((name) => {
        const path = join(this.logDir, name);
        // A segment may be sealed or dropped between the listing and the reading.
        const stat = statSync(path, { throwIfNoEntry: false });
        if (stat === undefined || !existsSync(path)) return Buffer.alloc(0);
        return readFileSync(path).subarray(before.get(identityOf(stat)) ?? 0);
      });
    return Buffer.concat(parts);
  }
}

/** The inode number of a segment that was dropped may be given to the next file. */
const identityOf = ({ ino, birthtimeMs }: Stats) => `${ino} ${birthtimeMs}`;

export const SENTINEL = "fsmon-sentinel-";

/** As proc_pid_stat(5) has the states of threads. */
function standsStill(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((task) => {
    try {
      return /^State:\s+T/m.test(readFileSync(`/proc/${pid}/task/${task}/status`, "latin1"));
    } catch {
      // The thread has ended.
      return true;
    }
  });
}

/** Runs a program to its end. */
export async function command(
  argv: readonly string[],
  options: { env?: Record<string, string>; cwd?: string; stdin?: string } = {},
): Promise<Finished> {
  const { stdin, ...rest } = options;
  const child = Bun.spawn([...argv], {
    ...rest,
    stdin: stdin === undefined ? "ignore" : Buffer.from(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}
