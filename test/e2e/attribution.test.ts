// Who did it: programs that say by the name of the file they make who they are, far too short-lived to be looked up, against what the log says.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, copyFileSync, linkSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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
  let rounds = 0;
  beforeAll(async () => {
    witness = new Workload("witness");
    filesystem = TestFilesystem.mount("tmpfs");
    links = filesystem.directory("links");
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

  const managed = (name: string) => daemon.add(filesystem.directory(name), "-r");

  /**
   * What the log has of programs that are run in a fresh managed directory, the test's own work apart. Again where process records were
   * lost, as the log says: on a machine that has no time for the daemon, names may be missing then.
   */
  async function recorded(name: string, run: (root: string) => unknown): Promise<LogLine[]> {
    for (;;) {
      const root = await managed(`${name}-${rounds++}`);
      await run(root);
      await daemon.settle(root);
      if (daemon.processGaps(root).length === 0)
        return daemon.events(root).filter((line) => line.pid !== process.pid);
    }
  }

  /** The same where all of them have to be known; again, and with fewer, where numbers were used again before the daemon came by. */
  async function expectKnown(
    name: string,
    programs: number,
    run: (root: string, programs: number) => unknown,
  ): Promise<void> {
    for (let count = programs; ; count = Math.min(count, FEWER)) {
      let ran = 0;
      const lines = await recorded(name, (root) => {
        ran = count;
        // What fits into the kernel's rings, should it come to a second round.
        count = Math.min(count, FEWER);
        return run(root, ran);
      });
      const { unknown } = expectNoUntruth(lines, LAUNCHERS * ran);
      if (unknown.length === 0) return;
      expect(new Set(unknown.map((line) => line.who_reason))).toEqual(new Set(["pid_reused"]));
    }
  }

  test("20,000 programs that live less than a millisecond, four at a time, seven users, files of their own and of others: each named exactly", () =>
    expectKnown("short", PROGRAMS, async (root, programs) => {
      for (let i = 0; i < LAUNCHERS * programs; i++) {
        const file = join(root, `w${Math.floor(i / programs)}-${i % programs}`);
        writeFileSync(file, "");
        // None belongs to the user who will write to it.
        chownSync(file, USERS[(i + 3) % 7]!, 0);
        chmodSync(file, 0o666);
      }
      await daemon.settle(root);
      witness.run("launch", links, root, LAUNCHERS, programs);
      await daemon.settle(root);
      const others = daemon
        .events(root)
        .filter((line) => line.pid !== process.pid && !line.path.includes("/ran."));
      expect(new Set(others.map((line) => line.path)).size).toBe(LAUNCHERS * programs);
    }));

  test("20,000 of them while every CPU is kept busy: each named exactly", () =>
    expectKnown("busy", PROGRAMS, (root, programs) =>
      witness.run("launch", links, root, LAUNCHERS, programs, "busy"),
    ));

  test("5,000 programs that change their user before they write: each with the user it had then", () =>
    expectKnown("late", FEWER, (root, programs) =>
      witness.run("launch", links, root, LAUNCHERS, programs, "late"),
    ));

  test("2,000 programs while the daemon was stopped: each named exactly when it goes on", () =>
    // Not more: what else runs on the machine fills the same rings.
    expectKnown("asleep", 500, (root, programs) =>
      daemon.whileStopped(() => witness.run("launch", links, root, LAUNCHERS, programs)),
    ));

  describe("three numbers for all processes", () => {
    test("none gets the name or user of one that had its number before or has it later", async () => {
      expectNoUntruth(await recorded("reused", (root) => witness.run("reuse", links, root, 1000)), 1000);
    });

    test("nor where all of that lies between two reads; what can't be known is nobody's, and says so", async () => {
      const lines = await recorded("reused-asleep", (root) =>
        daemon.whileStopped(() => witness.run("reuse", links, root, 1000)),
      );
      const { unknown } = expectNoUntruth(lines, 1000);
      expect(new Set(unknown.map((line) => line.who_reason))).toEqual(new Set(["pid_reused"]));
    });
  });
});

/**
 * Each way of identifying processes, chosen by a switch, and what it promises of programs that live less than a
 * millisecond. What it doesn't know is null; what it says is so.
 */
