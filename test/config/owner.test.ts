import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findOwner, type OwnerOptions } from "../../src/config/owner.ts";
import type { UserDatabase, UserEntry } from "../../src/config/users.ts";
import { Failure } from "../../src/failure.ts";

const asRoot = process.getuid?.() === 0;
let dir = "";
let aliceHome = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "fsmon-owner-"));
  chmodSync(dir, 0o755);
  aliceHome = join(dir, "alice");
  mkdirSync(aliceHome);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function users(): UserDatabase {
  const entries: UserEntry[] = [
    { name: "root", uid: 0, gid: 0, home: join(dir, "root") },
    { name: "alice", uid: 54321, gid: 54321, home: `${aliceHome}/` },
    { name: "homeless", uid: 54322, gid: 54322, home: join(dir, "nonexistent") },
    { name: "nowhere", uid: 54323, gid: 54323, home: "" },
  ];
  return {
    byUid: (uid) => entries.find((entry) => entry.uid === uid) ?? null,
    byName: (name) => entries.find((entry) => entry.name === name) ?? null,
    groupsOf: (user) => [user.gid, 4],
  };
}

function find(options: Omit<OwnerOptions, "users">) {
  return findOwner({ ...options, users: users() });
}

function refusal(options: Omit<OwnerOptions, "users">): Failure {
  try {
    find(options);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

const alice = () => ({ name: "alice", uid: 54321, gid: 54321, groups: [54321, 4], home: aliceHome });

describe("findOwner()", () => {
  test("is the person behind sudo, with the home of the user database whatever HOME says", () => {
    const env = { SUDO_UID: "54321", HOME: dir, SUDO_USER: "mallory" };
    expect(find({ env, processUid: 0 })).toEqual(alice());
  });

  test("is the user of --user, by name or number, before SUDO_UID", () => {
    expect(find({ env: { SUDO_UID: "0", HOME: dir }, userOption: "alice", processUid: 0 })).toEqual(alice());
    expect(find({ env: {}, userOption: "54321", processUid: 0 })).toEqual(alice());
  });

  test("is the process's own user without sudo, with the HOME of the environment", () => {
    const root = find({ env: { HOME: aliceHome }, processUid: 0 });
    expect([root.uid, root.name, root.home]).toEqual([0, "root", aliceHome]);
    const own = find({ env: { HOME: dir, SUDO_UID: "0" }, processUid: 54321 });
    expect([own.uid, own.name, own.home]).toEqual([54321, "alice", dir]);
    expect(find({ env: { HOME: "relative" }, processUid: 54321 }).home).toBe(aliceHome);
    expect(find({ env: { SUDO_UID: "", HOME: dir }, processUid: 0 }).home).toBe(dir);
    expect(find({ env: { SUDO_UID: "0", HOME: dir }, processUid: 0 }).home).toBe(dir);
  });

  test("needs no entry for the process's own user while HOME is set", () => {
    const own = find({ env: { HOME: dir }, processUid: 777 });
    expect([own.uid, own.name, own.home]).toEqual([777, "777", dir]);
    expect(refusal({ env: {}, processUid: 777 }).hint).toContain("HOME");
  });

  test("fails for a user that doesn't exist", () => {
    for (const [options, quoted] of [
      [{ env: { SUDO_UID: "999" }, processUid: 0 }, "999"],
      [{ env: {}, userOption: "bob", processUid: 0 }, '"bob"'],
      [{ env: {}, userOption: "999", processUid: 0 }, '"999"'],
      [{ env: {}, userOption: "", processUid: 0 }, '""'],
    ] as const) {
      const failure = refusal(options);
      expect(failure.message).toContain(quoted);
      expect(failure.hint).toContain("--user");
      expect(failure.exitCode).toBe(1);
    }
  });

  test("fails for a SUDO_UID that is no number", () => {
    for (const SUDO_UID of ["alice", "-1", "1000; rm", "4294967295", "54321 "]) {
      expect(refusal({ env: { SUDO_UID }, processUid: 0 }).message).toContain(`"${SUDO_UID}"`);
    }
  });

  test("fails for a home that doesn't exist or is no directory", () => {
    for (const SUDO_UID of ["54322", "54323"]) {
      expect(refusal({ env: { SUDO_UID }, processUid: 0 }).message).toContain("Cannot use the home");
    }
    writeFileSync(join(dir, "file"), "");
    const failure = refusal({ env: { HOME: join(dir, "file") }, processUid: 0 });
    expect(failure.message).toContain(`"${join(dir, "file")}"`);
  });

  test("fails when somebody without root wants to work for another", () => {
    expect(refusal({ env: {}, userOption: "root", processUid: 54321 }).message).toContain("without root");
    expect(find({ env: {}, userOption: "alice", processUid: 54321 }).name).toBe("alice");
  });

  test.skipIf(!asRoot)("looks at the home with the person's rights, not root's (needs root)", () => {
    mkdirSync(join(dir, "closed"), { mode: 0o700 });
    chownSync(aliceHome, 54321, 54321);
    const closed: UserDatabase = {
      ...users(),
      byUid: () => ({ name: "bob", uid: 54324, gid: 54324, home: join(dir, "closed/home") }),
    };
    mkdirSync(join(dir, "closed/home"));
    expect(() => findOwner({ env: { SUDO_UID: "54324" }, users: closed })).toThrow("Cannot use the home");
  });
});
