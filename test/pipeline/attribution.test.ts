import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { ProcessRecord } from "../../src/decode/process.ts";
import { ARGS_BIT, DETAIL_BITS } from "../../src/event.ts";
import { LineBuffer, monitoredText, pathText } from "../../src/log/line.ts";
import { Attribution } from "../../src/pipeline/attribution.ts";
import { Executables } from "../../src/process/executables.ts";
import { ProcessTable } from "../../src/process/table.ts";

/** Beyond every real pid (2^22), so that /proc knows nothing of them. */
const PARENT = 10_000_001;
const CHILD = 10_000_002;

const fork = (pid: number, parentPid: number, timeNs = 1, parentTid = parentPid): ProcessRecord => ({
  kind: "fork",
  timeNs,
  pid,
  tid: pid,
  parentPid,
  parentTid,
});
const exec = (pid: number, comm: string, timeNs = 2): ProcessRecord => ({
  kind: "comm",
  timeNs,
  pid,
  tid: pid,
  comm,
  exec: true,
});
const uid = (pid: number, real: number, euid = real, timeNs = 3): ProcessRecord => ({
  kind: "uid",
  timeNs,
  pid,
  tid: pid,
  uid: real,
  euid,
});
const threadUid = (pid: number, tid: number, real: number): ProcessRecord => ({
  kind: "uid",
  timeNs: 5,
  pid,
  tid,
  uid: real,
  euid: real,
});
const exit = (pid: number): ProcessRecord => ({ kind: "exit", timeNs: 4, pid, tid: pid });

function known(...records: ProcessRecord[]): { attribution: Attribution; table: ProcessTable } {
  const table = new ProcessTable();
  // As if it had been read before what is told below.
  table.find(process.pid)!.readNs = 0;
  // From then on it is known exactly.
  for (let i = 0; i < 2; i++) table.sweep();
  table.apply([
    fork(PARENT, process.pid),
    exec(PARENT, "make"),
    fork(CHILD, PARENT),
    exec(CHILD, "cc"),
    ...records,
  ]);
  const attribution = new Attribution(table, new Executables(false));
  attribution.beginBatch(1e3, 2e3);
  return { attribution, table };
}

/** The keys of a line of this pid that speak of the process. */
function keysOf(attribution: Attribution, pid: number, details = 0): Record<string, unknown> {
  const buffer = new LineBuffer();
  const directory = pathText(Buffer.from("/w"));
  const text = attribution.textOf(pid, details);
  buffer.add(0, "CREATE", directory, Buffer.from("a"), 0, 1, text, 0, monitoredText("/w"), null);
  const line = JSON.parse(buffer.bytes.toString("utf8", 0, buffer.used));
  for (const key of ["time", "event_type", "path", "file_size", "monitored_path"]) delete line[key];
  return line;
}

