import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { loadConfig } from "../../src/config/config.ts";
import { FIELDS, KEYS } from "../../src/config/keys.ts";
import type { Owner } from "../../src/config/owner.ts";
import { defaultPlaces, type Places } from "../../src/config/places.ts";
import { configTemplate, createMissingConfig, writeDefaultConfig } from "../../src/config/template.ts";
import { Failure } from "../../src/failure.ts";

let owner: Owner = { uid: 0, gid: 0, groups: [], name: "me", home: "" };
let places: Places = defaultPlaces(owner, {});
beforeEach(() => {
  const home = mkdtempSync(join(tmpdir(), "fsmon-template-"));
  owner = { uid: process.getuid?.() ?? 0, gid: 0, groups: [], name: "me", home };
  places = defaultPlaces(owner, {});
});
afterEach(() => rmSync(owner.home, { recursive: true, force: true }));

function load() {
  return loadConfig({ owner, env: {}, places });
}

describe("the default config", () => {
  test("means exactly the defaults", () => {
    const { sources: _, configFound: __, ...defaults } = load();
    writeDefaultConfig(places, owner, { force: false });
    const written = load();
    expect(written).toMatchObject(defaults);
    const fromFile = FIELDS.filter((field) => written.sources[field] === "config");
    expect(fromFile).toEqual(FIELDS.filter((field) => KEYS[field].standard(places) !== null));
  });

  test("has every key with a comment, and the examples are valid too", () => {
    const text = configTemplate(places, owner);
    for (const field of FIELDS)
      expect(text).toMatch(new RegExp(`^# .+\\n(# )?${KEYS[field].key} = .+$`, "m"));
    expect(text).toContain('path = "/tmp/fsmon-<UID>.sock"');
    expect(text).toContain('dir = "~/.local/state/fsmon"');
    mkdirSync(dirname(places.configFile), { recursive: true });
    writeFileSync(places.configFile, text.replace(/^# (max_total|min_free) =/gm, "$1 ="));
    expect(load()).toMatchObject({ maxTotalBytes: 10 * 2 ** 30, minFreeBytes: 2 ** 30 });
  });

  test("keeps places with quotes, backslashes and control characters whole", () => {
    const odd = { ...places, logDir: '/x/"\\\u007f\n/é' };
    writeDefaultConfig(odd, owner, { force: false });
    expect(loadConfig({ owner, env: {}, places }).logDir).toBe(odd.logDir);
  });
});

describe("writeDefaultConfig()", () => {
  test("makes directories and a file for the owner alone", () => {
    expect(writeDefaultConfig(places, owner, { force: false })).toBe(places.configFile);
    expect(statSync(places.configFile).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(places.configFile)).mode & 0o777).toBe(0o700);
    expect(readdirSync(dirname(places.configFile))).toEqual(["config.toml"]);
  });

  test("never touches an existing one without force, and replaces it with", () => {
    mkdirSync(dirname(places.configFile), { recursive: true });
    writeFileSync(places.configFile, "# mine\n");
    let failure: unknown;
    try {
      writeDefaultConfig(places, owner, { force: false });
    } catch (error) {
      failure = error;
    }
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).toMatchObject({ exitCode: 1, hint: expect.stringContaining("generate -f") });
    expect(readFileSync(places.configFile, "utf8")).toBe("# mine\n");
    expect(readdirSync(dirname(places.configFile))).toEqual(["config.toml"]);
    writeDefaultConfig(places, owner, { force: true });
    expect(readFileSync(places.configFile, "utf8")).toBe(configTemplate(places, owner));
  });

  test("takes a dangling link for an existing config", () => {
    mkdirSync(dirname(places.configFile), { recursive: true });
    symlinkSync("/nonexistent/config.toml", places.configFile);
    expect(() => writeDefaultConfig(places, owner, { force: false })).toThrow("it exists");
    expect(createMissingConfig(places, owner)).toBe(false);
  });

  test("with force writes through a dotfile manager's link, which stays", () => {
    mkdirSync(dirname(places.configFile), { recursive: true });
    const real = join(owner.home, "dotfiles.toml");
    writeFileSync(real, "# mine\n");
    symlinkSync(real, places.configFile);
    expect(writeDefaultConfig(places, owner, { force: true })).toBe(real);
    expect(lstatSync(places.configFile).isSymbolicLink()).toBe(true);
    expect(readFileSync(real, "utf8")).toBe(configTemplate(places, owner));
  });

  test("with force replaces files only", () => {
    mkdirSync(places.configFile, { recursive: true });
    expect(() => writeDefaultConfig(places, owner, { force: true })).toThrow("a directory");
  });
});

test("createMissingConfig() writes once and says whether it did", () => {
  expect(createMissingConfig(places, owner)).toBe(true);
  writeFileSync(places.configFile, "# mine\n");
  expect(createMissingConfig(places, owner)).toBe(false);
  expect(readFileSync(places.configFile, "utf8")).toBe("# mine\n");
  expect(existsSync(places.managedFile)).toBe(false);
});
