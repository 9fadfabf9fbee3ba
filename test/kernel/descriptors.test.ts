import { afterAll, describe, expect, test } from "bun:test";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { socketDescriptor } from "../../src/control/descriptor.ts";
import * as fan from "../../src/decode/fan.ts";
import { decodePerfRecords } from "../../src/decode/perf.ts";
import { decodeProcMessages } from "../../src/decode/proc.ts";
import { byTime, type ProcessRecord } from "../../src/decode/process.ts";
import * as abi from "../../src/kernel/abi.ts";
import { FanotifyGroup } from "../../src/kernel/fanotify.ts";
import { handleOf } from "../../src/kernel/handles.ts";
import { PerfSideband } from "../../src/kernel/perf.ts";
import { pollsPriority, waitReadable, waitWritable } from "../../src/kernel/poll.ts";
import { ProcConnector } from "../../src/kernel/procconn.ts";
import { type PeerCredentials, peerCredentials } from "../../src/kernel/socket.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";

const asRoot = process.getuid?.() === 0;
const home = mkdtempSync(join(tmpdir(), "fsmon-fds-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe("poll", () => {
  const fifo = join(home, "fifo");
  Bun.spawnSync(["mkfifo", fifo]);

  test("tells when a pipe can be read and when it can be written", () => {
    const fd = openSync(fifo, "r+");
    try {
      expect(waitReadable(fd, 0)).toBe(false);
      expect(waitWritable(fd, 0)).toBe(true);
      writeSync(fd, "x");
      expect(waitReadable(fd, -1)).toBe(true);
      expect(pollsPriority(fd)).toBe(false);
    } finally {
      closeSync(fd);
    }
  });

  test("waits as long as it was told, and no longer", () => {
    const fd = openSync(fifo, "r+");
    try {
      const startMs = performance.now();
      expect(waitReadable(fd, 20)).toBe(false);
      expect(performance.now() - startMs).toBeGreaterThanOrEqual(19);
    } finally {
      closeSync(fd);
    }
  });
});

describe("peerCredentials()", () => {
  test("names the process and the user at the other end", async () => {
    const path = join(home, "socket");
    const seen = Promise.withResolvers<PeerCredentials>();
    const socket = {
      data: () => {},
      open: (one: object) => seen.resolve(peerCredentials(socketDescriptor(one))),
    };
    const server = Bun.listen({ unix: path, socket });
    const client = await Bun.connect({ unix: path, socket: { data: () => {} } });
    expect(await seen.promise).toEqual({ pid: process.pid, uid: process.getuid!(), gid: process.getgid!() });
    client.end();
    server.stop(true);
  });

  test("throws for what is no socket", () => {
    const fd = openSync("/dev/null", "r");
    expect(() => peerCredentials(fd)).toThrow("getsockopt(SO_PEERCRED) failed (ENOTSOCK)");
    closeSync(fd);
  });
});

/** Runs a program of its own pid whose name is known. */
function runTrue(): number {
  return Bun.spawnSync(["/bin/sh", "-c", "exec true"]).pid;
}