describe("the keys of a line", () => {
  test("tell pid, name, user by name and number, and parent", () => {
    const { attribution } = known(uid(CHILD, 0));
    expect(keysOf(attribution, CHILD)).toEqual({ pid: CHILD, cmd: "cc", user: "root", ppid: PARENT, uid: 0 });
  });

  test("tell the number as the user where no name exists, and the effective user where it differs", () => {
    const { attribution } = known(uid(CHILD, 3_000_000_001, 0));
    expect(keysOf(attribution, CHILD)).toMatchObject({ user: "3000000001", euid: 0 });
    expect(keysOf(attribution, CHILD)).not.toHaveProperty("uid");
  });

  test("follow a process through a change of name or user", () => {
    const { attribution, table } = known(uid(CHILD, 0));
    keysOf(attribution, CHILD);
    table.apply([exec(CHILD, "as"), uid(CHILD, 3_000_000_002)]);
    expect(keysOf(attribution, CHILD)).toMatchObject({ cmd: "as", user: "3000000002" });
  });

  test("never ask /proc about a process that is gone: the number may be another's", () => {
    const { attribution } = known(exit(CHILD));
    expect(keysOf(attribution, CHILD)).toMatchObject({ cmd: "cc", ppid: PARENT });
    expect(keysOf(attribution, CHILD)).not.toHaveProperty("exe");
  });

  test("read the executable of a process that lives", () => {
    const attribution = new Attribution(new ProcessTable(), new Executables(false));
    expect(keysOf(attribution, process.pid)).toMatchObject({
      pid: process.pid,
      exe: process.execPath,
      who: "proc",
    });
  });

  test("say why a process isn't known", () => {
    const { attribution } = known();
    expect(keysOf(attribution, 10_000_099)).toEqual({
      pid: 10_000_099,
      cmd: null,
      user: null,
      who_reason: "gone_before_known",
    });
    expect(keysOf(attribution, 0)).toEqual({
      pid: null,
      cmd: null,
      user: null,
      who_reason: "outside_pid_namespace",
    });
    expect(attribution.unattributed).toBe(2);
  });

  test("say who did it where the name can't be known, and why it can't", () => {
    const { attribution, table } = known({ kind: "exec", timeNs: 5, pid: CHILD });
    const unnamed = { pid: CHILD, cmd: null, user: expect.any(String), who_reason: "gone_before_known" };
    expect(keysOf(attribution, CHILD)).toMatchObject(unnamed);
    expect(attribution.commOf(CHILD)).toBeNull();
    expect(attribution.unattributed).toBe(1);
    table.repair({ count: 1, sinceNs: 1e18, untilNs: 1e18, usersOnly: false });
    expect(keysOf(attribution, CHILD)).toMatchObject({
      cmd: null,
      user: null,
      who_reason: "process_stream_lost",
    });
    expect(keysOf(attribution, 10_000_099)).toMatchObject({ cmd: null, who_reason: "process_stream_lost" });
    for (let i = 0; i < 2; i++) table.sweep();
    expect(keysOf(attribution, 10_000_099)).toMatchObject({ who_reason: "gone_before_known" });
  });

  test("say that a process changed, or was launched, while the batch was filling", () => {
    const [beforeNs, lateNs, afterNs] = [0.9e9, 1e9, 1.1e9];
    const { attribution } = known(exec(CHILD, "late", lateNs));
    attribution.beginBatch(beforeNs, 2e9);
    expect(keysOf(attribution, CHILD)).toMatchObject({ cmd: "late", who: "changed_meanwhile" });
    attribution.beginBatch(afterNs, 2e9);
    expect(keysOf(attribution, CHILD)).not.toHaveProperty("who");
    const born = known(fork(CHILD + 1, PARENT, lateNs), exec(CHILD + 1, "born", lateNs + 1e6)).attribution;
    born.beginBatch(beforeNs, 2e9);
    expect(keysOf(born, CHILD + 1)).toMatchObject({ cmd: "born", who: "launched" });
    // The queue was read between its fork and its exec.
    born.beginBatch(lateNs + 5e5, 2e9);
    expect(keysOf(born, CHILD + 1)).toMatchObject({ cmd: "born", who: "launched" });
    born.beginBatch(afterNs, 2e9);
    expect(keysOf(born, CHILD + 1)).not.toHaveProperty("who");
  });

  test("say that a process changed its user, however soon after its fork and though it executed nothing", () => {
    const forkedNs = 1e9;
    const { attribution } = known(fork(CHILD + 1, PARENT, forkedNs), uid(CHILD + 1, 1, 1, forkedNs + 1e3));
    attribution.beginBatch(0.9e9, 2e9);
    expect(keysOf(attribution, CHILD + 1)).toMatchObject({ user: "daemon", who: "changed_meanwhile" });
  });

  test("say that the name is the parent's, without perf, also where the user has changed since", () => {
    const table = new ProcessTable({ forks: true, names: false, users: true, ends: false });
    table.find(process.pid);
    table.apply([
      fork(PARENT, process.pid),
      { kind: "comm", timeNs: 2, pid: PARENT, tid: PARENT, comm: "make", exec: false },
    ]);
    table.apply([fork(CHILD, PARENT, 1500), uid(CHILD, 1, 1, 1600), exit(CHILD)]);
    const attribution = new Attribution(table, new Executables(false));
    attribution.beginBatch(1e3, 2e3);
    expect(keysOf(attribution, CHILD)).toMatchObject({ cmd: "make", uid: 1, who: "inherited" });
  });

  test("say nothing of a change to the same: an older name, and users that it had already", () => {
    const { attribution } = known(uid(CHILD, 0, 0, 1e9), fork(CHILD + 1, CHILD, 1e9));
    attribution.beginBatch(0.9e9, 2e9);
    for (const pid of [CHILD, CHILD + 1]) expect(keysOf(attribution, pid)).not.toHaveProperty("who");
  });

  test("have a child's executable in its own line alone: it may have executed it just now", () => {
    const comm = readFileSync("/proc/self/comm", "latin1").slice(0, -1);
    const { attribution } = known(fork(process.pid, PARENT, 5), {
      ...exec(process.pid, comm, 6),
      exec: false,
    } as ProcessRecord);
    expect(keysOf(attribution, process.pid)).toMatchObject({ cmd: comm, exe: process.execPath });
    expect(keysOf(attribution, PARENT)).not.toHaveProperty("exe");
  });

  test("say that threads of the process act as other users, until they don't", () => {
    const { attribution, table } = known();
    table.apply([threadUid(CHILD, CHILD + 7, 33)]);
    expect(keysOf(attribution, CHILD)).toMatchObject({ user: "root", who: "threads_differ" });
    table.apply([fork(CHILD + 1, CHILD, 5, CHILD + 7)]);
    expect(keysOf(attribution, CHILD + 1)).toMatchObject({ user: "www-data" });
    table.apply([threadUid(CHILD, CHILD + 7, 0)]);
    expect(keysOf(attribution, CHILD)).not.toHaveProperty("who");
    // All of them, one after the other, as glibc does it.
    table.apply([threadUid(CHILD, CHILD + 7, 33), uid(CHILD, 33, 33, 10)]);
    expect(keysOf(attribution, CHILD)).toMatchObject({ user: "www-data" });
    expect(keysOf(attribution, CHILD)).not.toHaveProperty("who");
    table.apply([threadUid(CHILD, CHILD + 7, 1), { kind: "exit", timeNs: 11, pid: CHILD, tid: CHILD + 7 }]);
    expect(keysOf(attribution, CHILD)).not.toHaveProperty("who");
  });

  test("add the names of its ancestors on request", () => {
    const { attribution } = known();
    expect(String(keysOf(attribution, CHILD, DETAIL_BITS.ancestry).ancestry)).toEndWith(">make>cc");
    expect(keysOf(attribution, CHILD, DETAIL_BITS.parent)).toMatchObject({ parent: "make" });
    for (const key of ["ancestry", "parent", "unit", "args"])
      expect(keysOf(attribution, CHILD)).not.toHaveProperty(key);
  });

  test("keep an ancestor that is gone in the chain, and never take who has its number now", () => {
    const { attribution, table } = known(exit(PARENT));
    for (let i = 0; i < 3; i++) table.sweep();
    expect(table.peek(PARENT)).toBeNull();
    table.apply([fork(PARENT, process.pid, 20), exec(PARENT, "stranger", 21)]);
    expect(String(keysOf(attribution, CHILD, DETAIL_BITS.ancestry).ancestry)).toEndWith(">make>cc");
  });

  test("show names with the separator in them as what they are, and what isn't known as ?", () => {
    const { attribution, table } = known(exec(PARENT, "a>b\\", 9));
    expect(String(keysOf(attribution, CHILD, DETAIL_BITS.ancestry).ancestry)).toEndWith(">a\\>b\\\\>cc");
    table.apply([{ kind: "exec", timeNs: 10, pid: PARENT }]);
    expect(String(keysOf(attribution, CHILD, DETAIL_BITS.ancestry | DETAIL_BITS.parent).ancestry)).toEndWith(
      ">?>cc",
    );
  });

  test("tell the command line of a process that lives", () => {
    const { attribution, table } = known();
    table.seed();
    const line = keysOf(attribution, process.pid, ARGS_BIT);
    expect(line.args).toEqual(readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(0, -1));
    expect(keysOf(attribution, CHILD, ARGS_BIT)).not.toHaveProperty("args");
  });

  test("bound the ancestors, also where the table goes in circles", () => {
    const { attribution } = known(fork(PARENT, CHILD), exec(PARENT, "make"));
    expect(
      String(keysOf(attribution, CHILD, DETAIL_BITS.ancestry).ancestry).split(">").length,
    ).toBeLessThanOrEqual(16);
  });
});
