import { expect, test } from "bun:test";
import { queueBound } from "../../src/daemon/queue-bound.ts";

test("queueBound() lies between the kernel's own default and a million, whatever limits this machine has", () => {
  const events = queueBound();
  expect(Number.isInteger(events)).toBe(true);
  expect(events).toBeGreaterThanOrEqual(16_384);
  expect(events).toBeLessThanOrEqual(1_000_000);
});
