import { describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { byTime, type ProcessRecord } from "../../src/decode/process.ts";
import { monotonicNs } from "../../src/kernel/monotonic.ts";
import type { SinceDrained } from "../../src/process/asking.ts";
import { DEAD_MAX } from "../../src/process/graveyard.ts";
import { readPidMax, readStartNs } from "../../src/process/procfs.ts";
import type { RecordLoss } from "../../src/process/streams.ts";
import { type Process, ProcessTable } from "../../src/process/table.ts";
import { ALL_TOLD, type Tells } from "../../src/process/way.ts";
import { runResting, Workload } from "../support/workload.ts";

/** PID_MAX_LIMIT is 2^22 (linux/threads.h): nobody has these numbers, so /proc can't answer for them. */
const INIT = 10_000_001;
const SHELL = 10_000_100;
const CHILD = 10_000_200;
const THREAD = 10_000_101;

const lostSince = (sinceNs: number, count: number | null): RecordLoss => ({
  count,
  sinceNs,
  untilNs: 0,
  usersOnly: false,
});

let nowNs = 1000;
const fork = (pid: number, parentPid: number, parentTid = parentPid, tid = pid): ProcessRecord => ({
  kind: "fork",
  timeNs: nowNs++,
  pid,
  tid,
  parentPid,
  parentTid,
});
const thread = (pid: number, tid: number) => fork(pid, pid, pid, tid);
const exec = (pid: number, comm: string): ProcessRecord => ({
  kind: "comm",
  timeNs: nowNs++,
  pid,
  tid: pid,
  comm,
  exec: true,
});
const rename = (pid: number, tid: number, comm: string): ProcessRecord => ({
  kind: "comm",
  timeNs: nowNs++,
  pid,
  tid,
  comm,
  exec: false,
});
const uid = (pid: number, real: number, effective = real): ProcessRecord => ({
  kind: "uid",
  timeNs: nowNs++,
  pid,
  tid: pid,
  uid: real,
  euid: effective,
});
const exit = (pid: number, tid = pid): ProcessRecord => ({ kind: "exit", timeNs: nowNs++, pid, tid });
const end = (pid: number, comm: string, uid: number): ProcessRecord => ({
  kind: "end",
  timeNs: 0,
  pid,
  tid: pid,
  parentPid: SHELL,
  uid,
  comm,
});

/**
 * A table that knows a shell of user 1000. Its first process is our own under another number: a fork from nobody is believed only
 * of a parent that is known.
 */
function tableWithShell(tells = ALL_TOLD): ProcessTable {
  const table = new ProcessTable(tells);
  table.find(process.pid);
  table.apply([
    fork(INIT, process.pid),
    exec(INIT, "init"),
    uid(INIT, 0),
    fork(SHELL, INIT),
    exec(SHELL, "sh"),
    uid(SHELL, 1000),
  ]);
  return table;
}

function who(table: ProcessTable, pid: number): string | null {
  const one = table.find(pid);
  return one === null ? null : `${one.comm} ${one.uid}/${one.euid} of ${one.parentPid}`;
}

/** Who did something under a number between the two: the name, or how or why not it is known. */
function whoDid(table: ProcessTable, pid: number, sinceNs: number, untilNs = 1e18): string | null {
  const one = table.find(table.tellApart(pid, sinceNs, untilNs))!;
  return one.nameBy === null ? one.comm : one.nameBy;
}

describe("a process", () => {
  test("inherits name, users and executable by fork; what changes without a message isn't copied", () => {
    const table = tableWithShell();
    const shell = table.find(SHELL) as Process;
    shell.login = 1000;
    table.apply([fork(CHILD, SHELL)]);
    expect(who(table, CHILD)).toBe(`sh 1000/1000 of ${SHELL}`);
    expect(table.find(CHILD)).toMatchObject({
      image: shell.image,
      login: undefined,
      parent: shell,
      exited: false,
      nameBy: shell.nameBy,
    });
  });

  test("has the program's name by exec, exactly, and its executable is read anew", () => {
    const table = tableWithShell();
    const shell = table.find(SHELL) as Process;
    Object.assign(shell, { cached: "made before" });
    const before = shell.image;
    table.apply([fork(CHILD, SHELL), exec(CHILD, "rm")]);
    expect(who(table, CHILD)).toBe(`rm 1000/1000 of ${SHELL}`);
    expect(table.find(CHILD)).toMatchObject({
      nameBy: null,
      image: { pid: CHILD, exe: undefined },
      cached: null,
    });
    expect(shell.image).toBe(before);
    expect([shell.comm, shell.cached]).toEqual(["sh", "made before"]);
  });

  test("has another name when its first thread renames itself, without having executed anything", () => {
    const table = tableWithShell();
    const shell = table.find(SHELL) as Process;
    Object.assign(shell, { cached: "made before" });
    const { image } = shell;
    table.apply([rename(SHELL, SHELL, "renamed")]);
    expect([shell.comm, shell.cached]).toEqual(["renamed", null]);
    expect(shell.image).toBe(image);
  });

  test("keeps a name byte by byte", () => {
    const table = tableWithShell();
    const comm = Buffer.from([0xff, 0x0a, 0x22]).toString("latin1");
    table.apply([exec(SHELL, comm)]);
    expect(table.find(SHELL)?.comm).toBe(comm);
  });

  test("changes its users, real and effective, and hands them down from then on", () => {
    const table = tableWithShell();
    table.apply([fork(CHILD, SHELL)]);
    table.apply([uid(SHELL, 1000, 0), fork(CHILD + 1, SHELL), uid(SHELL, 0)]);
    expect([SHELL, CHILD, CHILD + 1].map((pid) => who(table, pid))).toEqual([
      `sh 0/0 of ${INIT}`,
      `sh 1000/1000 of ${SHELL}`,
      `sh 1000/0 of ${SHELL}`,
    ]);
  });

  test("empties what the log made of it when its users change", () => {
    const table = tableWithShell();
    const shell = table.find(SHELL) as Process;
    shell.cached = "made before";
    table.apply([uid(SHELL, 7)]);
    expect(shell.cached).toBeNull();
  });

  test("replaces the one that had its number before", () => {
    const table = tableWithShell();
    table.apply([fork(CHILD, SHELL), exec(CHILD, "first"), uid(CHILD, 5), exit(CHILD)]);
    table.apply([fork(CHILD, INIT), exec(CHILD, "second")]);
    expect(who(table, CHILD)).toBe(`second 0/0 of ${INIT}`);
    // The first one's exit doesn't take the second along.
    for (let i = 0; i < 4; i++) table.sweep();
    expect(who(table, CHILD)).toBe(`second 0/0 of ${INIT}`);
  });
});

describe("threads", () => {
  test("are no processes", () => {
    const table = tableWithShell();
    const before = table.size;
    table.apply([thread(SHELL, THREAD), exit(SHELL, THREAD)]);
    expect(table.size).toBe(before);
    expect(table.peek(THREAD)).toBeNull();
    expect(table.find(SHELL)).toMatchObject({ comm: "sh", exited: false });
  });

  test("that rename themselves leave the process its name, and hand theirs down by fork", () => {
    const table = tableWithShell();
    table.apply([
      thread(SHELL, THREAD),
      rename(SHELL, THREAD, "worker"),
      fork(CHILD, SHELL, THREAD),
      fork(CHILD + 1, SHELL),
    ]);
    expect([SHELL, CHILD, CHILD + 1].map((pid) => table.find(pid)?.comm)).toEqual(["sh", "worker", "sh"]);
  });

  test("have the name of the thread that made them", () => {
    const table = tableWithShell();
    table.apply([
      thread(SHELL, THREAD),
      rename(SHELL, THREAD, "pool"),
      fork(SHELL, SHELL, THREAD, THREAD + 1),
      fork(CHILD, SHELL, THREAD + 1),
    ]);
    expect(table.find(CHILD)?.comm).toBe("pool");
  });

  test("keep their name when the process takes another", () => {
    const table = tableWithShell();
    table.apply([thread(SHELL, THREAD), rename(SHELL, SHELL, "leader"), fork(CHILD, SHELL, THREAD)]);
    expect(table.find(CHILD)?.comm).toBe("sh");
  });

  test("leave their name to nobody who gets their number: not after a repair, nor as a process of its own", () => {
    const table = tableWithShell();
    table.apply([thread(SHELL, THREAD), rename(SHELL, THREAD, "worker")]);
    // Its EXIT was lost.
    table.apply([fork(THREAD, INIT), fork(CHILD, THREAD)]);
    expect(table.find(CHILD)?.comm).toBe("init");
    table.apply([rename(INIT, THREAD + 1, "worker")]);
    table.repair(lostSince(1e18, 1));
    table.apply([fork(INIT, process.pid), exec(INIT, "init"), fork(CHILD, INIT, THREAD + 1)]);
    expect(table.find(CHILD)?.comm).toBe("init");
  });

  test("that take the process's own name, or end, leave nothing behind", () => {
    const table = tableWithShell();
    table.apply([rename(SHELL, THREAD, "worker"), rename(SHELL, THREAD, "sh"), fork(CHILD, SHELL, THREAD)]);
    table.apply([rename(SHELL, THREAD, "worker"), exit(SHELL, THREAD), fork(CHILD + 1, SHELL, THREAD)]);
    expect([CHILD, CHILD + 1].map((pid) => table.find(pid)?.comm)).toEqual(["sh", "sh"]);
  });

  test("that execute a program take the process over: its first thread's EXIT comes before", () => {
    const table = tableWithShell();
    table.apply([fork(CHILD, SHELL), thread(CHILD, CHILD + 1), exit(CHILD), exec(CHILD, "taken-over")]);
    expect(table.find(CHILD)).toMatchObject({ comm: "taken-over", exited: false });
    for (let i = 0; i < 4; i++) table.sweep();
    expect(table.peek(CHILD)).toMatchObject({ comm: "taken-over", exited: false });
    table.apply([exit(CHILD)]);
    for (let i = 0; i < 3; i++) table.sweep();
    expect(table.peek(CHILD)).toBeNull();
  });
});

describe.skipIf(process.getuid?.() !== 0)(
  "threads that are older than the daemon, or than a loss of records (needs root)",
  () => {
    test("have their name and users: for their children, and for what a line may claim", async () => {
      const guise = new Workload("guise");
      const nowhere = mkdtempSync(join(tmpdir(), "fsmon-table-"));
      chmodSync(nowhere, 0o777);
      let rests = 0;
      try {
        await runResting(
          async () => {
            // The second time in a thread that has taken a name and a user.
            if (++rests !== 2) return;
            const [pid] = Bun.spawnSync(["pgrep", "-f", `${guise.program} ${nowhere} thread-user`])
              .stdout.toString()
              .split("\n")
              .map(Number);
            const tid = readdirSync(`/proc/${pid}/task`)
              .map(Number)
              .find((one) => one !== pid)!;
            const table = new ProcessTable();
            table.seed();
            const look = () => {
              const timeNs = monotonicNs();
              table.apply([fork(CHILD, pid!, tid), fork(CHILD + 1, pid!)].map((one) => ({ ...one, timeNs })));
              expect([CHILD, CHILD + 1].map((one) => who(table, one))).toEqual([
                `raw-user 1/1 of ${pid}`,
                `guise 0/0 of ${pid}`,
              ]);
              expect(table.find(pid!)).toMatchObject({ comm: "guise", uid: 0, mixedUsers: true });
            };
            look();
            table.apply([exit(pid!, tid)]);
            expect(table.find(pid!)?.mixedUsers).toBe(false);
            table.repair(lostSince(monotonicNs(), 1));
            look();
          },
          guise.program,
          nowhere,
          "thread-user",
        );
        expect(rests).toBe(3);
      } finally {
        guise.remove();
        rmSync(nowhere, { recursive: true });
      }
    });
  },
);

describe("an exec from a thread that isn't the first", () => {
  test("leaves the process its whole time of grace when it really ends", () => {
    const table = tableWithShell();
    table.apply([fork(CHILD, SHELL), thread(CHILD, CHILD + 1), exit(CHILD), exec(CHILD, "taken-over")]);
    table.sweep();
    table.apply([exit(CHILD)]);
    table.sweep();
    expect(table.find(CHILD)).toMatchObject({ comm: "taken-over", exited: true });
  });

  test("revives the process, also where the record of it has no name", () => {
    const table = tableWithShell();
    table.apply([fork(CHILD, SHELL), thread(CHILD, CHILD + 1), exit(CHILD)]);
    table.apply([{ kind: "exec", timeNs: nowNs++, pid: CHILD }]);
    expect(table.find(CHILD)).toMatchObject({ exited: false });
  });

  test("has that thread's users, also where the record of it has no name", () => {
    for (const record of [exec(CHILD, "taken-over"), { kind: "exec", timeNs: nowNs, pid: CHILD } as const]) {
      const table = tableWithShell();
      const its = { ...uid(CHILD, 33), tid: CHILD + 1 } as ProcessRecord;
      table.apply([fork(CHILD, SHELL), thread(CHILD, CHILD + 1), its, exit(CHILD), record]);
      expect(table.peek(CHILD)).toMatchObject({ uid: 33, euid: 33, mixedUsers: false });
    }
  });

  test("isn't answered by the end of the thread that it replaced, whether told before or after it", () => {
    for (const toldBefore of [true, false]) {
      const table = tableWithShell({ forks: true, names: true, users: false, ends: true });
      const replaced = end(CHILD, "sh", 33);
      table.apply([fork(CHILD, SHELL), thread(CHILD, CHILD + 1), exit(CHILD)]);
      table.apply(toldBefore ? [replaced, exec(CHILD, "taken-over")] : [exec(CHILD, "taken-over"), replaced]);
      expect(table.peek(CHILD)).toMatchObject({ comm: "taken-over", userBy: "unread" });
      table.apply([exit(CHILD), end(CHILD, "taken-over", 1)]);
      expect(table.find(CHILD)).toMatchObject({ comm: "taken-over", uid: 1, userBy: "exit" });
    }
  });
});

describe("what was read before its record came", () => {
  test("counts as changed then: events from before the change may still be told", () => {
    const table = tableWithShell();
    table.apply([fork(CHILD, SHELL)]);
    const child = table.find(CHILD) as Process;
    Object.assign(child, { comm: "later", nameBy: "proc" });
    const renamedNs = nowNs;
    table.apply([rename(CHILD, CHILD, "later")]);
    expect(child).toMatchObject({ comm: "later", nameBy: null, changedNs: renamedNs });
    Object.assign(child, { uid: 33, euid: 33, userBy: "exit" });
    const droppedNs = nowNs;
    table.apply([uid(CHILD, 33)]);
    expect(child).toMatchObject({ uid: 33, userBy: null, changedNs: droppedNs });
  });

  test("counts as changed also when it was taken for exact meanwhile, where names aren't told", () => {
    const table = tableWithShell({ forks: true, names: false, users: true, ends: false });
    table.apply([fork(CHILD, SHELL)]);
    const child = table.peek(CHILD) as Process;
    Object.assign(child, { comm: "later", nameBy: null });
    const renamedNs = nowNs;
    table.apply([rename(CHILD, CHILD, "later")]);
    expect(child.changedNs).toBe(renamedNs);
  });
});

describe("a child of which only the connector tells", () => {
  /** The shell is known exactly; the connector names a child's parent, which need not be who made it. */
  function tableOfConnector(ends = false): ProcessTable {
    const table = new ProcessTable({ forks: true, names: false, users: true, ends });
    table.find(process.pid);
    table.apply([fork(SHELL, process.pid), rename(SHELL, SHELL, "sh"), uid(SHELL, 1000)]);
    return table;
  }

  test("is asked itself while it lives", () => {
    const table = tableOfConnector();
    const { pid } = Bun.spawn(["sleep", "10"]);
    try {
      table.apply([fork(pid, SHELL)]);
      expect(table.find(pid)).toMatchObject({ nameBy: "proc", uid: process.getuid?.() ?? 0, userBy: "proc" });
      expect(table.find(pid)!.comm).not.toBe("sh");
      expect(table.find(pid)!.image).toMatchObject({ pid, exe: undefined });
    } finally {
      process.kill(pid);
    }
  });

  test("has its parent's name and user when it is gone, as inherited, and so have its children", () => {
    const table = tableOfConnector();
    table.apply([fork(CHILD, SHELL), fork(CHILD + 1, CHILD), exit(CHILD + 1), exit(CHILD)]);
    const inherited = { comm: "sh", uid: 1000, nameBy: "inherited", userBy: "inherited" };
    for (const pid of [CHILD, CHILD + 1]) expect(table.find(pid)).toMatchObject(inherited);
  });

  test("keeps its parent's effective user where its end tells the same real one", () => {
    const table = tableOfConnector(true);
    table.apply([uid(SHELL, 33, 0), fork(CHILD, SHELL), exit(CHILD), end(CHILD, "maker", 33)]);
    expect(table.find(CHILD)).toMatchObject({ uid: 33, euid: 0, userBy: "exit" });
  });

  test("has those of its end where that is told", () => {
    const table = tableOfConnector(true);
    table.apply([fork(CHILD, SHELL), exit(CHILD), end(CHILD, "maker", 33)]);
    const image = { exe: null };
    expect(table.find(CHILD)).toMatchObject({
      comm: "maker",
      uid: 33,
      nameBy: "exit",
      userBy: "exit",
      image,
    });
  });

  test("has what it took since exactly", () => {
    const table = tableOfConnector();
    table.apply([fork(CHILD, SHELL), rename(CHILD, CHILD, "own"), uid(CHILD, 33)]);
    expect(table.find(CHILD)).toMatchObject({ comm: "own", uid: 33, nameBy: null, userBy: null });
  });
});

describe("what only /proc tells", () => {
  const tells: Tells = { forks: true, names: false, users: true, ends: false };
  const told = (kind: "fork" | "exit" | null): SinceDrained => ({
    hasTold: (one) => one === kind,
    tellEnds() {},
  });
  /** Ourselves, forked just now by nobody who is known; the connector told that we executed something. */
  function tableWithUs(since: SinceDrained): ProcessTable {
    const table = new ProcessTable(tells, since);
    const forkedNs = readStartNs(process.pid)!;
    table.apply([
      { ...fork(process.pid, SHELL), timeNs: forkedNs },
      { kind: "exec", pid: process.pid, timeNs: forkedNs + 1 },
    ]);
    return table;
  }

  test("is its name, also when it has just ended, unless its number was given away since", () => {
    for (const ended of [false, true]) {
      for (const [kind, nameBy] of [
        [null, "proc"],
        ["exit", "proc"],
        ["fork", "gone_before_known"],
      ] as const) {
        // EXIT is written before a number is free, so what was read without one was its own.
        if (kind === "fork" && !ended) continue;
        const table = tableWithUs(told(kind));
        if (ended) table.apply([exit(process.pid)]);
        expect(table.find(process.pid)).toMatchObject({ nameBy });
      }
    }
    const table = tableWithUs(told(null));
    const { forkedNs } = table.peek(process.pid)!;
    table.apply([exit(process.pid), { ...fork(process.pid, SHELL), timeNs: forkedNs + 5 }]);
    const earlier = table.find(table.tellApart(process.pid, 0, forkedNs + 4));
    expect(earlier).toMatchObject({ forkedNs, nameBy: "gone_before_known" });
  });
});

describe("a number of which only ends are told", () => {
  const tells: Tells = { forks: false, names: false, users: false, ends: true };

  test("is nobody's where several had it", () => {
    const table = new ProcessTable(tells);
    table.apply([end(CHILD, "first", 1), end(CHILD, "second", 1)]);
    expect(table.find(table.tellApart(CHILD, 0, 1e9))).toMatchObject({ nameBy: "pid_reused" });
  });

  test("is whoever /proc showed, by the name it had at its end", () => {
    const table = new ProcessTable(tells);
    table.beginBatch(0);
    expect(table.find(process.pid)).toMatchObject({ nameBy: "proc" });
    table.apply([end(process.pid, "renamed", 33)]);
    expect(table.find(process.pid)).toMatchObject({
      comm: "renamed",
      uid: 33,
      nameBy: "exit",
      earlier: null,
      // It may be another program's name.
      image: { exe: null },
    });
    expect(table.hasReused(2000)).toBe(false);
  });

  test("is whoever /proc shows, if older than the batch: the end that was told is of its first thread", () => {
    const table = new ProcessTable(tells);
    table.beginBatch(monotonicNs() + 1e9);
    table.apply([end(process.pid, "first", 1)]);
    expect(table.find(process.pid)).toMatchObject({ nameBy: "proc", userBy: "proc", uid: process.getuid!() });
  });

  test("is nobody's where the end of another was told after /proc was read, or of several", () => {
    for (const [pid, names] of [
      [process.pid, ["first"]],
      [CHILD, ["first", "second"]],
    ] as const) {
      const late = names.map((name) => end(pid, name, 1));
      const table: ProcessTable = new ProcessTable(tells, {
        hasTold: () => false,
        tellEnds: () => table.apply(late.splice(0)),
      });
      table.beginBatch(0);
      expect(table.find(pid)).toMatchObject({ nameBy: "pid_reused", userBy: "pid_reused" });
    }
  });
});

describe("a dead process", () => {
  test("is known until the queue was seen empty twice: its events may still be in it", () => {
    const table = tableWithShell();
    table.apply([fork(CHILD, SHELL), exec(CHILD, "rm"), exit(CHILD)]);
    expect(table.find(CHILD)).toMatchObject({ comm: "rm", exited: true });
    table.sweep();
    expect(table.find(CHILD)).toMatchObject({ comm: "rm", exited: true });
    table.sweep();
    expect(table.find(CHILD)).toBeNull();
  });

  test("leaves its children what it gave them", () => {
    const table = tableWithShell();
    table.apply([fork(CHILD, SHELL), exit(SHELL)]);
    table.sweep();
    table.sweep();
    expect(table.peek(SHELL)).toBeNull();
    expect(who(table, CHILD)).toBe(`sh 1000/1000 of ${SHELL}`);
  });

  test("is known while its number is still somebody's: a zombie whose other threads go on working", () => {
    const table = tableWithShell();
    table.apply([exec(process.pid, "alive"), exit(process.pid)]);
    for (let i = 0; i < 5; i++) table.sweep();
    expect(table.peek(process.pid)).toMatchObject({ comm: "alive", exited: true });
  });

  test("goes first when more died than are remembered between two looks at an empty queue", () => {
    const table = tableWithShell();
    const before = table.size;
    for (let i = 0; i < DEAD_MAX + 10; i++) table.apply([fork(CHILD + i, SHELL), exit(CHILD + i)]);
    // Half of them at once.
    expect(table.size).toBe(before + DEAD_MAX / 2 + 10);
    expect(table.peek(CHILD + DEAD_MAX / 2 - 1)).toBeNull();
    expect(table.peek(CHILD + DEAD_MAX / 2)).not.toBeNull();
  });

  test("isn't counted twice for a second EXIT", () => {
    const table = tableWithShell();
    table.apply([fork(CHILD, SHELL), exit(CHILD), exit(CHILD)]);
    table.sweep();
    table.sweep();
    expect(table.peek(CHILD)).toBeNull();
  });
});

describe("records", () => {
  test("of several rings are applied by their time: a fork on one CPU, the exec on another", () => {
    const table = tableWithShell();
    const forked = fork(CHILD, SHELL);
    const grandchild = fork(CHILD + 1, CHILD);
    const executed = exec(CHILD, "make");
    const grandchildExecuted = exec(CHILD + 1, "cc");
    table.apply([executed, grandchildExecuted, grandchild, forked].sort(byTime));
    expect([CHILD, CHILD + 1].map((pid) => who(table, pid))).toEqual([
      `make 1000/1000 of ${SHELL}`,
      `cc 1000/1000 of ${CHILD}`,
    ]);
  });

  test("of processes that nobody knows change nothing", () => {
    const table = tableWithShell();
    const before = table.size;
    const unknown = 10_000_999;
    table.apply([
      exec(unknown, "x"),
      rename(unknown, unknown, "x"),
      uid(unknown, 0),
      exit(unknown),
      { kind: "exec", timeNs: nowNs++, pid: unknown },
      { kind: "lost", timeNs: nowNs++, count: 5 },
    ]);
    expect(table.size).toBe(before);
    expect(table.find(unknown)).toBeNull();
  });

  test("of a fork from an unknown parent invent no name and no user", () => {
    const table = tableWithShell();
    table.apply([fork(CHILD, 10_000_999)]);
    expect(table.find(CHILD)).toMatchObject({ nameBy: "gone_before_known", userBy: "gone_before_known" });
  });

  test("of a fork from an unknown parent leave the number to nobody who had it before", () => {
    const table = tableWithShell();
    table.apply([fork(CHILD, SHELL), exec(CHILD, "before"), exit(CHILD), fork(CHILD, 10_000_999)]);
    expect(table.find(CHILD)).toMatchObject({ nameBy: "gone_before_known", userBy: "gone_before_known" });
  });

  test("of an exec without a name leave the process nameless where /proc is too late: the parent's would be wrong", () => {
    const table = tableWithShell();
    table.apply([fork(CHILD, SHELL), { kind: "exec", timeNs: nowNs++, pid: CHILD }]);
    expect(table.find(CHILD)).toMatchObject({
      comm: "?",
      nameBy: "gone_before_known",
      userBy: table.find(SHELL)!.userBy,
      image: { exe: undefined },
      cached: null,
    });
  });
});

describe("what /proc says", () => {
  test("is read for a process that no record told of, and marked so", () => {
    const table = new ProcessTable();
    expect(table.peek(process.pid)).toBeNull();
    expect(table.find(process.pid)).toMatchObject({
      pid: process.pid,
      parentPid: process.ppid,
      nameBy: "proc",
      userBy: "proc",
    });
    expect(table.find(process.pid)?.uid).toBe(process.getuid!());
  });

  test("is exact for all that run when the streams begin", () => {
    const table = new ProcessTable();
    table.seed();
    expect(table.size).toBeGreaterThan(1);
    expect(table.peek(process.pid)).toMatchObject({
      parentPid: process.ppid,
      nameBy: null,
      userBy: null,
      exited: false,
    });
  });

  test("is never asked for pids that are none", () => {
    const table = new ProcessTable();
    expect([0, -1].map((pid) => table.find(pid))).toEqual([null, null]);
  });

  test("isn't believed of a process that nobody told of and that is younger than the batch: the number may be another's", () => {
    const table = new ProcessTable();
    table.beginBatch(1e6);
    expect(table.find(process.pid)).toBeNull();
    table.beginBatch(Number.MAX_VALUE);
    expect(table.find(process.pid)).toMatchObject({ nameBy: "proc" });
  });
});

describe("after records were lost", () => {
  const now = 1e18;
  test("the living are read anew; whoever is gone may have been anybody", () => {
    const table = tableWithShell();
    table.apply([exec(process.pid, "wrong"), uid(process.pid, 4242)]);
    table.repair(lostSince(now, 5));
    expect(table.find(process.pid)).toMatchObject({ uid: process.getuid!(), exited: false });
    expect(table.find(process.pid)).toMatchObject({ nameBy: "proc", userBy: "proc" });
    expect(table.find(process.pid)?.comm).not.toBe("wrong");
    expect(table.find(SHELL)).toMatchObject({ nameBy: "process_stream_lost", userBy: "process_stream_lost" });
    expect(table.peek(process.ppid)).toMatchObject({ nameBy: "proc" });
    expect(table.reason).toBe("process_stream_lost");
  });

  test("whose name and user are what they were is said to be so", () => {
    const table = new ProcessTable();
    table.seed();
    table.repair(lostSince(now, null));
    expect(table.find(process.pid)).toMatchObject({ nameBy: "lost", userBy: "lost" });
  });

  test("whose number is another's by now isn't taken for it", () => {
    const table = new ProcessTable();
    table.apply([fork(process.pid, process.ppid), exec(process.pid, "before")]);
    // We started long after that.
    table.repair(lostSince(1, 5));
    expect(table.find(process.pid)).toMatchObject({ nameBy: "proc", forkedNs: 0 });
    expect(table.find(process.pid)?.comm).not.toBe("before");
    // What of it is older than that can be anybody's.
    expect(whoDid(table, process.pid, 1)).toBe("process_stream_lost");
    expect(whoDid(table, process.pid, monotonicNs())).toBe("proc");
  });

  test("those whose whole life was told before stay exact, unless so many were lost that numbers can have come again", () => {
    const ended = () => {
      const table = tableWithShell();
      table.apply([fork(CHILD, SHELL), exec(CHILD, "rm"), exit(CHILD)]);
      return table;
    };
    for (const [count, nameBy] of [
      [100, null],
      [1e7, "process_stream_lost"],
      [null, "process_stream_lost"],
    ] as const) {
      const table = ended();
      table.repair(lostSince(now, count));
      expect(whoDid(table, CHILD, 1)).toBe(nameBy ?? "rm");
      expect(whoDid(table, SHELL, 1)).toBe("process_stream_lost");
    }
  });

  test("children inherit what /proc told when they are born after it was read: before, their parent may have been another program", () => {
    const table = new ProcessTable();
    table.seed();
    table.repair(lostSince(now, 1));
    const [before, after] = [monotonicNs() - 1e12, monotonicNs() + 1e9];
    table.apply([
      { ...fork(CHILD, process.pid), timeNs: before },
      { ...fork(CHILD + 1, process.pid), timeNs: after },
    ]);
    expect(table.find(CHILD)).toMatchObject({ parentPid: process.pid, nameBy: "process_stream_lost" });
    expect(table.find(CHILD + 1)).toMatchObject({ nameBy: null, userBy: null });
  });

  test("what is told of the time in which they were lost counts for nothing, also when it comes later", () => {
    const table = tableWithShell();
    const [lostNs, wholeNs] = [nowNs + 1e6, nowNs + 2e6];
    const within = (record: ProcessRecord) => ({ ...record, timeNs: lostNs + 10 });
    const loss = { count: 1, sinceNs: lostNs, untilNs: wholeNs, usersOnly: false };
    // A fork without the exec that followed, in the same drain and in the next.
    table.follow([within(fork(CHILD, INIT))], loss);
    table.follow([within(fork(CHILD + 1, INIT)), within(exec(CHILD + 1, "later"))]);
    for (const pid of [CHILD, CHILD + 1]) {
      expect(table.peek(pid)).toBeNull();
      expect(whoDid(table, pid, 1)).toBe("process_stream_lost");
    }
  });

  test("one whose end was lost and the next with its number are told apart", () => {
    const table = tableWithShell();
    table.apply([fork(CHILD, SHELL), exec(CHILD, "first")]);
    const betweenNs = nowNs++;
    table.apply([fork(CHILD, SHELL), exec(CHILD, "second")]);
    expect(whoDid(table, CHILD, 1, betweenNs)).toBe("first");
    expect(whoDid(table, CHILD, 1)).toBe("pid_reused");
    expect(whoDid(table, CHILD, nowNs)).toBe("second");
  });

  test("losses one after the other are added up: numbers can have come again in all of them together", () => {
    const table = tableWithShell();
    table.beginBatch(1);
    table.apply([fork(CHILD, SHELL), exec(CHILD, "rm"), exit(CHILD)]);
    const some = Math.ceil(readPidMax() * 0.3);
    table.repair(lostSince(now, some));
    expect(whoDid(table, CHILD, 1)).toBe("rm");
    table.repair(lostSince(now, some));
    expect(whoDid(table, CHILD, 1)).toBe("process_stream_lost");
  });

  test("those who live kept their number, unless they were born in a loss that another followed", () => {
    const table = new ProcessTable();
    table.seed();
    table.beginBatch(1);
    for (let i = 0; i < 2; i++) {
      table.repair(lostSince(now, null));
      expect(whoDid(table, process.pid, 1)).toBe("lost");
    }
    const other = new ProcessTable();
    other.beginBatch(1);
    // Nobody had told of us: somebody else may have had our number.
    for (let i = 0; i < 2; i++) {
      other.repair(lostSince(now, null));
      expect(whoDid(other, process.pid, 1)).toBe("process_stream_lost");
      expect(whoDid(other, process.pid, monotonicNs())).not.toBe("process_stream_lost");
    }
  });

  test("those born after are named for what they did, and for all under their number where it can't have been another's", () => {
    for (const [count, before] of [
      [100, "rm"],
      [null, "process_stream_lost"],
    ] as const) {
      const table = tableWithShell();
      table.follow([], { ...lostSince(nowNs, count), untilNs: nowNs });
      const parent = table.peek(process.pid)!;
      const bornNs = monotonicNs();
      table.apply([
        { ...fork(CHILD, process.pid), timeNs: bornNs },
        { ...exec(CHILD, "rm"), timeNs: bornNs + 1 },
      ]);
      expect(parent.readNs).toBeLessThan(bornNs);
      expect(whoDid(table, CHILD, 1)).toBe(before);
      expect(whoDid(table, CHILD, bornNs)).toBe("rm");
    }
  });

  test("what /proc told is exact again once the queue was read to its end twice", () => {
    const table = new ProcessTable();
    table.seed();
    table.repair(lostSince(now, 1));
    table.sweep();
    expect(table.find(process.pid)).toMatchObject({ nameBy: "lost" });
    expect(table.reason).toBe("process_stream_lost");
    table.sweep();
    expect(table.find(process.pid)).toMatchObject({ nameBy: null, userBy: null });
    expect(table.reason).toBe("gone_before_known");
  });
});

describe("a number that was given away again", () => {
  /** Three lives of one number: `first` until 2000, `second` from 2100 to 2900, `third` from 3000 on. */
  function lives(...names: string[]): ProcessTable {
    const table = tableWithShell();
    names.forEach((name, i) => {
      const from = 2000 + i * 1000;
      table.apply([
        { ...fork(CHILD, SHELL), timeNs: from },
        { ...exec(CHILD, name), timeNs: from + 10 },
        { ...exit(CHILD), timeNs: from + 900 },
      ]);
    });
    return table;
  }
  test("is the one's who lived when it was done", () => {
    const table = lives("first", "second", "third");
    expect(table.hasReused(2000)).toBe(true);
    expect(whoDid(table, CHILD, 2000, 2999)).toBe("first");
    expect(whoDid(table, CHILD, 3001, 3999)).toBe("second");
    expect(whoDid(table, CHILD, 4001, 9000)).toBe("third");
  });

  test("is nobody's where it can't be known", () => {
    const table = lives("first", "second", "third");
    expect(whoDid(table, CHILD, 2000, 9000)).toBe("pid_reused");
    expect(whoDid(table, CHILD, 2000, 3000)).toBe("pid_reused");
    expect(table.find(table.tellApart(CHILD, 2000, 9000))?.pid).toBe(CHILD);
    // EXIT comes before a process closes its files.
    expect(whoDid(table, CHILD, 3950, 9000)).toBe("pid_reused");
  });

  test("is named where all of them would be named alike, without the executable, which may differ", () => {
    const table = lives("touch", "touch");
    const one = table.find(table.tellApart(CHILD, 2000, 9000));
    expect(one).toMatchObject({ comm: "touch", uid: 1000, image: { exe: null }, nameBy: null });
    // It says no more of when that was than the earliest of them: what is behind it in the queue can be as old.
    expect(one?.forkedNs).toBe(2000);
  });

  test("is the latest's alone once the queue was read to its end twice", () => {
    const table = lives("first", "second");
    table.sweep();
    expect(whoDid(table, CHILD, 2000, 2999)).toBe("first");
    table.sweep();
    table.sweep();
    expect(table.hasReused(2000)).toBe(false);
  });

  test("keeps its alias for events that are held back, and then it is nobody's", () => {
    const table = lives("first", "second");
    const alias = table.tellApart(CHILD, 2000, 2999);
    expect(alias).toBeLessThan(0);
    table.sweep();
    expect(table.find(alias)).toMatchObject({ comm: "first", pid: CHILD });
    table.sweep();
    expect(table.find(alias)).toBeNull();
  });

  test("isn't the second's for certain when there was no room to remember the first", () => {
    const table = tableWithShell();
    table.apply([fork(CHILD, SHELL), exec(CHILD, "first"), exit(CHILD)]);
    for (let i = 1; i <= DEAD_MAX; i++) table.apply([fork(CHILD + i, SHELL), exit(CHILD + i)]);
    expect(table.peek(CHILD)).toBeNull();
    table.apply([{ ...fork(CHILD, SHELL), timeNs: 1e9 }, exec(CHILD, "second")]);
    expect(whoDid(table, CHILD, 0, 2e9)).toBe("pid_reused");
    expect(whoDid(table, CHILD, 1.5e9, 2e9)).toBe("second");
    for (let i = 0; i < 3; i++) table.sweep();
    expect(whoDid(table, CHILD, 0, 2e9)).toBe("second");
  });
});
