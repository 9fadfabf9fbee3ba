import { describe, expect, test } from "bun:test";
import { isUtf8 } from "node:buffer";
import { EVENT_TYPES, type EventType } from "../../src/event.ts";
import { stringifySafely } from "../../src/log/json-text.ts";
import { extraText, LineBuffer, monitoredText, pathText } from "../../src/log/line.ts";
import { NOBODY, type ProcessFacts, processText } from "../../src/log/process-text.ts";
import { Random } from "../query/random-logs.ts";

const TIME_MS = Date.UTC(2026, 4, 7, 10, 0, 1, 482);
const NGINX: ProcessFacts = { ...NOBODY, pid: 1234, comm: "nginx", user: "www-data" };
const PLAIN = {
  otherEnd: null,
  otherKey: null,
  exchange: false,
  directory: false,
  merged: false,
  error: 0,
  errorCount: 0,
};

interface Line {
  timeMs?: number;
  type?: EventType;
  directory?: Uint8Array | string;
  name?: Uint8Array | string;
  process?: Partial<ProcessFacts>;
  size?: number;
  monitored?: string;
  extra?: Partial<Parameters<typeof extraText>[0]>;
}

function add(buffer: LineBuffer, line: Line): void {
  const name = Buffer.from(line.name ?? "");
  buffer.add(
    line.timeMs ?? TIME_MS,
    line.type ?? "CLOSE_WRITE",
    pathText(Buffer.from(line.directory ?? "/var/www/myapp")),
    // As in a batch: in the middle of other bytes.
    Buffer.concat([Buffer.from([0xff, 0x22]), name, Buffer.from([0xff, 0x22])]),
    2,
    name.length,
    processText({ ...NGINX, ...line.process }),
    line.size ?? 21,
    monitoredText(line.monitored ?? "/var/www/myapp"),
    line.extra === undefined ? null : extraText({ ...PLAIN, ...line.extra }),
  );
}

function bytesOf(...lines: Line[]): Buffer {
  const buffer = new LineBuffer();
  for (const line of lines) add(buffer, line);
  expect(buffer.lines).toBe(lines.length);
  return Buffer.from(buffer.bytes.subarray(0, buffer.used));
}

const textOf = (...lines: Line[]) => bytesOf(...lines).toString("utf8");
const parsed = (line: Line): Record<string, unknown> => JSON.parse(textOf(line));

describe("a line", () => {
  test("is byte for byte what docs/events.md shows", () => {
    expect(
      textOf({
        name: "index.html",
        process: { parentPid: 1201, exe: "/usr/sbin/nginx", uid: 33 },
      }),
    ).toBe(
      '{"time":"2026-05-07T10:00:01.482+00:00","event_type":"CLOSE_WRITE","path":"/var/www/myapp/index.html","pid":1234,"cmd":"nginx","user":"www-data","file_size":21,"monitored_path":"/var/www/myapp","ppid":1201,"exe":"/usr/sbin/nginx","uid":33}\n',
    );
  });

  test("has the eight keys and no other when there is nothing more to say", () => {
    expect(textOf({ name: "a", process: { pid: null, comm: null, user: null }, size: 0 })).toBe(
      '{"time":"2026-05-07T10:00:01.482+00:00","event_type":"CLOSE_WRITE","path":"/var/www/myapp/a","pid":null,"cmd":null,"user":null,"file_size":0,"monitored_path":"/var/www/myapp"}\n',
    );
  });

  test("has its further keys in one order, however many there are", () => {
    const line = parsed({
      type: "MOVED_TO",
      name: Buffer.from([0xff]),
      process: {
        comm: "\xff",
        parentPid: 1,
        parentComm: "\xff",
        exe: "/\xff",
        uid: 2,
        euid: 3,
        login: "me",
        loginReason: "late",
        who: "proc",
        whoReason: "reason",
        userReason: "late",
        unit: "a.service",
        container: "abc",
        ancestry: "systemd>sh",
        args: Buffer.from("a\0\xff\0", "latin1"),
        argsCut: true,
        inherited: ["login"],
      },
      extra: {
        otherEnd: Buffer.from([0x2f, 0xfe]),
        otherKey: "from",
        exchange: true,
        directory: true,
        merged: true,
        error: 5,
        errorCount: 6,
      },
    });
    expect(Object.keys(line).join(" ")).toBe(
      "time event_type path pid cmd user file_size monitored_path path_b64 from from_b64 exchange dir merged error error_count cmd_b64 ppid parent parent_b64 exe exe_b64 uid euid user_reason login login_reason unit container ancestry args args_b64 args_cut inherited who who_reason",
    );
    expect(line).toMatchObject({
      exchange: true,
      dir: true,
      merged: true,
      error: 5,
      error_count: 6,
      ppid: 1,
      uid: 2,
      euid: 3,
      login: "me",
      who: "proc",
      who_reason: "reason",
      unit: "a.service",
      container: "abc",
      ancestry: "systemd>sh",
    });
  });

  test("names each of the 14 types", () => {
    const lines = textOf(...EVENT_TYPES.map((type) => ({ type, name: "a" })));
    const types = lines
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).event_type);
    expect(types).toEqual([...EVENT_TYPES]);
  });

  test("shows sizes of any length in full", () => {
    const sizes = [0, 9, 10, 4096, 2 ** 32, 2 ** 53 - 1];
    expect(sizes.map((size) => parsed({ name: "a", size }).file_size)).toEqual(sizes);
  });

  test("has its own time, also when lines of other times stand between", () => {
    const times = [TIME_MS, TIME_MS, TIME_MS + 1, TIME_MS, 0];
    const lines = textOf(...times.map((timeMs) => ({ timeMs, name: "a" })));
    expect(
      lines
        .trimEnd()
        .split("\n")
        .map((line) => Date.parse(JSON.parse(line).time)),
    ).toEqual(times);
  });
});

