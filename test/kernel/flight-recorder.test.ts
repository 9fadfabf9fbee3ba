import { expect, test } from "bun:test";
import { realpathSync } from "node:fs";
import { FlightRecorder } from "../../src/kernel/flight-recorder.ts";
import { monotonicNs } from "../../src/kernel/monotonic.ts";

const asRoot = process.getuid?.() === 0;
/** Overwrites the ring of one CPU, 2 MiB at the most: a record has 104 bytes at the least. */
const MAPS_MUCH = [
  "python3",
  "-c",
  "import mmap\nwith open('/proc/self/exe', 'rb') as f:\n  for _ in range(21000): mmap.mmap(f.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)",
];
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

test.skipIf(!asRoot)("and tells each of many apart, asked in any order (needs root)", () => {
  const recorder = FlightRecorder.open();
  try {
    const programs = ["true", "false", "uname", "id"];
    const ran = Array.from({ length: 120 }, (_, i) => {
      const [program, sinceNs] = [programs[i % programs.length]!, monotonicNs()];
      return { sinceNs, pid: Bun.spawnSync([program]).pid, path: realpathSync(Bun.which(program)!) };
    });
    const halves = [...ran.slice(60).toReversed(), ...ran.slice(0, 60)];
    expect(halves.map(({ pid, sinceNs }) => recorder.find(pid, sinceNs)?.toString())).toEqual(
      halves.map(({ path }) => path),
    );
  } finally {
    recorder.close();
  }
});

test.skipIf(!asRoot)(
  "and doesn't know it any more once the record is overwritten, rather than to tell a library's path (needs root)",
  () => {
    const recorder = FlightRecorder.open();
    try {
      const beforeNs = monotonicNs();
      const { pid } = Bun.spawnSync([...PINNED, "true"]);
      expect(recorder.find(pid, beforeNs)).not.toBeNull();
      Bun.spawnSync([...PINNED, ...MAPS_MUCH]);
      expect(recorder.find(pid, beforeNs)).toBeNull();
      // What came after that is known.
      const laterNs = monotonicNs();
      const later = Bun.spawnSync([...PINNED, "true"]);
      expect(recorder.find(later.pid, laterNs)).not.toBeNull();
    } finally {
      recorder.close();
    }
  },
);
