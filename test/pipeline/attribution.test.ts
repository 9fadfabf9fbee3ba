import { describe, expect, test } from "bun:test";
import type { ProcessRecord } from "../../src/decode/process.ts";
import { LineBuffer, monitoredText, pathText } from "../../src/log/line.ts";
import { Attribution } from "../../src/pipeline/attribution.ts";
import { ProcessTable } from "../../src/process/table.ts";

/** Beyond every real pid (2^22), so that /proc knows nothing of them. */
const PARENT = 10_000_001;
const CHILD = 10_000_002;

const fork = (pid: number, parentPid: number, timeNs = 1): ProcessRecord => ({
  kind: "fork",
  timeNs,
  pid,
  tid: pid,
  parentPid,
  parentTid: parentPid,
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
  uid: real,
  euid,
});
const exit = (pid: number): ProcessRecord => ({ kind: "exit", timeNs: 4, pid, tid: pid });

function known(...records: ProcessRecord[]): { attribution: Attribution; table: ProcessTable } {
  const table = new ProcessTable();
  table.find(process.pid);
  // From then on it is known exactly.
  for (let i = 0; i < 2; i++) table.sweep();
  table.apply([
    fork(PARENT, process.pid),
    exec(PARENT, "make"),
    fork(CHILD, PARENT),
    exec(CHILD, "cc"),
    ...records,
  ]);
  return { attribution: new Attribution(table), table };
}

/** The keys of a line of this pid that speak of the process. */
function keysOf(attribution: Attribution, pid: number, details = false): Record<string, unknown> {
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
    const attribution = new Attribution(new ProcessTable());
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
    table.repair({ count: 1, sinceNs: 1e18, usersOnly: false });
    expect(keysOf(attribution, CHILD)).toMatchObject({
      cmd: null,
      user: null,
      who_reason: "process_stream_lost",
    });
    expect(keysOf(attribution, 10_000_099)).toMatchObject({ cmd: null, who_reason: "process_stream_lost" });
    for (let i = 0; i < 2; i++) table.sweep();
    expect(keysOf(attribution, 10_000_099)).toMatchObject({ who_reason: "gone_before_known" });
  });

  test("say that a process changed while the batch was filling, unless it was only being launched", () => {
    const [beforeNs, lateNs, afterNs] = [0.9e9, 1e9, 1.1e9];
    const { attribution } = known(exec(CHILD, "late", lateNs));
    attribution.beginBatch(beforeNs);
    expect(keysOf(attribution, CHILD)).toMatchObject({ cmd: "late", who: "changed_meanwhile" });
    attribution.beginBatch(afterNs);
    expect(keysOf(attribution, CHILD)).not.toHaveProperty("who");
    const born = known(fork(CHILD + 1, PARENT, lateNs), exec(CHILD + 1, "born", lateNs + 1e6)).attribution;
    born.beginBatch(beforeNs);
    expect(keysOf(born, CHILD + 1)).toMatchObject({ cmd: "born" });
    expect(keysOf(born, CHILD + 1)).not.toHaveProperty("who", "changed_meanwhile");
  });

  test("add the names of its ancestors on request", () => {
    const { attribution } = known();
    expect(String(keysOf(attribution, CHILD, true).ancestry)).toEndWith(">make>cc");
    expect(keysOf(attribution, CHILD, false)).not.toHaveProperty("ancestry");
  });

  test("bound the ancestors, also where the table goes in circles", () => {
    const { attribution } = known(fork(PARENT, CHILD), exec(PARENT, "make"));
    expect(String(keysOf(attribution, CHILD, true).ancestry).split(">").length).toBeLessThanOrEqual(16);
  });
});