describe("the path", () => {
  test("of a directory itself has no slash at its end, that of the root is one", () => {
    expect(parsed({ directory: "/w", extra: { directory: true } })).toMatchObject({ path: "/w", dir: true });
    expect(parsed({ directory: "" }).path).toBe("/");
  });

  test("of an entry of the root has one slash", () => {
    expect(parsed({ directory: "", name: "a" }).path).toBe("/a");
  });

  test("escapes quotes, backslashes and every control character, DEL and C1 included", () => {
    const name = '"\\\b\t\n\f\r\u0001\u001b\u007f\u0080\u009b\u009f\u00a0';
    const expected = '\\"\\\\\\b\\t\\n\\f\\r\\u0001\\u001b\\u007f\\u0080\\u009b\\u009f\u00a0';
    expect(textOf({ directory: "/w", name })).toContain(`"path":"/w/${expected}",`);
    expect(textOf({ directory: `/${name}`, name: "a" })).toContain(`"path":"/${expected}/a",`);
    expect(textOf({ monitored: `/${name}`, name: "a" })).toContain(`"monitored_path":"/${expected}"`);
    expect(textOf({ extra: { otherEnd: Buffer.from(`/${name}`), otherKey: "to" } })).toContain(
      `"to":"/${expected}"`,
    );
  });

  test("keeps what is no control character as it is: beyond ASCII, U+2028, a BOM, beyond 16 bits", () => {
    const name = "\ufeffé日本\u2028\u2029😀\u{10ffff}\ufffe\ufffd";
    expect(textOf({ directory: "/w", name })).toContain(`"path":"/w/${name}",`);
    expect(parsed({ directory: `/${name}`, name: "a" }).path).toBe(`/${name}/a`);
    expect(parsed({ name })).not.toHaveProperty("path_b64");
  });

  test("shows a name that isn't UTF-8 with U+FFFD and carries its bytes", () => {
    const name = Buffer.from([0x61, 0xff, 0x62]);
    const line = parsed({ directory: "/w", name });
    expect(line.path).toBe("/w/a\ufffdb");
    expect(line.path_b64).toBe(Buffer.concat([Buffer.from("/w/"), name]).toString("base64"));
  });

  test("carries the bytes also when only the directory isn't UTF-8, and for that directory itself", () => {
    const directory = Buffer.from([0x2f, 0xc3]);
    const inside = parsed({ directory, name: "ü" });
    expect([inside.path, Buffer.from(String(inside.path_b64), "base64").toString("latin1")]).toEqual([
      "/\ufffd/ü",
      "/\xc3/\xc3\xbc",
    ]);
    const itself = parsed({ directory });
    expect([itself.path, itself.path_b64]).toEqual(["/\ufffd", directory.toString("base64")]);
  });

  test("takes no encoding for UTF-8 that isn't: surrogates, overlong forms, cut characters", () => {
    const invalid = [
      [0xed, 0xa0, 0x80],
      [0xc0, 0xaf],
      [0xe0, 0x80, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf0, 0x9f, 0x98],
      [0x80],
      [0xfe],
    ];
    for (const bytes of invalid) {
      const name = Buffer.from(bytes);
      expect(parsed({ directory: "/w", name }).path_b64).toBe(
        Buffer.concat([Buffer.from("/w/"), name]).toString("base64"),
      );
    }
  });

  test("has room for 255 bytes of anything, many times", () => {
    const names = [0x01, 0x22, 0x7f, 0x61, 0xff].map((byte) => Buffer.alloc(255, byte));
    names.push(Buffer.from("\u009f".repeat(127)), Buffer.from("😀".repeat(63)));
    const lines = Array.from({ length: 700 }, (_, i) => names[i % names.length]!);
    const texts = textOf(...lines.map((name) => ({ directory: "/w", name })))
      .trimEnd()
      .split("\n");
    for (const [i, text] of texts.entries())
      expect(JSON.parse(text).path).toBe(`/w/${lines[i]!.toString("utf8")}`);
  });

  test("has room for a directory far deeper than PATH_MAX", () => {
    const directory = `/${"\u0001".repeat(255)}`.repeat(200);
    expect(parsed({ directory, name: "\u0001".repeat(255) }).path).toBe(
      `${directory}/${"\u0001".repeat(255)}`,
    );
  });
});

