// Who did it: programs that say by the name of the file they make who they are, far too short-lived to be looked up, against what the log says.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, linkSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type LogLine, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { Workload } from "../support/workload.ts";

/** The programs of one launcher run one after the other. */
const LAUNCHERS = 4;
const PROGRAMS = 1250;

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

  test("5,000 programs that live less than a millisecond, four at a time, seven users: each named exactly", async () => {
    const root = await managed("short");
    witness.run("launch", links, root, LAUNCHERS, PROGRAMS);
    await daemon.settle(root);
    expectTruth(daemon.events(root), LAUNCHERS * PROGRAMS);
  });

  test("5,000 programs that change their user before they write: each with the user it had then", async () => {
    const root = await managed("late");
    witness.run("launch", links, root, LAUNCHERS, PROGRAMS, "late");
    await daemon.settle(root);
    expectTruth(daemon.events(root), LAUNCHERS * PROGRAMS);
  });

  test("5,000 programs while the daemon was stopped: each named exactly when it goes on", async () => {
    const root = await managed("asleep");
    daemon.signal("SIGSTOP");
    try {
      witness.run("launch", links, root, LAUNCHERS, PROGRAMS);
    } finally {
      daemon.signal("SIGCONT");
    }
    await daemon.settle(root);
    expectTruth(daemon.events(root), LAUNCHERS * PROGRAMS);
  });
});

/** Every line of a file agrees with the file's name, and there are so many files. */
function expectTruth(lines: readonly LogLine[], files: number): void {
  const names = userNames();
  const wrong: string[] = [];
  const seen = new Set<string>();
  for (const line of lines) {
    const [, name, pid, uid] = line.path.slice(line.path.lastIndexOf("/") + 1).split(".");
    if (line.event_type === "CREATE") seen.add(line.path);
    const truth = `${pid} ${name} ${names.get(uid!) ?? uid}`;
    const said = `${line.pid} ${line.cmd} ${line.user}`;
    if (said !== truth) wrong.push(`${line.event_type}: ${said}, in truth ${truth}`);
  }
  expect({ files: seen.size, wrong: wrong.length, examples: wrong.slice(0, 8) }).toEqual({
    files,
    wrong: 0,
    examples: [],
  });
}

function userNames(): Map<string, string> {
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  return new Map(lines.map((line) => line.split(":")).map(([name, , uid]) => [uid ?? "", name ?? ""]));
}