describe("the streams of processes", () => {
  test.skipIf(!asRoot)(
    "the perf side-band tells fork, exec and exit of a process that is gone already (needs root)",
    () => {
      const sideband = PerfSideband.open();
      try {
        expect(sideband.cpusChanged).toBe(false);
        expect(sideband.followCpus(new Set(), () => {})).toEqual([]);
        const pid = runTrue();
        const buffer = Buffer.alloc(1 << 20);
        const records: ProcessRecord[] = [];
        sideband.drain(buffer, (bytes) => decodePerfRecords(buffer, bytes, records));
        const mine = records.sort(byTime).filter((one) => "pid" in one && one.pid === pid);
        expect(mine.map((one) => (one.kind === "comm" ? `${one.comm} ${one.exec}` : one.kind))).toEqual([
          "fork",
          "sh true",
          "true true",
          "exit",
        ]);
        expect(mine[0]).toMatchObject({ parentPid: process.pid });
        expect(sideband.takeLost()).toBe(0);
      } finally {
        sideband.close();
      }
    },
  );

  test.skipIf(!asRoot)("the proc connector tells fork, exec, change of user and exit (needs root)", () => {
    const all = abi.PROC_EVENT_FORK | abi.PROC_EVENT_EXEC | abi.PROC_EVENT_UID | abi.PROC_EVENT_EXIT;
    const connector = ProcConnector.open(all >>> 0);
    try {
      const { pid } = Bun.spawnSync(["/usr/bin/setpriv", "--reuid=65534", "true"]);
      const buffer = Buffer.alloc(1 << 20);
      const records: ProcessRecord[] = [];
      decodeProcMessages(buffer, connector.receive(buffer), -1, records);
      const mine = records.sort(byTime).filter((one) => "pid" in one && one.pid === pid);
      const kinds = mine.map((one) => one.kind);
      expect(kinds.filter((kind, i) => kind !== kinds[i - 1])).toEqual([
        "fork",
        "exec",
        "uid",
        "exec",
        "exit",
      ]);
      expect(mine.find((one) => one.kind === "uid")).toMatchObject({ uid: 65534, euid: 65534 });
      expect(connector.takeLost()).toBe(false);
    } finally {
      connector.close();
    }
  });
});

describe("FanotifyGroup", () => {
  test.skipIf(captureObstacle !== null)(
    "reports names and handles of a marked filesystem alone (needs root and the right to mount)",
    () => {
      const fs = TestFilesystem.mount("tmpfs");
      const group = FanotifyGroup.open(20_000);
      try {
        expect(group.queueLimit).toBe(20_000);
        const batch = new fan.EventBatch(65536);
        expect(group.read(batch.bytes)).toBe(0);
        expect([...group.markedDevices()]).toEqual([]);
        const mask = abi.FAN_CREATE | abi.FAN_RENAME | abi.FAN_ONDIR;
        const top = openSync(fs.path, "r");
        expect(group.hasMark("filesystem", top)).toBe(false);
        expect(group.mark("filesystem", top, mask)).toBe(0);
        expect(group.hasMark("filesystem", top)).toBe(true);
        expect([...group.markedDevices()]).toHaveLength(1);
        mkdirSync(join(fs.path, "sub"));
        writeFileSync(join(fs.path, "a"), "");
        writeFileSync(join(home, "elsewhere"), "");
        renameSync(join(fs.path, "a"), join(fs.path, "sub/b"));
        expect(group.pendingEvents()).toBe(3);
        const got = group.read(batch.bytes);
        fan.decodeFanEvents(batch, 0, got);
        const text = (i: number, at: number) =>
          batch.bytes.toString("utf8", batch.get(i, at), batch.get(i, at) + batch.get(i, at + 1));
        const handle = (i: number, at: number): number | Uint8Array =>
          Uint8Array.from(batch.bytes.subarray(batch.get(i, at), batch.get(i, at) + batch.get(i, at + 1)));
        expect([0, 1, 2].map((i) => batch.get(i, fan.MASK))).toEqual([
          abi.FAN_CREATE | abi.FAN_ONDIR,
          abi.FAN_CREATE,
          abi.FAN_RENAME,
        ]);
        expect([0, 1, 2].map((i) => text(i, fan.NAME_AT))).toEqual(["sub", "a", "a"]);
        expect([0, 1, 2].map((i) => batch.get(i, fan.PID))).toEqual([process.pid, process.pid, process.pid]);
        expect(text(2, fan.NEW_NAME_AT)).toBe("b");
        // The record of a handle is byte for byte what name_to_handle_at gives.
        expect(handle(0, fan.DIR_AT)).toEqual(handleOf(fs.path));
        expect(handle(2, fan.NEW_DIR_AT)).toEqual(handleOf(join(fs.path, "sub")));
        expect(handle(2, fan.OBJECT_AT)).toEqual(handleOf(join(fs.path, "sub/b")));
        expect(group.unmark("filesystem", top, mask)).toBe(0);
        expect(group.hasMark("filesystem", top)).toBe(false);
        closeSync(top);
        writeFileSync(join(fs.path, "unseen"), "");
        expect(group.pendingEvents()).toBe(0);
      } finally {
        group.close();
        fs.unmount();
      }
    },
  );
});
