// Who did it: programs that say by the name of the file they make who they are, far too short-lived to be looked up, against what the log says.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { type LogLine, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { Workload } from "../support/workload.ts";

/** The programs of one launcher run one after the other. */
const LAUNCHERS = 4;
const PROGRAMS = 5000;
/** Where fewer do. */
const FEWER = 1250;
/** As in witness.c. */
const USERS = [0, 1, 2, 3, 33, 65534, 54321];

describe.skipIf(captureObstacle !== null)("attribution (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let witness: Workload;
  let links: string;
  beforeAll(async () => {
    witness = new Workload("witness");
    filesystem = TestFilesystem.mount("tmpfs");
    // Other users must get there.
    chmodSync(dirname(filesystem.path), 0o755);
    links = join(filesystem.path, "links");
    mkdirSync(links);
    copyFileSync(witness.program, join(links, "witness"));
    for (let launcher = 0; launcher < LAUNCHERS; launcher++) {
      for (let i = 0; i < PROGRAMS; i++) linkSync(join(links, "witness"), join(links, `w${launcher}-${i}`));
    }
    daemon = await new TestDaemon().start();
  });
  afterAll(async () => {
    await daemon?.destroy();
    filesystem?.unmount();
    witness?.remove();
  });

  async function managed(name: string): Promise<string> {
    const path = join(filesystem.path, name);
    mkdirSync(path);
    chmodSync(path, 0o777);
    await daemon.add(path, "-r");
    return path;
  }

  test("20,000 programs that live less than a millisecond, four at a time, seven users, files of their own and of others: each named exactly", async () => {
    const root = await managed("short");
    for (let i = 0; i < LAUNCHERS * PROGRAMS; i++) {
      const file = join(root, programName(i));
      writeFileSync(file, "");
      // None belongs to the user who will write to it.
      chownSync(file, USERS[(i + 3) % 7]!, 0);
      chmodSync(file, 0o666);
    }
    await daemon.settle(root);
    const before = daemon.events(root).length;
    witness.run("launch", links, root, LAUNCHERS, PROGRAMS);
    await daemon.settle(root);
    const lines = daemon.events(root).slice(before);
    expectTruth(lines, LAUNCHERS * PROGRAMS);
    const others = lines.filter((line) => !line.path.includes("/ran."));
    expect(new Set(others.map((line) => line.path)).size).toBe(LAUNCHERS * PROGRAMS);
  }, 120_000);

  test("5,000 of them while every CPU is kept busy: each named exactly", async () => {
    const root = await managed("busy");
    witness.run("launch", links, root, LAUNCHERS, FEWER, "busy");
    await daemon.settle(root);
    expectTruth(daemon.events(root), LAUNCHERS * FEWER);
  }, 60_000);

  test("5,000 programs that change their user before they write: each with the user it had then", async () => {
    const root = await managed("late");
    witness.run("launch", links, root, LAUNCHERS, FEWER, "late");
    await daemon.settle(root);
    expectTruth(daemon.events(root), LAUNCHERS * FEWER);
  });

  test("5,000 programs while the daemon was stopped: each named exactly when it goes on", async () => {
    const root = await managed("asleep");
    daemon.signal("SIGSTOP");
    try {
      witness.run("launch", links, root, LAUNCHERS, FEWER);
    } finally {
      daemon.signal("SIGCONT");
    }
    await daemon.settle(root);
    expectTruth(daemon.events(root), LAUNCHERS * FEWER);
  });

  describe("three numbers for all processes", () => {
    test("none gets the name or user of one that had its number before or has it later", async () => {
      const root = await managed("reused");
      witness.run("reuse", links, root, 1000);
      await daemon.settle(root);
      expectNoUntruth(daemon.events(root), 1000);
    });

    test("nor where all of that lies between two reads; what can't be known is nobody's, and says so", async () => {
      const root = await managed("reused-asleep");
      daemon.signal("SIGSTOP");
      try {
        witness.run("reuse", links, root, 1000);
      } finally {
        daemon.signal("SIGCONT");
      }
      await daemon.settle(root);
      const { unknown } = expectNoUntruth(daemon.events(root), 1000);
      expect(new Set(unknown.map((line) => line.who_reason))).toEqual(new Set(["pid_reused"]));
    });
  });
});

function programName(i: number): string {
  return `w${Math.floor(i / PROGRAMS)}-${i % PROGRAMS}`;
}

/** Every line agrees with what the programs said by the names of their files, and there are so many programs. */
function expectTruth(lines: readonly LogLine[], programs: number): void {
  const { unknown } = expectNoUntruth(lines, programs);
  expect({ unknown: unknown.length, examples: unknown.slice(0, 8) }).toEqual({ unknown: 0, examples: [] });
}

/** No line says anything that isn't so; lines that say that they don't know are returned. */
function expectNoUntruth(lines: readonly LogLine[], programs: number): { unknown: LogLine[] } {
  const names = userNames();
  const truths = new Map<string, string>();
  const fileOf = (line: LogLine) => line.path.slice(line.path.lastIndexOf("/") + 1);
  for (const line of lines) {
    const [, name, pid, uid] = fileOf(line).split(".");
    if (uid !== undefined) truths.set(name!, `${pid} ${name} ${names.get(uid) ?? uid}`);
  }
  const wrong: string[] = [];
  const unknown: LogLine[] = [];
  for (const line of lines) {
    const file = fileOf(line);
    const truth = truths.get(file.split(".")[1] ?? file);
    const said = `${line.pid} ${line.cmd} ${line.user}`;
    if (line.cmd === null && line.user === null && truth?.startsWith(`${line.pid} `)) unknown.push(line);
    else if (said !== truth) wrong.push(`${line.event_type} ${file}: ${said}, in truth ${truth}`);
  }
  expect({ programs: truths.size, wrong: wrong.length, examples: wrong.slice(0, 8) }).toEqual({
    programs,
    wrong: 0,
    examples: [],
  });
  return { unknown };
}

function userNames(): Map<string, string> {
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  return new Map(lines.map((line) => line.split(":")).map(([name, , uid]) => [uid ?? "", name ?? ""]));
}
