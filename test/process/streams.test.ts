import { describe, expect, test } from "bun:test";
import type { ProcessRecord } from "../../src/decode/process.ts";
import { ProcessStreams } from "../../src/process/streams.ts";
import { parseSources } from "../../src/process/way.ts";

const asRoot = process.getuid?.() === 0;

/** What the streams tell of one process that runs `true` as another user and ends; two drains, because the last records wait for the next one. */
function tellOf(way: string | null): { mine: ProcessRecord[]; ordered: boolean } {
  const streams = new ProcessStreams(parseSources(way));
  try {
    const { pid } = Bun.spawnSync(["setpriv", "--reuid=65534", "true"]);
    const all: ProcessRecord[] = [];
    let ordered = true;
    for (let i = 0; i < 2; i++) {
      const records: ProcessRecord[] = [];
      streams.drain(records);
      all.push(...records);
    }
    for (let i = 1; i < all.length; i++) ordered &&= all[i - 1]!.timeNs <= all[i]!.timeNs;
    return { mine: all.filter((record) => "pid" in record && record.pid === pid), ordered };
  } finally {
    streams.close();
  }
}

/** Repeated kinds (a name told twice) as one. */
const kinds = (records: readonly ProcessRecord[]) =>
  records.map((record) => record.kind).filter((kind, i, all) => kind !== all[i - 1]);

describe("ProcessStreams", () => {
  test.skipIf(!asRoot)(
    "joins rings and socket into one order: fork, exec, change of user, exec, exit (needs root)",
    () => {
      const { mine, ordered } = tellOf(null);
      expect(kinds(mine)).toEqual(["fork", "comm", "uid", "comm", "exit"]);
      expect(mine.find((record) => record.kind === "uid")).toMatchObject({ uid: 65534, euid: 65534 });
      expect(ordered).toBe(true);
    },
  );

  test.skipIf(!asRoot)("serves with the connector alone, where perf is locked down (needs root)", () => {
    const { mine, ordered } = tellOf("connector");
    expect(kinds(mine)).toEqual(["fork", "exec", "uid", "exec", "exit"]);
    expect(ordered).toBe(true);
  });

  test("tells nothing and opens nothing with /proc alone, and says so", () => {
    const streams = new ProcessStreams(parseSources("proc"));
    const records: ProcessRecord[] = [];
    expect(streams.drain(records)).toBeNull();
    expect([records, streams.fds, streams.chattyFds]).toEqual([[], [], []]);
    expect(streams.way).toContain("/proc only");
    streams.close();
  });
});
