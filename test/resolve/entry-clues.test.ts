import { describe, expect, test } from "bun:test";
import { FSID_LOW } from "../../src/decode/fan.ts";
import * as abi from "../../src/kernel/abi.ts";
import { ReadAhead } from "../../src/resolve/read-ahead.ts";
import { at, event, from, inode, object, to } from "../decode/fan-bytes.ts";
import { Queue } from "./queue.ts";
import { filesystemWith } from "./watches.ts";

const [D, E, X, Y] = [inode(60), inode(61), inode(70), inode(71)];
const made = (parent: Uint8Array, name: string, one: Uint8Array, more = 0) =>
  event(abi.FAN_CREATE | abi.FAN_ONDIR | more, 1, at(parent, name), object(one));
const removed = (parent: Uint8Array, name: string, one: Uint8Array) =>
  event(abi.FAN_DELETE | abi.FAN_ONDIR, 1, at(parent, name), object(one));
const renamed = (
  [parent, name]: [Uint8Array, string],
  [newParent, newName]: [Uint8Array, string],
  one: Uint8Array,
) => event(abi.FAN_RENAME | abi.FAN_ONDIR, 1, from(parent, name), to(newParent, newName), object(one));

/** What the queue says of the entry "n" of D before its event with this number. */
function had(events: readonly Uint8Array[], before = 0): Uint8Array | null | undefined {
  const { fs } = filesystemWith([]);
  const ahead = new ReadAhead(new Queue(...events));
  ahead.next();
  expect(ahead.batch.get(0, FSID_LOW)).toBe(fs.fsidLow);
  return ahead.entryHad(fs, D, Buffer.from("n"), ahead.batch.placeOf(before));
}

describe("the directory that an entry was", () => {
  test("is told by the event that takes the name away from it", () => {
    expect(had([removed(D, "n", X)])).toEqual(X);
    expect(had([renamed([D, "n"], [E, "m"], X)])).toEqual(X);
    expect(had([removed(D, "n", X), made(D, "n", Y), removed(D, "n", Y)])).toEqual(X);
  });

  test("was none where the name is given to one", () => {
    expect(had([made(D, "n", X)])).toBe(null);
    expect(had([made(D, "n", X, abi.FAN_DELETE)])).toBe(null);
    expect(had([renamed([E, "m"], [D, "n"], X), renamed([D, "n"], [E, "m"], X)])).toBe(null);
  });

  test("is the disk's to say where nothing is queued of that entry, or only something from before", () => {
    const others = [removed(D, "nn", X), removed(E, "n", X), renamed([E, "n"], [D, "nn"], Y)];
    expect(had(others)).toBe(undefined);
    expect(had([removed(D, "n", X), ...others], 1)).toBe(undefined);
  });

  test("is the one that an exchange takes away, whichever half comes first", () => {
    const halves = [renamed([D, "n"], [E, "m"], X), renamed([E, "m"], [D, "n"], Y)];
    expect(had(halves)).toEqual(X);
    expect(had([...halves].reverse())).toEqual(X);
  });
});
