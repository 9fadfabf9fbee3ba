import { describe, expect, test } from "bun:test";
import { byTime, type ProcessRecord } from "../../src/decode/process.ts";
import { type Process, ProcessTable } from "../../src/process/table.ts";

/** PID_MAX_LIMIT is 2^22 (linux/threads.h): nobody has these numbers, so /proc can't answer for them. */
const INIT = 10_000_001;
const SHELL = 10_000_100;
const CHILD = 10_000_200;
const THREAD = 10_000_101;

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
  uid: real,
  euid: effective,
});
const exit = (pid: number, tid = pid): ProcessRecord => ({ kind: "exit", timeNs: nowNs++, pid, tid });

/**
 * A table that knows a shell of user 1000. Its first process is our own under another number: a fork from nobody is believed only
 * of a parent that is known.
 */
function tableWithShell(): ProcessTable {
  const table = new ProcessTable();
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

describe("a process", () => {
  test("inherits name, users, executable and login by fork", () => {
    const table = tableWithShell();
    const shell = table.find(SHELL) as Process;
    shell.exe = Buffer.from("/bin/sh");
    shell.login = 1000;
    table.apply([fork(CHILD, SHELL)]);
    expect(who(table, CHILD)).toBe(`sh 1000/1000 of ${SHELL}`);
    expect(table.find(CHILD)).toMatchObject({
      exe: shell.exe,
      login: 1000,
      exited: false,
      source: shell.source,
    });
  });

  test("has the program's name by exec, exactly, and its executable is read anew", () => {
    const table = tableWithShell();
    const shell = table.find(SHELL) as Process;
    Object.assign(shell, { exe: Buffer.from("/bin/sh"), cached: "made before" });
    table.apply([fork(CHILD, SHELL), exec(CHILD, "rm")]);
    expect(who(table, CHILD)).toBe(`rm 1000/1000 of ${SHELL}`);
    expect(table.find(CHILD)).toMatchObject({ source: null, exe: undefined, cached: null });
    expect([shell.comm, shell.cached]).toEqual(["sh", "made before"]);
  });

  test("has another name when its first thread renames itself, without having executed anything", () => {
    const table = tableWithShell();
    const shell = table.find(SHELL) as Process;
    Object.assign(shell, { exe: Buffer.from("/bin/sh"), cached: "made before" });
    table.apply([rename(SHELL, SHELL, "renamed")]);
    expect([shell.comm, shell.cached, String(shell.exe)]).toEqual(["renamed", null, "/bin/sh"]);
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
    table.repair();
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
    // EXITED_MAX in src/process/table.ts.
    const remembered = 65_536;
    for (let i = 0; i < remembered + 10; i++) table.apply([fork(CHILD + i, SHELL), exit(CHILD + i)]);
    expect(table.size).toBe(before + remembered);
    expect(table.peek(CHILD + 9)).toBeNull();
    expect(table.peek(CHILD + 10)).not.toBeNull();
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
    expect(table.find(CHILD)).toBeNull();
  });

  test("of a fork from an unknown parent leave the number to nobody who had it before", () => {
    const table = tableWithShell();
    table.apply([fork(CHILD, SHELL), exec(CHILD, "before"), exit(CHILD), fork(CHILD, 10_000_999)]);
    expect(table.find(CHILD)).toBeNull();
  });

  test("of an exec without a name say that the name is the parent's, where /proc is too late", () => {
    const table = tableWithShell();
    table.apply([fork(CHILD, SHELL), { kind: "exec", timeNs: nowNs++, pid: CHILD }]);
    expect(table.find(CHILD)).toMatchObject({
      comm: "sh",
      source: "inherited",
      exe: undefined,
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
      source: "proc",
    });
    expect(table.find(process.pid)?.uid).toBe(process.getuid!());
  });

  test("is exact for all that run when the streams begin", () => {
    const table = new ProcessTable();
    table.seed();
    expect(table.size).toBeGreaterThan(1);
    expect(table.peek(process.pid)).toMatchObject({ parentPid: process.ppid, source: null, exited: false });
  });

  test("is never asked for pids that are none", () => {
    const table = new ProcessTable();
    expect([0, -1].map((pid) => table.find(pid))).toEqual([null, null]);
  });

  test("repairs the table after records were lost: the living are read anew, the others are dead", () => {
    const table = tableWithShell();
    table.apply([exec(process.pid, "wrong"), uid(process.pid, 4242)]);
    table.repair();
    expect(table.find(process.pid)).toMatchObject({ uid: process.getuid!(), source: "proc", exited: false });
    expect(table.find(process.pid)?.comm).not.toBe("wrong");
    expect(table.peek(SHELL)).toMatchObject({ comm: "sh", exited: true });
    expect(table.peek(process.ppid)).toMatchObject({ source: "proc" });
  });
});
