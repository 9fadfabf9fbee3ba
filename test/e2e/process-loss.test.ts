// Where the kernel drops process records the log says so, names nobody whom it can't be sure of, and is exact again afterwards.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync, linkSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { command, type LogLine, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { until } from "../support/wait.ts";
import { Workload } from "../support/workload.ts";

const PROGRAMS = 20;
/** The first that may be used. */
const cpu = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "0";
/** On that one CPU, whose ring holds 87,381 of them at the most (kernel/perf.ts). */
const NAMES = 90_000;
/** After that, so that their beginnings and ends are lost. */
const FORKS = 2_000;
/** Each two messages, of which the connector's socket holds some 40,000. */
const CHANGES_OF_USER = 30_000;

describe.skipIf(captureObstacle !== null)("process records that are lost (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let witness: Workload;
  let herd: Workload;
  let steady: Bun.Subprocess<"pipe", "ignore", "inherit">;
  let links: string;
  let root: string;
  beforeAll(() => {
    witness = new Workload("witness");
    herd = new Workload("herd");
  });
  afterAll(() => {
    witness?.remove();
    herd?.remove();
  });
  beforeEach(async () => {
    filesystem = TestFilesystem.mount("tmpfs");
    links = filesystem.directory("links");
    copyFileSync(witness.program, join(links, "w0-0"));
    for (let i = 1; i < PROGRAMS; i++) linkSync(join(links, "w0-0"), join(links, `w0-${i}`));
    root = filesystem.directory("root");
    for (const name of ["before", "in", "after"]) filesystem.directory(`root/${name}`);
    daemon = await new TestDaemon().start();
    await daemon.add(root, "-r");
    steady = Bun.spawn(["sh"], { stdin: "pipe", stdout: "ignore" });
    await write("s0");
    await daemon.settle(root);
  });
  afterEach(async () => {
    steady?.kill();
    await daemon?.destroy();
    filesystem?.unmount();
  });

  /** A shell that lives all the time writes to a file. */
  async function write(name: string): Promise<void> {
    const path = join(root, name);
    steady.stdin.write(`echo > ${path}\n`);
    steady.stdin.flush();
    await until("the shell has written", () => Bun.file(path).exists());
  }

  /** Each program's lines as "name user who why", without repetitions. */
  function told(directory: string): { exact: number; said: string[] } {
    let exact = 0;
    const said = new Set<string>();
    for (const line of daemon.events(join(root)).filter((one) => one.path.includes(`/${directory}/ran.`))) {
      const name = line.path.split(".").at(-3);
      // Executed, or given its user, in the same batch: what it did before would bear the same name.
      const sure = [undefined, "launched", "changed_meanwhile"].includes(line.who);
      if (line.cmd === name && line.user !== null && sure) exact++;
      else said.add(`${line.cmd} ${line.user} ${line.who} ${line.who_reason}`);
    }
    return { exact, said: [...said] };
  }

  const lineOf = (name: string) => daemon.events(root).findLast((line) => line.path === join(root, name))!;
  const gaps = () => daemon.processGaps(root);
  const onOneCpu = (program: string, ...args: (string | number)[]) =>
    command(["taskset", "-c", cpu, program, ...args.map(String)]);

  async function whileStopped(work: () => Promise<void>): Promise<void> {
    await daemon.whileStopped(work);
    await daemon.settle(root);
  }

  test("in a storm of records while the daemon was stopped: what was told before is exact, what came then nameless, the rest marked", async () => {
    await whileStopped(async () => {
      await onOneCpu(witness.program, "launch", links, join(root, "before"), 1, PROGRAMS);
      expect((await onOneCpu(herd.program, "name", NAMES)).code).toBe(0);
      expect((await onOneCpu(herd.program, "fork", 1, FORKS)).code).toBe(0);
      await onOneCpu(witness.program, "launch", links, join(root, "in"), 1, PROGRAMS);
      await write("s1");
    });
    expect(gaps()).toMatchObject([{ reason: "process_stream_lost", lost: expect.any(Number) }]);
    expect((gaps() as Required<LogLine>[])[0]!.lost).toBeGreaterThan(FORKS);
    expect(told("before")).toEqual({ exact: 2 * PROGRAMS, said: [] });
    expect(told("in")).toEqual({ exact: 0, said: ["null null undefined process_stream_lost"] });
    expect(lineOf("s1")).toMatchObject({ cmd: "sh", user: "root", who: "lost" });

    await write("s2");
    await onOneCpu(witness.program, "launch", links, join(root, "after"), 1, PROGRAMS);
    await daemon.settle(root);
    expect(lineOf("s2")).toMatchObject({ cmd: "sh", user: "root" });
    expect(lineOf("s2")).not.toHaveProperty("who");
    expect(told("after")).toEqual({ exact: 2 * PROGRAMS, said: [] });
    expect(gaps()).toHaveLength(1);
  });

  test.skipIf(cpus().length < 2)(
    "an end among them: a number's next holder did nothing of it (needs two CPUs)",
    async () => {
      const first = Bun.spawn(["taskset", "-c", "0", "sh"], { stdin: "pipe", stdout: "ignore" });
      const later = `i=0; while [ $i -lt 500 ]; do
        echo ${first.pid - 1} > /proc/sys/kernel/ns_last_pid; sleep 1000 > /dev/null 2>&1 &
        [ $! = ${first.pid} ] && exit; kill $!; i=$((i + 1)); done; exit 1`;
      await write("s1");
      await daemon.settle(root);
      await whileStopped(async () => {
        expect((await onOneCpu(herd.program, "name", NAMES)).code).toBe(0);
        first.stdin.write(`echo > ${join(root, "first")}; exit\n`);
        first.stdin.end();
        await first.exited;
        // Another CPU's ring has room: this fork is told.
        expect(await command(["taskset", "-c", "1", "sh", "-c", later])).toMatchObject({ code: 0 });
      });
      process.kill(first.pid);
      expect(gaps()).toMatchObject([{ reason: "process_stream_lost" }]);
      expect(lineOf("first")).toMatchObject({ cmd: null, user: null, who_reason: "process_stream_lost" });
    },
  );

  test("of changes of user alone: names stay exact, users are read anew", async () => {
    const flip = async () => {
      const program = `import os
for i in range(${CHANGES_OF_USER}):
    os.seteuid(1); os.seteuid(0)
open('${root}/flipped', 'w')`;
      expect(await command(["python3", "-c", program])).toMatchObject({ code: 0, stderr: "" });
      await write("s1");
    };
    // Again where others on the machine have used up the rings of names as well.
    do await whileStopped(flip);
    while (gaps().at(-1)?.lost !== null);
    expect(lineOf("flipped")).toMatchObject({
      cmd: expect.stringMatching(/^python3/),
      user: null,
      who_reason: "process_stream_lost",
    });
    expect(lineOf("s1")).toMatchObject({ cmd: "sh", user: "root", who: "lost" });
    await write("s2");
    await daemon.settle(root);
    expect(lineOf("s2")).not.toHaveProperty("who");
  });
});
