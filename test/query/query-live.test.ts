// Queries while a writer in a process of its own appends and seals as fast as it can, and while others pack its segments.
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { runQuery } from "../../src/query/query.ts";
import { numbersIn, span } from "../log/log-dir.ts";
import { Storm } from "../log/storm.ts";

async function ask(logDir: string): Promise<string> {
  const parts: Buffer[] = [];
  const sink = { write: (bytes: Uint8Array) => parts.push(Buffer.from(bytes)) > 0 };
  const request = { logDir, paths: [], sinceMs: null, untilMs: null, files: null, managedPaths: [] };
  const { exitCode } = await runQuery(request, sink, () => {});
  expect(exitCode).toBe(0);
  return Buffer.concat(parts).toString();
}

test("runQuery() sees every line exactly once while the log is written and sealed", async () => {
  await using storm = new Storm();
  await storm.start(20_000, 20, 1);
  for (let i = 0; i < 25; i++) {
    await storm.pass(200);
    const before = storm.acknowledged;
    const numbers = numbersIn(await ask(storm.dir.path));
    expect(span(numbers)).toBe(`0..${numbers.at(-1)}`);
    expect(numbers.length).toBeGreaterThanOrEqual(before);
  }
});

test("runQuery() sees every line exactly once while segments are packed", async () => {
  await using storm = new Storm();
  await storm.start(40_000, 20, 1);
  await storm.pass(4000);
  for (const pack of ["gzip", "zstd -q --rm", "gzip"]) {
    const name = storm.dir.names().find((one) => /\.\d{6}_log\.jsonl$/.test(one));
    const packing = Bun.spawn(["sh", "-c", `${pack} ${join(storm.dir.path, name ?? "")}`]);
    for (let more = true; more; ) {
      more = packing.exitCode === null;
      const numbers = numbersIn(await ask(storm.dir.path));
      expect(span(numbers)).toBe(`0..${numbers.at(-1)}`);
    }
    await packing.exited;
  }
  await storm.end("SIGTERM");
  expect(spawnSync("ls", [storm.dir.path], { encoding: "utf8" }).stdout).toMatch(
    /jsonl\.gz\n[\s\S]*jsonl\.zst\n[\s\S]*jsonl\.gz\n/,
  );
  expect(span(numbersIn(await ask(storm.dir.path)))).toBe(`0..${storm.acknowledged - 1}`);
});
