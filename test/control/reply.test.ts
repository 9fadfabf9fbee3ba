import { describe, expect, test } from "bun:test";
import { FieldError } from "../../src/control/fields.ts";
import { judgeHealth } from "../../src/control/health.ts";
import type { Command, FailureReply, ReplyByCommand } from "../../src/control/protocol.ts";
import { decodeReply, encodeFailure, encodeReply } from "../../src/control/reply.ts";
import { STATUS, WATCHED } from "./fake-daemon.ts";

const PENDING = {
  ...WATCHED,
  path: "/srv/\u202egnp\n[x]",
  state: "pending",
  reason: "it does not exist yet",
  mark: null,
  filesystem: null,
} as const;

function again<C extends Command>(command: C, reply: ReplyByCommand[C]) {
  return decodeReply(command, Buffer.from(encodeReply(command, reply)).toString());
}

describe("a reply", () => {
  test("of add survives encoding and decoding", () => {
    const reply = {
      path: "/srv",
      state: "pending",
      reason: "not there",
      replaced: true,
      logFile: "/l",
      managedFile: "/m",
      notes: ["a", "b\n\nc"],
    } as const;
    expect(again("add", reply)).toEqual({ ok: true, data: reply });
    expect(again("add", { ...reply, reason: null, notes: [] })).toMatchObject({
      data: { reason: null, notes: [] },
    });
  });

  test("of remove, seal and reload survives encoding and decoding", () => {
    expect(again("remove", { path: "/a", logFile: "/l" })).toEqual({
      ok: true,
      data: { path: "/a", logFile: "/l" },
    });
    expect(again("seal", { sealed: false })).toEqual({ ok: true, data: { sealed: false } });
    expect(again("reload", {})).toEqual({ ok: true, data: {} });
  });

  test("of status survives encoding and decoding, with and without paths", () => {
    expect(again("status", STATUS)).toEqual({ ok: true, data: STATUS });
    const full = { ...STATUS, paths: [WATCHED, PENDING], notes: ["one"], gaps: {} };
    expect(again("status", full)).toEqual({ ok: true, data: full });
  });

  test("of health survives encoding and decoding", () => {
    const health = judgeHealth(STATUS);
    expect(again("health", health)).toEqual({ ok: true, data: health });
  });

  test("has one empty line, at the end, however many tables it has", () => {
    const text = Buffer.from(encodeReply("status", { ...STATUS, paths: [WATCHED, PENDING] })).toString();
    expect(text.indexOf("\n\n")).toBe(text.length - 2);
  });

  test("with a failure survives encoding and decoding", () => {
    const failure: FailureReply = {
      class: "refused",
      message: "No\n\nway",
      hint: null,
      exitCode: 1,
      retry: true,
    };
    expect(decodeReply("add", Buffer.from(encodeFailure(failure)).toString())).toEqual({
      ok: false,
      failure,
    });
  });

  test("may hold more than this version knows", () => {
    const reply = decodeReply("seal", 'version = 1\nok = true\nsealed = true\nnews = "x"\n');
    expect(reply).toEqual({ ok: true, data: { sealed: true } });
  });

  test("with a missing or wrong field is refused", () => {
    expect(() => decodeReply("seal", "version = 1\nok = true\n")).toThrow(FieldError);
    expect(() => decodeReply("status", "version = 1\nok = true\npid = -1\n")).toThrow(FieldError);
    expect(() => decodeReply("add", 'version = 1\nok = false\nclass = "odd"\n')).toThrow(FieldError);
  });
});

describe("judgeHealth()", () => {
  test("is content when every path is watched or pending and nothing was lost", () => {
    const health = judgeHealth({
      ...STATUS,
      paths: [WATCHED, PENDING],
      gaps: { daemon_stopped: 3, clock: 1 },
    });
    expect(health).toMatchObject({ healthy: true, problems: [], watched: 1, pending: 1, impossible: 0 });
  });

  test("names a path that can't be watched and each kind of loss", () => {
    const impossible = { ...WATCHED, state: "impossible", reason: "no marks on proc" } as const;
    const health = judgeHealth({ ...STATUS, paths: [impossible], gaps: { queue_overflow: 2 } });
    expect(health.healthy).toBe(false);
    expect(health.problems).toEqual([
      '"/srv/data" is not watched: no marks on proc',
      "2 GAP lines since the start: queue_overflow",
    ]);
  });
});