describe.skipIf(captureObstacle !== null)("each way to identify processes (needs root and mounts)", () => {
  const PROMISES = [
    { way: "perf,connector", says: "perf side-band and proc connector: exact", names: 1, users: 1 },
    { way: "perf,taskstats", says: "perf side-band: names exact", names: 1, users: 0.999 },
    { way: "perf", says: "perf side-band: names exact", names: 1, users: 0 },
    { way: "connector,taskstats", says: "proc connector: users exact", names: 0.999, users: 1 },
    { way: "connector", says: "proc connector: users exact", names: 0, users: 1 },
    { way: "taskstats", says: "taskstats and /proc", names: 0.999, users: 0.999 },
    { way: "proc", says: "/proc only", names: 0, users: 0 },
  ];
  let filesystem: TestFilesystem;
  let witness: Workload;
  let guise: Workload;
  let links: string;
  beforeAll(() => {
    witness = new Workload("witness");
    guise = new Workload("guise");
    filesystem = TestFilesystem.mount("tmpfs");
    links = filesystem.directory("links");
    for (let i = 0; i < LAUNCHERS * 200; i++) {
      const link = join(links, `w${Math.floor(i / 200)}-${i % 200}`);
      if (i === 0) copyFileSync(witness.program, link);
      else linkSync(join(links, "w0-0"), link);
    }
  });
  afterAll(() => {
    filesystem?.unmount();
    witness?.remove();
    guise?.remove();
  });

  test.each(PROMISES)("$way", async ({ way, says, names, users }) => {
    const daemon = await new TestDaemon().start(["--identify", way]);
    try {
      expect(daemon.stderr).toContain(`processes by ${says}`);
      const root = await daemon.add(filesystem.directory(way), "-r");
      witness.run("launch", links, root, LAUNCHERS, 200);
      // clone(CLONE_PARENT): its maker isn't its parent.
      guise.run(root, "sibling", 33);
      // By /proc alone a number is whoever has it when it is looked at.
      const reused = filesystem.directory(`${way}/reused`);
      if (way !== "proc") witness.run("reuse", links, reused, 200);
      // One that lives long is known by every way.
      writeFileSync(join(root, "by.us"), "");
      await daemon.settle(root);
      const lines = daemon.events(root);
      const ours = lines.filter((line) => line.path.endsWith("/by.us"));
      expect(ours.map((line) => line.pid)).toEqual([process.pid, process.pid]);
      expect(ours.map((line) => line.user)).toEqual(["root", "root"]);
      const { named, owned, total } = expectNoLie(
        lines.filter((line) => line.path.startsWith(`${root}/ran.`)),
      );
      expectNoLie(lines.filter((line) => line.path.startsWith(`${reused}/`)));
      expect(total).toBeGreaterThanOrEqual(LAUNCHERS * 200 * 2);
      expect(named / total).toBeGreaterThanOrEqual(names);
      expect(owned / total).toBeGreaterThanOrEqual(users);
      const siblings = lines.filter((line) => line.path.includes("/sibling."));
      expect(siblings).toHaveLength(2);
      const inherited = siblings.filter((line) => line.who === "inherited");
      expectNoLie(siblings.filter((line) => !inherited.includes(line)));
      // Those of the parent, as far as they are known.
      for (const line of inherited) expect([line.cmd ?? "guise", line.user]).toEqual(["guise", "root"]);
      const inexact = lines.filter((line) => line.who === undefined && line.who_reason === undefined);
      if (way !== "perf,connector") expect(inexact.length).toBeLessThan(total / 20);
    } finally {
      await daemon.destroy();
    }
  });
});

/** What a line says of name and user is so, or it says why it says nothing. */
function expectNoLie(lines: readonly LogLine[]): { named: number; owned: number; total: number } {
  const names = userNames();
  const wrong: string[] = [];
  let named = 0;
  let owned = 0;
  for (const line of lines) {
    const [, name, pid, uid] = line.path.slice(line.path.lastIndexOf("/") + 1).split(".");
    const user = names.get(uid!) ?? uid;
    const honest = (line.cmd !== null && line.user !== null) || line.who_reason !== undefined;
    if (line.cmd !== null) named++;
    if (line.user !== null) owned++;
    if ((line.cmd ?? name) !== name || (line.user ?? user) !== user || String(line.pid) !== pid || !honest)
      wrong.push(JSON.stringify(line));
  }
  expect({ wrong: wrong.length, examples: wrong.slice(0, 4) }).toEqual({ wrong: 0, examples: [] });
  return { named, owned, total: lines.length };
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
