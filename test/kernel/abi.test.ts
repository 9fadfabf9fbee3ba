import { describe, expect, test } from "bun:test";
import { constants } from "node:os";
import * as event from "../../src/event.ts";
import * as abi from "../../src/kernel/abi.ts";
import { helper } from "../../src/kernel/helper.ts";

describe("the layout of the kernel's structs", () => {
  for (const [i, [name, value]] of abi.LAYOUT.entries()) {
    test(`${name} is what the C compiler says`, () => {
      expect(helper().fh_layout(i)).toBe(value);
    });
  }

  test("has no more entries in C than here", () => {
    expect(helper().fh_layout(abi.LAYOUT.length)).toBe(-constants.errno.ENOENT);
    expect(helper().fh_layout(0xffffffff)).toBe(-constants.errno.ENOENT);
  });
});

test("each type's bit is the kernel's", () => {
  const constants = new Map(Object.entries(abi));
  for (const [name, bit] of Object.entries(event.TYPE_BITS)) {
    expect([name, constants.get(`FAN_${name}`)]).toEqual([name, bit]);
  }
});
