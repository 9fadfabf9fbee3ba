// What a process is called, in every guise that it can take: each file tells by its name who made it (test/support/guise.c),
// and the log has to say the same. docs/events.md specifies each.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type LogLine, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, run, TestFilesystem } from "../support/filesystem.ts";
import { runResting, Workload } from "../support/workload.ts";

describe.skipIf(captureObstacle !== null)("the names of processes (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let guise: Workload;
  let programs: string;
  beforeAll(async () => {
    guise = new Workload("guise");
    filesystem = TestFilesystem.mount("tmpfs");
    programs = filesystem.directory("programs");
    daemon = await new TestDaemon().start();
  });
  afterAll(async () => {
    await daemon?.destroy();
    filesystem?.unmount();
    guise?.remove();
  });

  const managed = (name: string, ...flags: string[]) =>
    daemon.add(filesystem.directory(name), "-r", ...flags);

  /** The same program under another name. */
  function program(name: string): string {
    const path = join(programs, name);
    copyFileSync(guise.program, path);
    chmodSync(path, 0o755);
    return path;
  }

  async function made(root: string): Promise<LogLine[]> {
    await daemon.settle(root);
    return daemon.events(root).filter((line) => line.event_type === "CREATE");
  }

  /** The daemon has read all of it that comes before a rest. */
  const resting = (root: string, ...argv: string[]) => runResting(() => daemon.settle(root), ...argv);

  test("are inherited by fork, and follow prctl(PR_SET_NAME) and /proc/self/comm", async () => {
    const root = await managed("renames");
    guise.run(root, "plain");
    guise.run(root, "fork");
    await resting(root, guise.program, root, "rename");
    const lines = await made(root);
    expectTruth(lines, 6);
    expect(lines.map(({ cmd }) => cmd)).toEqual([
      "guise",
      "guise",
      "guise",
      "renamed byé",
      "by proc",
      "by proc",
    ]);
  });

  test("are the process's, not its threads'; a child has the name of the thread that forked it", async () => {
    const root = await managed("threads");
    guise.run(root, "threads");
    const lines = await made(root);
    expectTruth(lines, 4);
    expect(lines.find(({ path }) => path.includes("thread-child"))?.cmd).toBe("forker");
  });

  test("are the program's after vfork, posix_spawn and an exec from a thread that isn't the first", async () => {
    const root = await managed("execs");
    for (const how of ["vfork", "spawn", "thread-exec"]) guise.run(root, how, program(`by-${how}`));
    const lines = await made(root);
    expectTruth(lines, 3);
    expect(lines.map(({ cmd, exe }) => [cmd, exe])).toEqual(
      ["by-vfork", "by-spawn", "by-thread-exec"].map((name) => [name, join(programs, name)]),
    );
  });

  test("are the script's for #!, and the executable is its interpreter", async () => {
    const root = await managed("scripts");
    const script = join(programs, "script-with-a-long-name.sh");
    writeFileSync(script, `#!/bin/sh\n: > "$1"\n`);
    chmodSync(script, 0o755);
    run([script, join(root, "a")]);
    const [line] = await made(root);
    expect(line).toMatchObject({ cmd: "script-with-a-l", exe: realpathSync("/bin/sh") });
  });

  test("are what the kernel calls a program in memory, and one whose file is gone", async () => {
    const root = await managed("gone");
    guise.run(root, "memfd", guise.program);
    const doomed = program("doomed");
    await resting(root, doomed, root, "unlinked", doomed);
    const lines = await made(root);
    expectTruth(lines, 2);
    expect(lines.map(({ exe }) => exe)).toEqual(["/memfd:in-memory", doomed]);
  });

  test("are the old one's between fork and exec, and the executable too", async () => {
    const root = await managed("between");
    await resting(root, guise.program, root, "exec-later", program("afterwards"));
    const lines = await made(root);
    expectTruth(lines, 2);
    expect(lines.map(({ cmd, exe }) => [cmd, exe])).toEqual([
      ["guise", guise.program],
      ["afterwards", join(programs, "afterwards")],
    ]);
  });

  test("are the later ones, and the lines say so, where both are read at once", async () => {
    const root = await managed("at-once");
    await daemon.whileStopped(() => {
      guise.run(root, "rename-at-once");
      guise.run(root, "exec-at-once", program("at-once"));
      guise.run(root, "drop-at-once", 33);
      guise.run(root, "child-drops-at-once", 2);
    });
    const lines = await made(root);
    expect(lines.map(({ cmd, user, who }) => `${cmd} ${user} ${who}`)).toEqual([
      "late-name root changed_meanwhile",
      "late-name root changed_meanwhile",
      "at-once root launched",
      "at-once root launched",
      "guise www-data changed_meanwhile",
      "guise www-data changed_meanwhile",
      "guise bin changed_meanwhile",
      "guise bin changed_meanwhile",
    ]);
  });

  test("of shells and their programs: the program's in a loop, the shell's for what it opened itself", async () => {
    const root = await managed("shell");
    const script = `cd ${root}
      for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        mkdir -p dir$i/sub; touch dir$i/f; echo hello > dir$i/g; cp dir$i/g dir$i/h; sed -i s/hello/bye/ dir$i/g
        ( : > dir$i/subshell ); echo one | tr o 0 | tee dir$i/piped > /dev/null
        rm -rf dir$i
      done`;
    run(["sh", "-c", script]);
    await daemon.settle(root);
    const expected: [RegExp, string, string][] = [
      [/dir\d+(\/sub)?$/, "CREATE", "mkdir"],
      [/\/f$/, "CREATE", "touch"],
      [/\/g$/, "CREATE", "sh"],
      [/\/g$/, "MOVED_TO", "sed"],
      [/\/h$/, "CREATE", "cp"],
      [/\/subshell$/, "CREATE", "sh"],
      [/\/piped$/, "CREATE", "tee"],
      [/./, "DELETE", "rm"],
      [/dir\d+(\/sub)?$/, "DELETE_SELF", "rm"],
    ];
    const lines = daemon.events(root);
    for (const [name, type, cmd] of expected) {
      const those = lines.filter((line) => line.event_type === type && name.test(line.path));
      expect(those.length).toBeGreaterThanOrEqual(20);
      expect(new Set(those.map((line) => `${line.path.replace(/\d+/, "N")} ${line.cmd}`))).toEqual(
        new Set(those.map((line) => `${line.path.replace(/\d+/, "N")} ${cmd}`)),
      );
    }
  });

  test("of a process that lets io_uring work for it", async () => {
    const root = await managed("kernel", "--all-events");
    const ring = guise.run(root, "ring");
    await daemon.settle(root);
    const lines = daemon.events(root);
    if (!ring.includes("no io_uring")) expectTruth(lines.filter(isMade).filter(isWitness), 1);
  });

  test.skipIf(!existsSync("/dev/loop-control"))("of a kernel thread (needs loop devices)", async () => {
    const root = join(filesystem.path, "devices");
    mkdirSync(root);
    run(["mount", "-t", "devtmpfs", "fsmon-test", root]);
    try {
      await daemon.add(root);
      // The kernel's own thread makes the device.
      guise.run(root, "loop-device", 777);
      await daemon.settle(root);
      const made = daemon.events(root).find(({ path }) => path.endsWith("loop777"));
      expect(made).toMatchObject({ event_type: "CREATE", cmd: "kdevtmpfs", user: "root" });
      expect(made).not.toHaveProperty("exe");
      expect(made).not.toHaveProperty("who");
    } finally {
      await daemon.fsmon("remove", root);
      run(["umount", root]);
    }
  });

  test("of processes in containers: outer number, outer user", async () => {
    const root = await managed("container");
    const inside = `${program("guise")} ${root} plain; touch ${join(root, "as-root-inside")}`;
    const child = Bun.spawnSync([
      ...["setpriv", "--reuid=65534", "--clear-groups", "unshare", "-Urpf", "sh", "-c", inside],
    ]);
    expect(child.exitCode).toBe(0);
    const [byGuise, byTouch] = await made(root);
    // Inside it is a low number, and root.
    expect(byGuise?.path).toMatch(/plain\.guise\.\d\.0$/);
    expect(byGuise).toMatchObject({ cmd: "guise", user: "nobody", uid: 65534 });
    expect(byGuise?.pid).toBeGreaterThan(9);
    expect(byTouch).toMatchObject({ cmd: "touch", user: "nobody", uid: 65534 });
  });

  test("of processes outside the daemon's pid namespace: nobody's, with the reason", async () => {
    const inside = new TestDaemon();
    try {
      await inside.start([], ["unshare", "-pf", "--mount-proc", "--kill-child"]);
      const root = join(filesystem.path, "outside");
      mkdirSync(root);
      await inside.add(root, "-r");
      guise.run(root, "plain");
      await inside.settle(root);
      const line = inside.events(root).find(isMade);
      const unknown = { pid: null, cmd: null, user: null, who_reason: "outside_pid_namespace" };
      expect(line).toMatchObject(unknown);
      for (const key of ["ppid", "exe", "uid", "who"]) expect(line).not.toHaveProperty(key);
    } finally {
      await inside.destroy();
    }
  });

  test("of processes that are older than the daemon, exactly", async () => {
    const root = await managed("older");
    await daemon.stop();
    const old = Bun.spawn(["sh", "-c", `read line; : > ${join(root, "a")}; read line`], { stdin: "pipe" });
    await daemon.start();
    try {
      old.stdin.write("\n");
      old.stdin.flush();
      const [line] = await until(() => made(root));
      expect(line).toMatchObject({ cmd: "sh", pid: old.pid, user: "root", ppid: process.pid });
      expect(line).toMatchObject({ exe: realpathSync("/bin/sh") });
      expect(line).not.toHaveProperty("who");
    } finally {
      old.stdin.end();
      await old.exited;
    }
  });

  async function until(look: () => Promise<LogLine[]>): Promise<LogLine[]> {
    for (;;) {
      const lines = await look();
      if (lines.length > 0) return lines;
    }
  }
});

const isMade = (line: LogLine) => line.event_type === "CREATE";
const isWitness = (line: LogLine) => /\.\d+\.\d+$/.test(line.path);

/** Every line agrees with the name of its file, WHAT.NAME.PID.UID, and there are so many. */
function expectTruth(lines: readonly LogLine[], count: number): void {
  const users = new Map(
    readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .map((line) => [line.split(":")[2] ?? "", line.split(":")[0] ?? ""]),
  );
  const said = lines.map(
    (line) => `${line.path.split("/").at(-1)?.split(".")[0]}: ${line.cmd} ${line.pid} ${line.user}`,
  );
  const truth = lines.map(({ path }) => {
    const [what, name, pid, uid] = path.split("/").at(-1)!.split(".");
    return `${what}: ${name} ${pid} ${users.get(uid!) ?? uid}`;
  });
  expect(said).toEqual(truth);
  expect(lines).toHaveLength(count);
}