describe("the process", () => {
  test("shows names that aren't UTF-8 and carries their bytes", () => {
    const comm = Buffer.from([0x61, 0xff, 0x1b, 0x22]);
    const exe = Buffer.from([0x2f, 0xc3, 0x28]);
    const line = parsed({ process: { comm: comm.toString("latin1"), exe: exe.toString("latin1") } });
    expect(line).toMatchObject({
      cmd: 'a\ufffd\u001b"',
      cmd_b64: comm.toString("base64"),
      exe: "/\ufffd(",
      exe_b64: exe.toString("base64"),
    });
  });

  test("shows a name beyond ASCII, whose bytes come as latin1, without more ado", () => {
    const comm = Buffer.from("日本").toString("latin1");
    expect(parsed({ process: { comm } })).toMatchObject({ cmd: "日本" });
    expect(parsed({ process: { comm } })).not.toHaveProperty("cmd_b64");
  });

  test("escapes what users and units are called, too", () => {
    const process = {
      user: 'a"\n\u009b',
      login: "b\\",
      unit: "c\u007f",
      ancestry: "d\x1b>e",
    };
    expect(textOf({ process })).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
    expect(parsed({ process })).toMatchObject({
      user: 'a"\n\u009b',
      login: "b\\",
      unit: "c\u007f",
      ancestry: "d\x1b>e",
    });
    expect(parsed({ process })).not.toHaveProperty("container");
  });

  test("tells 0 as a number and leaves out what is null", () => {
    const line = parsed({ process: { pid: 0, parentPid: 0, uid: 0, euid: 0 } });
    expect(line).toMatchObject({ pid: 0, ppid: 0, uid: 0, euid: 0 });
    for (const key of ["exe", "login", "unit", "who", "who_reason"]) expect(line).not.toHaveProperty(key);
  });
});

describe("extraText()", () => {
  test("is null when there is nothing to say, and the same bytes for every plain directory", () => {
    expect(extraText(PLAIN)).toBeNull();
    const directory = extraText({ ...PLAIN, directory: true });
    expect(Buffer.from(directory!).toString()).toBe(',"dir":true');
    expect(extraText({ ...PLAIN, directory: true })).toBe(directory);
  });

  test("tells the other end under its key, with its bytes where they aren't UTF-8", () => {
    const otherEnd = Buffer.from([0x2f, 0xff]);
    expect(parsed({ extra: { otherEnd, otherKey: "to" } })).toMatchObject({
      to: "/\ufffd",
      to_b64: otherEnd.toString("base64"),
    });
    expect(extraText({ ...PLAIN, otherEnd, otherKey: null })).toBeNull();
    expect(extraText({ ...PLAIN, otherKey: "to" })).toBeNull();
  });
});

describe("stringifySafely()", () => {
  test("is what JSON.parse turns back, for every 16-bit unit", () => {
    for (let unit = 0; unit < 0x10000; unit++) {
      const text = `a${String.fromCharCode(unit)}b`;
      if (JSON.parse(stringifySafely(text)) !== text) throw new Error(`U+${unit.toString(16)}`);
    }
  });

  test("lets no control character through", () => {
    for (let unit = 0; unit < 0x100; unit++)
      expect(stringifySafely(String.fromCharCode(unit))).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
  });
});

