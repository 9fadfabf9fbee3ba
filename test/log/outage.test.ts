import { expect, test } from "bun:test";
import { Outage } from "../../src/log/outage.ts";

test("Outage keeps lines as they were, though the caller uses its buffer again", () => {
  const outage = new Outage("disk_full", 0);
  const buffer = Buffer.from("first\n");
  outage.keep(buffer.subarray(0, 6), 1, 1);
  buffer.write("other\n");
  outage.keep(buffer, 1, 2);
  expect(Buffer.from(outage.first()!.bytes).toString()).toBe("first\n");
  outage.firstWritten(6);
  expect(Buffer.from(outage.first()!.bytes).toString()).toBe("other\n");
});
