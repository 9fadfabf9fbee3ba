import { expect, test } from "bun:test";
import { constants } from "node:os";
import { helper } from "../../src/kernel/helper.ts";
import { sendDatagram } from "../../src/kernel/notify.ts";

test("sendDatagram() says false and harms nothing where nobody listens or the address is none", () => {
  for (const address of ["/nonexistent/socket", "@nobody-listens-here", "", "/a\0b", `/${"x".repeat(200)}`]) {
    expect(sendDatagram(address, "READY=1")).toBe(false);
  }
});

test("fh_exec_self() refuses strings that don't end and more than there may be, and goes on", () => {
  const block = Buffer.from("a\0b\0");
  const none = Buffer.alloc(1);
  const { EINVAL, E2BIG } = constants.errno;
  expect(helper().fh_exec_self(block, block.length, 3, none, 0, 0)).toBe(-EINVAL);
  expect(helper().fh_exec_self(block, block.length - 1, 2, none, 0, 0)).toBe(-EINVAL);
  expect(helper().fh_exec_self(block, block.length, 1025, none, 0, 0)).toBe(-E2BIG);
});