describe("LineBuffer", () => {
  test("appends lines one behind the other and is empty after clear()", () => {
    const buffer = new LineBuffer();
    add(buffer, { name: "a" });
    const { used } = buffer;
    add(buffer, { name: "b" });
    expect([buffer.lines, buffer.used]).toEqual([2, used * 2]);
    buffer.clear();
    expect([buffer.lines, buffer.used]).toEqual([0, 0]);
    add(buffer, { name: "a" });
    expect(buffer.used).toBe(used);
  });

  test("has room for a long other end behind a long path that isn't UTF-8, however little was left", () => {
    const deep = Buffer.alloc(10_000, 0xff);
    const further = Buffer.alloc(20_000, 0xfe);
    const long: Line = { directory: deep, name: "x", extra: { otherEnd: further, otherKey: "from" } };
    const wanted = textOf(long);
    const sizeBytes = Buffer.byteLength(wanted);
    for (let leftBytes = 0; leftBytes < sizeBytes + 2000; leftBytes += 997) {
      const buffer = new LineBuffer();
      while (buffer.bytes.length < 2 * sizeBytes) add(buffer, long);
      buffer.used = buffer.bytes.length - leftBytes;
      const from = buffer.used;
      add(buffer, long);
      if (buffer.bytes.toString("utf8", from, buffer.used) !== wanted)
        throw new Error(`cut where ${leftBytes} bytes were left`);
    }
  });

  test("grows in time, wherever in it the longest lines come", () => {
    const longest: Line[] = [
      { name: Buffer.alloc(255, 1) },
      { directory: Buffer.alloc(4000, 0xff), name: Buffer.alloc(255, 0xff) },
      { name: "a", extra: { otherEnd: Buffer.alloc(4096, 0xff), otherKey: "to" } },
      { name: "a", process: { exe: "\xff".repeat(4096) } },
    ];
    for (const line of longest) {
      const wanted = textOf(line);
      for (let shortLines = 0; shortLines < 150; shortLines++) {
        const buffer = new LineBuffer();
        for (let i = 0; i < shortLines; i++) add(buffer, { name: "a" });
        const from = buffer.used;
        add(buffer, line);
        if (buffer.bytes.toString("utf8", from, buffer.used) !== wanted)
          throw new Error(`cut behind ${shortLines}`);
      }
    }
  });

  test("gives back what was put in, for random bytes everywhere (seed 6)", () => {
    const random = new Random(6);
    const randomBytes = (max: number, forbidden: number[]) => {
      const common = [
        0x61, 0x22, 0x5c, 0x0a, 0x7f, 0xc3, 0xa9, 0xe2, 0x80, 0xa8, 0xed, 0xf0, 0x9f, 0x98, 0x80, 0xff, 0x1b,
        0x9b,
      ];
      const bytes = Array.from({ length: random.below(max + 1) }, () =>
        random.chance(0.6) ? random.pick(common) : random.below(256),
      );
      return Buffer.from(bytes.filter((byte) => byte !== 0 && !forbidden.includes(byte)));
    };
    const randomPath = () =>
      Buffer.concat(
        Array.from({ length: random.below(5) }, () =>
          Buffer.concat([Buffer.from("/x"), randomBytes(30, [0x2f])]),
        ),
      );
    const buffer = new LineBuffer();
    for (let round = 0; round < 10_000; round++) {
      if (random.chance(0.05)) buffer.clear();
      const directory = randomPath();
      const name = random.chance(0.1) ? Buffer.alloc(0) : randomBytes(random.chance(0.1) ? 255 : 20, [0x2f]);
      const comm = randomBytes(15, []);
      const exe = random.chance(0.5) ? null : randomPath();
      const otherEnd = random.chance(0.5) ? null : randomPath();
      const from = buffer.used;
      add(buffer, {
        directory,
        name,
        process: { comm: comm.toString("latin1"), exe: exe?.toString("latin1") ?? null },
        extra: { otherEnd, otherKey: "from", directory: random.chance(0.5) },
      });
      const text = buffer.bytes.toString("utf8", from, buffer.used);
      expect(text.indexOf("\n")).toBe(text.length - 1);
      expect(text.slice(0, -1)).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
      const line = JSON.parse(text);
      const whole = name.length > 0 ? Buffer.concat([directory, Buffer.from("/"), name]) : directory;
      for (const [key, bytes] of [
        ["path", whole.length === 0 ? Buffer.from("/") : whole],
        ["cmd", comm],
        ["exe", exe],
        ["from", otherEnd],
      ] as const) {
        expect(line[key]).toBe(bytes === null ? undefined : bytes.toString("utf8"));
        expect(line[`${key}_b64`]).toBe(
          bytes === null || isUtf8(bytes) ? undefined : bytes.toString("base64"),
        );
      }
    }
  });
});
