import { expect, test } from "bun:test";
import { contractPlace, defaultPlaces, expandPlace } from "../../src/config/places.ts";

const owner = { uid: 1000, gid: 1000, groups: [], name: "alice", home: "/home/alice" };

test("defaultPlaces() are those of the documentation", () => {
  expect(defaultPlaces(owner, {}, true)).toEqual({
    configFile: "/home/alice/.config/fsmon/config.toml",
    managedFile: "/home/alice/.local/share/fsmon/managed.jsonl",
    logDir: "/home/alice/.local/state/fsmon",
    socketPath: "/tmp/fsmon-1000.sock",
  });
});

test("XDG variables count when they are absolute and the owner's own", () => {
  const env = { XDG_CONFIG_HOME: "/x/config", XDG_DATA_HOME: "/x/data/", XDG_STATE_HOME: "relative" };
  expect(defaultPlaces(owner, env, true)).toMatchObject({
    configFile: "/x/config/fsmon/config.toml",
    managedFile: "/x/data/fsmon/managed.jsonl",
    logDir: "/home/alice/.local/state/fsmon",
  });
  expect(defaultPlaces(owner, env, false)).toEqual(defaultPlaces(owner, {}, true));
  // Root that works for somebody else: sudo's environment is not theirs.
  const other = { ...owner, uid: (process.getuid?.() ?? 0) + 1 };
  expect(defaultPlaces(other, env)).toEqual(defaultPlaces(other, {}, true));
  expect(defaultPlaces({ ...owner, uid: process.getuid?.() ?? 0 }, env).configFile).toBe(
    "/x/config/fsmon/config.toml",
  );
});

test("expandPlace() knows ~ at the beginning and <UID> anywhere", () => {
  expect(expandPlace("~/logs", owner)).toBe("/home/alice/logs");
  expect(expandPlace("~", owner)).toBe("/home/alice");
  expect(expandPlace("/run/user/<UID>/fsmon-<UID>.sock", owner)).toBe("/run/user/1000/fsmon-1000.sock");
  expect(expandPlace("~bob/logs", owner)).toBe("~bob/logs");
  expect(expandPlace("/a/~/b", owner)).toBe("/a/~/b");
});

test("contractPlace() undoes it", () => {
  for (const place of [
    "~/.local/state/fsmon",
    "/tmp/fsmon-<UID>.sock",
    "/var/log/fsmon",
    "/home/alicent/x",
  ]) {
    expect(contractPlace(expandPlace(place, owner), owner)).toBe(place);
  }
});
