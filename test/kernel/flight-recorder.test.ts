import { expect, test } from "bun:test";
import { realpathSync } from "node:fs";
import { FlightRecorder } from "../../src/kernel/flight-recorder.ts";
import { monotonicNs } from "../../src/kernel/monotonic.ts";

const asRoot = process.getuid?.() === 0;
/** Programs that overwrite the ring of one CPU: four records, 450 bytes at the least. */
const ENOUGH = 1500;
/** All on one CPU. */
const PINNED = ["taskset", "-c", "0"];

test.skipIf(!asRoot)(
  "the flight recorder knows what a process that is gone had executed (needs root)",
  () => {
    const recorder = FlightRecorder.open();
    try {
      const beforeNs = monotonicNs();
      const { pid } = Bun.spawnSync(["true"]);
      const betweenNs = monotonicNs();
      expect(recorder.find(pid, beforeNs)?.toString()).toBe(realpathSync(Bun.which("true")!));
      // Later, and by others.
      expect(recorder.find(pid, betweenNs)).toBeNull();
      expect(recorder.find(process.pid, beforeNs)).toBeNull();
      for (let i = 0; i < 20; i++) Bun.spawnSync(["sh", "-c", ":"]);
      expect(recorder.find(pid, beforeNs)?.toString()).toBe(realpathSync(Bun.which("true")!));
    } finally {
      recorder.close();
    }
  },
);

test.skipIf(!asRoot)(
  "and doesn't know it any more once the record is overwritten, rather than to tell a library's path (needs root)",
  () => {
    const recorder = FlightRecorder.open();
    try {
      const beforeNs = monotonicNs();
      const { pid } = Bun.spawnSync([...PINNED, "true"]);
      expect(recorder.find(pid, beforeNs)).not.toBeNull();
      const script = `i=0; while [ $i -lt ${ENOUGH} ]; do /bin/true; i=$((i+1)); done`;
      Bun.spawnSync([...PINNED, "sh", "-c", script]);
      expect(recorder.find(pid, beforeNs)).toBeNull();
    } finally {
      recorder.close();
    }
  },
  60_000,
);
