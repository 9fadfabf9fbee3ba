import { describe, expect, test } from "bun:test";
import { MASK, NAME_AT } from "../../src/decode/fan.ts";
import * as abi from "../../src/kernel/abi.ts";
import { Limbo } from "../../src/resolve/limbo.ts";
import { at, batchOf, event, inode, object } from "../decode/fan-bytes.ts";

const made = (name: string) => event(abi.FAN_CREATE, 1, at(inode(2), name), object(inode(3)));
/** As in limbo.ts. */
const EVENTS_MAX = 200_000;

describe("Limbo", () => {
  test("gives the events of one directory back in their order, once", () => {
    const limbo = new Limbo();
    const batch = batchOf(made("a"), made("b"), made("c"));
    limbo.hold("one", batch, 0);
    limbo.hold("other", batch, 1);
    limbo.caughtUp();
    limbo.hold("one", batch, 2);
    const taken = limbo.take("one")!;
    const names = [0, 1].map((i) => String.fromCharCode(taken.bytes[taken.get(i, NAME_AT)]!));
    expect([taken.count, names]).toEqual([2, ["a", "c"]]);
    expect(taken.get(0, MASK)).toBe(abi.FAN_CREATE);
    expect(limbo.take("one")).toBe(null);
    expect(limbo.has("other")).toBe(true);
  });

  test("lets go of what nobody has told by the second time that the queue was read to its end", () => {
    const limbo = new Limbo();
    limbo.hold("one", batchOf(made("a")), 0);
    limbo.caughtUp();
    expect(limbo.empty).toBe(false);
    limbo.caughtUp();
    expect([limbo.empty, limbo.take("one")]).toEqual([true, null]);
  });

  test("counts what it has no room for, and has room again", () => {
    const limbo = new Limbo();
    const batch = batchOf(made("a"));
    for (let i = 0; i < EVENTS_MAX + 3; i++) limbo.hold("one", batch, 0);
    expect([limbo.takeRefused(), limbo.takeRefused()]).toEqual([3, 0]);
    expect(limbo.take("one")!.count).toBe(EVENTS_MAX);
    limbo.hold("one", batch, 0);
    expect([limbo.takeRefused(), limbo.has("one")]).toEqual([0, true]);
  });
});
