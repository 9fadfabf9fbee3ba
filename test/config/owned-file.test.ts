import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
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
import { join } from "node:path";
import { makeDirectoryFor, readOwnedFile, writeOwnedFile } from "../../src/config/owned-file.ts";
import { Failure } from "../../src/failure.ts";
import type { Identity } from "../../src/kernel/identity.ts";

const asRoot = process.getuid?.() === 0;
const self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, groups: [] };
/** Nobody's number in any user database we know of. */
const person = { uid: 54321, gid: 54321, groups: [54322] };
const limits = { maxBytes: 1000, followLink: true };

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "fsmon-owned-"));
  chmodSync(dir, 0o755);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function target(name: string, owner: Identity = self) {
  return { what: "config file", file: join(dir, name), owner };
}

function failureOf(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("nothing failed");
}

describe("readOwnedFile()", () => {
  test("reads a whole file, and null means that there is none", () => {
    writeFileSync(join(dir, "a"), "x".repeat(1000));
    expect(readOwnedFile(target("a"), limits)?.length).toBe(1000);
    expect(readOwnedFile(target("missing"), limits)).toBeNull();
    expect(readOwnedFile(target("missing/below"), limits)).toBeNull();
  });

  test("refuses a file beyond its bound", () => {
    writeFileSync(join(dir, "a"), "x".repeat(1001));
    expect(failureOf(() => readOwnedFile(target("a"), limits)).message).toContain("more than 1000 bytes");
  });

  test("refuses a FIFO, a directory, a device and a socket at once, by name", () => {
    spawnSync("mkfifo", [join(dir, "fifo")]);
    mkdirSync(join(dir, "directory"));
    symlinkSync("/dev/zero", join(dir, "device"));
    const server = Bun.listen({ unix: join(dir, "socket"), socket: { data() {} } });
    try {
      for (const [name, said] of [
        ["fifo", "a FIFO"],
        ["directory", "a directory"],
        ["device", "a device"],
        ["socket", "no regular file"],
      ] as const) {
        expect(failureOf(() => readOwnedFile(target(name), limits)).message).toContain(said);
      }
    } finally {
      server.stop();
    }
  });

  test("follows a link only where that is asked for", () => {
    writeFileSync(join(dir, "a"), "text");
    symlinkSync("a", join(dir, "link"));
    expect(readOwnedFile(target("link"), limits)?.toString()).toBe("text");
    const failure = failureOf(() => readOwnedFile(target("link"), { ...limits, followLink: false }));
    expect(failure.message).toContain("symbolic link");
    expect(failure.message).toContain(`"${join(dir, "link")}"`);
  });

  test.skipIf(!asRoot)("reads a link to root's file for nobody but root (needs root)", () => {
    writeFileSync(join(dir, "secret"), "root's", { mode: 0o600 });
    symlinkSync("secret", join(dir, "link"));
    const failure = failureOf(() => readOwnedFile(target("link", person), limits));
    expect(failure.message).toContain("permission denied for user 54321");
    expect(readOwnedFile(target("link"), limits)?.toString()).toBe("root's");
  });
});

describe("writeOwnedFile()", () => {
  test("leaves the new content with mode 0600 and nothing beside it", () => {
    writeFileSync(join(dir, "a"), "old", { mode: 0o644 });
    writeOwnedFile(target("a"), "new");
    expect(readFileSync(join(dir, "a"), "utf8")).toBe("new");
    expect(statSync(join(dir, "a")).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir)).toEqual(["a"]);
  });

  test("replaces a symlink and never what it points to", () => {
    writeFileSync(join(dir, "elsewhere"), "untouched");
    symlinkSync("elsewhere", join(dir, "a"));
    writeOwnedFile(target("a"), "new");
    expect(readFileSync(join(dir, "elsewhere"), "utf8")).toBe("untouched");
    expect(readFileSync(join(dir, "a"), "utf8")).toBe("new");
  });

  test("leaves the old file and no rubbish when the last step fails", () => {
    writeFileSync(join(dir, "a"), "old");
    const failing = () => {
      throw Object.assign(new Error("full"), { code: "ENOSPC" });
    };
    const failure = failureOf(() => writeOwnedFile(target("a"), "new", failing));
    expect(failure.message).toContain("the disk is full");
    expect(readdirSync(dir)).toEqual(["a"]);
    expect(readFileSync(join(dir, "a"), "utf8")).toBe("old");
  });

  test.skipIf(!asRoot)("gives the file to the person and can't enter root's directories (needs root)", () => {
    mkdirSync(join(dir, "home"));
    chownSync(join(dir, "home"), person.uid, person.gid);
    makeDirectoryFor(target("home/.config/fsmon/config.toml", person));
    writeOwnedFile(target("home/.config/fsmon/config.toml", person), "x");
    for (const made of ["home/.config", "home/.config/fsmon", "home/.config/fsmon/config.toml"]) {
      const { uid, gid, mode } = statSync(join(dir, made));
      expect([made, uid, gid]).toEqual([made, person.uid, person.gid]);
      expect(mode & 0o077).toBe(0);
    }
    expect(failureOf(() => writeOwnedFile(target("a", person), "x")).message).toContain("permission denied");
    expect(failureOf(() => makeDirectoryFor(target("b/c", person))).message).toContain("permission denied");
    expect(existsSync(join(dir, "a"))).toBe(false);
    // Root is itself again afterwards.
    writeFileSync(join(dir, "roots"), "");
    expect(statSync(join(dir, "roots")).uid).toBe(0);
  });
});
