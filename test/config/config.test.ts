import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type ConfigFlags, loadConfig } from "../../src/config/config.ts";
import { defaultPlaces } from "../../src/config/places.ts";
import { Failure } from "../../src/failure.ts";

let home = "";
let file = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "fsmon-config-"));
  file = join(home, ".config/fsmon/config.toml");
  mkdirSync(dirname(file), { recursive: true });
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function load(text?: string | Uint8Array, flags?: ConfigFlags) {
  if (text !== undefined) writeFileSync(file, text);
  const uid = process.getuid?.() ?? 0;
  const owner = { uid, gid: 0, groups: [], name: "me", home };
  return loadConfig({ owner, env: {}, flags, places: defaultPlaces(owner, {}) });
}

function failureOf(text: string | Uint8Array): Failure {
  try {
    load(text);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("nothing failed");
}

const DEFAULTS = {
  keepDays: 30,
  maxSizeBytes: 2 ** 30,
  maxTotalBytes: null,
  minFreeBytes: null,
  segmentSizeBytes: 64 * 2 ** 20,
  details: [],
  args: false,
};

describe("loadConfig()", () => {
  test("without a file, or with an empty one, gives the defaults", () => {
    const none = load();
    expect(none).toMatchObject({ ...DEFAULTS, configFile: file, configFound: false });
    expect(none.managedFile).toBe(join(home, ".local/share/fsmon/managed.jsonl"));
    expect(none.logDir).toBe(join(home, ".local/state/fsmon"));
    expect(new Set(Object.values(none.sources))).toEqual(new Set(["default"]));
    expect(Object.keys(none.sources)).toHaveLength(10);
    expect(load("")).toMatchObject({ ...DEFAULTS, configFound: true });
    expect(Object.isFrozen(none)).toBe(true);
  });

  test("reads every key", () => {
    const config = load(`[managed]
file = "~/paths.jsonl"
[logging]
dir = "/var/log//fsmon/"
keep_days = 0
max_size = "1.5MB"
max_total = 5000
min_free = "0"
segment_size = "64KB"
details = ["container", "ancestry"]
args = true
[socket]
path = "/run/fsmon-<UID>.sock"
`);
    expect(config).toMatchObject({
      managedFile: join(home, "paths.jsonl"),
      logDir: "/var/log/fsmon",
      keepDays: 0,
      maxSizeBytes: 1_572_864,
      maxTotalBytes: 5000,
      minFreeBytes: 0,
      segmentSizeBytes: 65_536,
      details: ["ancestry", "container"],
      args: true,
      socketPath: `/run/fsmon-${process.getuid?.()}.sock`,
    });
    expect(new Set(Object.values(config.sources))).toEqual(new Set(["config"]));
  });

  test("puts a flag before the config and the config before the default, and says so", () => {
    const config = load('[logging]\nkeep_days = 7\nmax_size = "1MB"\nmax_total = "2MB"\n', {
      keepDays: 3,
      maxTotalBytes: null,
      maxSizeBytes: undefined,
    });
    expect(config).toMatchObject({ keepDays: 3, maxSizeBytes: 2 ** 20, maxTotalBytes: null });
    expect(config.sources).toMatchObject({
      keepDays: "flag",
      maxTotalBytes: "flag",
      maxSizeBytes: "config",
      logDir: "default",
    });
  });

  const refused: [string, string, string][] = [
    ["[logging]\nkeep_day = 3", ':2:1: unknown key "keep_day" in [logging]', "did you mean keep_days?"],
    ["\n[loging]\ndir = 1", ':2:2: unknown key "loging"', "did you mean logging?"],
    ["[bogus]", ':1:2: unknown key "bogus"', "known sections: managed, logging, socket"],
    ["max_size = 3", ':1:1: unknown key "max_size"', "belongs below [logging]"],
    ["logging = 3", ':1:11: "logging" is 3, not a table', "write [logging]"],
    ["[[logging]]", ':1:3: "logging" is a list, not a table', "write [logging]"],
    ['[logging]\n\n  keep_days = "7"', ':3:15: keep_days is "7"', "keep_days = 30"],
    ["[logging]\nkeep_days = -1", ":2:13: keep_days is -1", "from 0 to"],
    ["[logging]\nkeep_days = 1.5", ":2:13: keep_days is 1.5", "whole number"],
    ["[logging]\nkeep_days = true", ":2:13: keep_days is true", "whole number"],
    ["[logging]\nkeep_days = 2026-05-01", ":2:13: keep_days is a date", "whole number"],
    ["[logging]\nkeep_days = [1]", ":2:13: keep_days is the list [1]", "whole number"],
    ['[logging]\ndetails = ["unit", "anc"]', ':2:11: details is the list ["unit", "anc"]', "ancestry"],
    ["[logging]\nmax_size = 'big'", ':2:12: max_size is "big"', '"64MB"'],
    ["[logging]\nmax_size = 0", ":2:12: max_size is 0", '"64MB"'],
    ["[logging]\nsegment_size = '1KB'", ':2:16: segment_size is "1KB"', "4096 bytes"],
    ["[logging]\ndir = 'logs'", ':2:7: dir is "logs"', "absolute path"],
    ["[logging]\ndir = '~bob/logs'", ':2:7: dir is "~bob/logs"', "absolute path"],
    ['[logging]\ndir = "/a\\u0000b"', ":2:7: dir is", "absolute path"],
    [`[socket]\npath = "/${"x".repeat(107)}"`, ":2:8: path is", "107 bytes"],
    ["[logging]\nkeep_days = ", ":2:13: ", "mend that line"],
    ["[logging]\nkeep_days = 1\nkeep_days = 2", ":3:1: ", "mend that line"],
    ["[logging\n", ":1:9: ", "mend that line"],
    ["[logging]\nkeep_days = 99999999999999999999", ":2:13: ", "mend that line"],
  ];
  for (const [text, said, hint] of refused) {
    test(`refuses ${JSON.stringify(text.slice(0, 50))} with its place`, () => {
      const failure = failureOf(text);
      expect(failure.message).toStartWith(`Cannot use the config file ${file}:`);
      expect(failure.message).toContain(said);
      expect(failure.message).not.toContain("\n");
      expect(failure.hint).toContain(hint);
      expect(failure.exitCode).toBe(1);
    });
  }

  test("reports a broken value even when a flag beats it", () => {
    expect(() => load("[logging]\nkeep_days = 'x'", { keepDays: 3 })).toThrow("keep_days");
  });

  test("follows the link of a dotfile manager", () => {
    writeFileSync(join(home, "real.toml"), "[logging]\nkeep_days = 9\n");
    symlinkSync(join(home, "real.toml"), file);
    expect(load().keepDays).toBe(9);
  });

  test("refuses what is no text of a config's size", () => {
    const broken = (...after: number[]) =>
      failureOf(Buffer.concat([Buffer.from("[logging]\nkeep_days = 4 # é\ufffd"), Buffer.from(after)]))
        .message;
    expect(broken(0xff, 0x0a)).toContain(`${file}:2:19: not UTF-8`);
    expect(broken(0x0a, 0xef, 0xbf, 0x41)).toContain(`${file}:3:1: not UTF-8`);
    expect(failureOf(`#${"x".repeat(2 ** 20)}`).message).toContain("more than 1048576 bytes");
    rmSync(file);
    mkdirSync(file);
    expect(() => load()).toThrow("a directory");
  });

  test("takes keys that every object has for unknown ones", () => {
    for (const key of ["__proto__", "constructor", "toString"]) {
      expect(failureOf(`[logging]\n${key} = 1`).message).toContain(`unknown key "${key}"`);
      expect(failureOf(`[${key}]\na = 1`).message).toContain(`unknown key "${key}"`);
    }
  });
});
