import { expect, test } from "bun:test";
import { EVENT_TYPES, TYPE_BITS } from "../../src/event.ts";
import { LINE_BITS, LINE_ORDER, LINE_ORDER_REBORN } from "../../src/resolve/order.ts";

test("each of the 14 types has its place in both orders, once, with its bit", () => {
  for (const order of [LINE_ORDER, LINE_ORDER_REBORN]) {
    expect(order.map((one) => one.type).sort()).toEqual([...EVENT_TYPES].sort());
    for (const { bit, type } of order) expect(bit).toBe(TYPE_BITS[type]);
  }
  expect(LINE_BITS).toBe(EVENT_TYPES.reduce((mask, type) => mask | TYPE_BITS[type], 0));
});

test("the lines of a merged event tell a life from birth to end", () => {
  // The order that docs/events.md promises.
  const promised =
    "MOVED_FROM MOVED_TO MOVE_SELF CREATE OPEN OPEN_EXEC ACCESS MODIFY ATTRIB CLOSE_WRITE CLOSE_NOWRITE DELETE DELETE_SELF";
  expect(LINE_ORDER.map((one) => one.type).join(" ")).toBe(`${promised} FS_ERROR`);
});

test("what was removed and made again has its DELETE first, and else the same order", () => {
  const [first, ...rest] = LINE_ORDER_REBORN.map((one) => one.type);
  expect(first).toBe("DELETE");
  expect(rest).toEqual(LINE_ORDER.map((one) => one.type).filter((type) => type !== "DELETE"));
});
