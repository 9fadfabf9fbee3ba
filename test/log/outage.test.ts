import { expect, test } from "bun:test";
import { ALL_BACKLOGS_MAX_BYTES, BACKLOG_MAX_BYTES, Outage } from "../../src/log/outage.ts";

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

test("Outage keeps no more for all logs together than for some, and has room again when their lines are written or given up", () => {
  const batch = Buffer.alloc(BACKLOG_MAX_BYTES);
  const some = ALL_BACKLOGS_MAX_BYTES / BACKLOG_MAX_BYTES;
  const fill = () => {
    const outages = Array.from({ length: some + 1 }, () => new Outage("disk_full", 0));
    for (const outage of outages) outage.keep(batch, 1000, 1);
    // State lines explain the rest: they are kept all the same.
    for (const outage of outages) outage.keep(Buffer.from("state\n"), 0, 2);
    return outages;
  };
  for (let round = 0; round < 2; round++) {
    const outages = fill();
    // Whatever other tests of this process have left.
    const kept = outages.filter(({ lost }) => lost === 0).length;
    expect(kept).toBeLessThanOrEqual(some);
    expect(kept).toBeGreaterThan(some / 2);
    expect(outages.map(({ lost }) => lost)).toEqual(outages.map((_, i) => (i < kept ? 0 : 1000)));
    expect(outages.at(-1)?.keptBytes).toBe(6);
    for (const [i, outage] of outages.entries()) {
      if (i % 2 === 0) outage.giveUp();
      for (let kept = outage.first(); kept !== undefined; kept = outage.first())
        outage.firstWritten(kept.bytes.length);
      expect(outage.keptBytes).toBe(0);
    }
  }
});
