// The other programs, each started as its own documentation says, told to watch the same directory and the same kinds of events
// as far as it can be told.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../test/support/wait.ts";
import { type Contender, Fallen, type Found, type Running, shortName, Tally } from "./contender.ts";

const ADD_GROUP = "bench";
// biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query(1) names its fields like this
const VERSION_FORMAT = "${Version}";

let sentinels = 0;

/** Files outside the watched filesystem: no rival is to see its own output. */
function folder(): string {
  return mkdtempSync(join(tmpdir(), "fsmon-rival-"));
}

function installed(program: string): string | null {
  const found =
    Bun.which(program) ?? [join(homedir(), ".cargo/bin", program)].find((path) => existsSync(path));
  return found ?? null;
}

/**
 * A file is made, written and removed in the directory until the output names it: again and again, because some keep their output in a buffer
 * until it is full. Then the output has to stay as it is for a while.
 */
async function drained(root: string, output: string, child: Bun.Subprocess): Promise<void> {
  const name = `bench-sentinel-${sentinels++}`;
  await until(`${output} names ${name}`, async () => {
    if (child.exitCode !== null) throw new Fallen(child.exitCode);
    writeFileSync(join(root, name), "x");
    if (readFileSync(output).includes(name)) return true;
    await Bun.sleep(1);
    unlinkSync(join(root, name));
    return false;
  });
  for (let before = -1; ; ) {
    const size = statSync(output).size;
    if (size === before) return;
    before = size;
    await Bun.sleep(200);
  }
}

interface Plan {
  argv: readonly string[];
  cwd?: string;
  env?: Record<string, string>;
  /** Its output; standard output where it isn't written by the program itself. */
  output: string;
  ownOutput?: boolean;
}

interface Started {
  child: Bun.Subprocess;
  dir: string;
}

function start({ argv, cwd = "/", env, output, ownOutput = false }: Plan): Bun.Subprocess {
  const fd = ownOutput ? "ignore" : openSync(output, "w");
  return Bun.spawn([...argv], {
    cwd,
    env: env ?? (process.env as Record<string, string>),
    stdin: "ignore",
    stdout: fd,
    stderr: openSync(`${output}.err`, "w"),
  });
}

/** Works in the directory until the program's output shows it. */
async function watching(root: string, output: string): Promise<void> {
  await until(`${output} shows an event`, async () => {
    const name = join(root, `bench-sentinel-${sentinels++}`);
    writeFileSync(name, "x");
    await Bun.sleep(50);
    unlinkSync(name);
    return existsSync(output) && readFileSync(output).includes("bench-sentinel");
  });
}

function running(
  started: Started,
  root: string,
  output: string,
  pids: readonly number[],
  count: (text: string, files: ReadonlySet<string>) => Found,
): Running {
  return {
    pids,
    drained: () => drained(root, output, started.child),
    found: (files) => count(readFileSync(output, "latin1"), files),
    stop: async () => {
      started.child.kill("SIGTERM");
      const timer = setTimeout(() => started.child.kill("SIGKILL"), 2000);
      await started.child.exited;
      clearTimeout(timer);
      rmSync(started.dir, { recursive: true, force: true });
    },
  };
}

const fatracePath = installed("fatrace");
const fatrace: Contender = {
  name: "fatrace",
  version: fatracePath === null ? null : packageVersion("fatrace"),
  obstacle: "not installed (Debian: fatrace)",
  start: async (root) => {
    const dir = folder();
    const output = join(dir, "out");
    const child = start({ argv: [fatracePath!, "-c", "-f", "CWD+"], cwd: root, output });
    await watching(root, output);
    // It names the directory of a file that is made or removed, not the file: only what was closed has a name.
    return running({ child, dir }, root, output, [child.pid], (text, files) => {
      const tally = new Tally(files, ["CLOSE_WRITE"]);
      for (const [, cmd, kinds, path] of text.matchAll(/^(.*)\(\d+\): (\S+) +(.*)$/gm))
        if (kinds!.includes("C")) tally.add("CLOSE_WRITE", shortName(path!), cmd !== "unknown");
      return tally.found;
    });
  },
};

const fsnotifywaitPath = installed("fsnotifywait");
const fsnotifywait: Contender = {
  name: "fsnotifywait",
  version: fsnotifywaitPath === null ? null : packageVersion("inotify-tools"),
  obstacle: "not installed (Debian: inotify-tools)",
  start: async (root) => {
    const dir = folder();
    const output = join(dir, "out");
    const events = [
      "create",
      "close_write",
      "delete",
      "attrib",
      "delete_self",
      "moved_from",
      "moved_to",
      "move_self",
    ];
    const child = start({
      argv: [
        fsnotifywaitPath!,
        "-m",
        "-q",
        "-S",
        ...events.flatMap((name) => ["-e", name]),
        "--format",
        "%e %w%f",
        root,
      ],
      output,
    });
    await watching(root, output);
    return running({ child, dir }, root, output, [child.pid], (text, files) => {
      const tally = new Tally(files, ["CREATE", "CLOSE_WRITE", "DELETE"]);
      for (const [, kinds, path] of text.matchAll(/^(\S+) (.*?)(?: \(deleted\))?$/gm))
        for (const kind of kinds!.split(",")) tally.add(kind, shortName(path!), false);
      return { ...tally.found, nameless: Number.NaN };
    });
  },
};

const rustPath = findRust();
const rust: Contender = {
  name: "fsmon (Rust)",
  version:
    rustPath === null
      ? null
      : (spawnSync(rustPath, ["--version"], { encoding: "utf8" }).stdout.trim().split(" ").at(-1) ?? ""),
  obstacle: "not installed (cargo install fsmon --version 0.5.4, or its path in FSMON_RUST)",
  start: async (root) => {
    const dir = folder();
    const output = join(dir, ".local/state/fsmon/_global_log.jsonl");
    const env = rustEnvironment(dir);
    const command = (...args: string[]) => {
      const done = spawnSync(rustPath!, args, { env, encoding: "utf8" });
      if (done.status !== 0) throw new Error(`fsmon (Rust) ${args.join(" ")}: ${done.stderr}`);
    };
    command("init");
    command("add", "_global", "--path", root, "-r");
    const child = start({ argv: [rustPath!, "daemon"], env, output: join(dir, "messages") });
    await watching(root, output);
    return running({ child, dir }, root, output, [child.pid], (text, files) => {
      const tally = new Tally(files, ["CREATE", "CLOSE_WRITE", "DELETE"]);
      for (const [, kind, path, comm] of text.matchAll(
        /"event_type":"([A-Z_]+)","path":"([^"]*)","pid":\d+,"comm":"([^"]*)"/g,
      ))
        tally.add(kind!, shortName(path!), comm !== "" && comm !== "unknown");
      return tally.found;
    });
  },
};

function findRust(): string | null {
  const named = process.env.FSMON_RUST;
  const path = named ?? join(homedir(), ".cargo/bin/fsmon");
  return existsSync(path) ? path : null;
}

/** A home of its own for the Rust fsmon. */
export function rustEnvironment(home: string): Record<string, string> {
  const runtime = join(home, "run");
  mkdirSync(runtime, { recursive: true });
  return { HOME: home, XDG_RUNTIME_DIR: runtime, PATH: process.env.PATH ?? "/usr/bin:/bin" };
}

export const RUST = rustPath;

const auditdPath = installed("auditd") ?? (existsSync("/usr/sbin/auditd") ? "/usr/sbin/auditd" : null);
const auditd: Contender = {
  name: "auditd",
  version: auditdPath === null || !auditWorks() ? null : packageVersion("auditd"),
  obstacle:
    auditdPath === null ? "not installed (Debian: auditd)" : "the kernel's audit is used or refused here",
  start: async (root) => {
    const dir = folder();
    chmodSync(dir, 0o700);
    const output = join(dir, "audit.log");
    writeFileSync(join(dir, "auditd.conf"), auditdConfig(output), { mode: 0o600 });
    const child = start({ argv: [auditdPath!, "-n", "-c", dir], output, ownOutput: true });
    await until("auditd writes its log", () => existsSync(output));
    auditctl("-b", "60000", "-e", "1");
    auditctl("-a", "always,exit", "-F", `dir=${root}`, "-F", "perm=wa", "-k", ADD_GROUP);
    await watching(root, output);
    const kauditd = Number(spawnSync("pgrep", ["-x", "kauditd"], { encoding: "utf8" }).stdout.trim());
    // Its log tells system calls: it knows no close.
    const run = running(
      { child, dir },
      root,
      output,
      [child.pid, ...(kauditd > 0 ? [kauditd] : [])],
      (text, files) => {
        const tally = new Tally(files, ["CREATE", "DELETE"]);
        let cwd = "";
        for (const [, directory, path, kind] of text.matchAll(
          /type=(?:CWD .* cwd="([^"]*)"|PATH .* name="([^"]*)" .* nametype=(CREATE|DELETE))/g,
        )) {
          // It tells the name as the program gave it, and beside it where the program stood.
          if (directory !== undefined) cwd = directory;
          else tally.add(kind!, shortName(path!.startsWith("/") ? path! : `${cwd}/${path}`), true);
        }
        return tally.found;
      },
    );
    return {
      ...run,
      stop: async () => {
        auditctl("-D");
        await run.stop();
        auditctl("-e", "0");
      },
    };
  },
};

function auditctl(...args: string[]): void {
  const done = spawnSync("auditctl", args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`auditctl ${args.join(" ")}: ${done.stderr}`);
}

/** Only where nobody else uses it: its rules and its switch are the machine's. */
function auditWorks(): boolean {
  const status = spawnSync("auditctl", ["-s"], { encoding: "utf8" });
  return status.status === 0 && /^enabled 0$/m.test(status.stdout) && /^pid 0$/m.test(status.stdout);
}

function auditdConfig(log: string): string {
  const ignore = [
    "max_log_file_action",
    "space_left_action",
    "admin_space_left_action",
    "disk_full_action",
    "disk_error_action",
    "overflow_action",
  ];
  return [
    `log_file = ${log}`,
    "log_format = RAW",
    "flush = NONE",
    "num_logs = 0",
    "max_log_file = 4000",
    "space_left = 5",
    "admin_space_left = 2",
    "q_depth = 60000",
    ...ignore.map((name) => `${name} = IGNORE`),
    "",
  ].join("\n");
}

function packageVersion(name: string): string {
  const done = spawnSync("dpkg-query", ["-W", "-f", VERSION_FORMAT, name], { encoding: "utf8" });
  return done.status === 0 ? done.stdout : "?";
}

export const RIVALS: readonly Contender[] = [fatrace, fsnotifywait, rust, auditd];
