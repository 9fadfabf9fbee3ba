// Random logs, random ranges: the query must say byte for byte what a plain parse of every line says.
// FSMON_RANDOM_CASES and FSMON_RANDOM_SEED choose how many and which (10,000 cases take some minutes).
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { liveName, logHash, segmentName } from "../../src/log/names.ts";
import { runQuery } from "../../src/query/query.ts";
import { plainMerge, Random, randomRun, T0 } from "./random-logs.ts";

const CASES = Number(process.env.FSMON_RANDOM_CASES ?? 300);
const SEED = Number(process.env.FSMON_RANDOM_SEED ?? 1);
const dir = mkdtempSync(join(tmpdir(), "fsmon-random-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function ask(request: {
  logDir: string;
  sinceMs: number | null;
  untilMs: number | null;
  files: string[] | null;
}) {
  const parts: Buffer[] = [];
  const sink = { write: (bytes: Uint8Array) => parts.push(Buffer.from(bytes)) > 0 };
  const result = await runQuery({ paths: [], managedPaths: [], ...request }, sink, () => {});
  return { text: Buffer.concat(parts).toString("utf8"), ...result };
}

function randomRange(random: Random): { sinceMs: number | null; untilMs: number | null } {
  const moment = () => T0 - 5000 + random.below(120_000) + random.pick([0, 0, 0.25, 0.5]);
  return { sinceMs: random.chance(0.3) ? null : moment(), untilMs: random.chance(0.3) ? null : moment() };
}

function firstDifference(a: string, b: string): string {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  return `at ${i}: ${JSON.stringify(a.slice(Math.max(0, i - 150), i + 150))} | ${JSON.stringify(b.slice(Math.max(0, i - 150), i + 150))}`;
}

for (let from = 0; from < CASES; from += 100) {
  const to = Math.min(CASES, from + 100);
  test(`runQuery() agrees with a plain parse on random logs ${from} to ${to}`, async () => {
    for (let i = from; i < to; i++) {
      const random = new Random(SEED * 1_000_003 + i);
      const logDir = mkdtempSync(join(dir, "case-"));
      const texts: string[] = [];
      const oddShare = random.pick([0, 0, 0.05, 0.3]);
      const logs = Array.from({ length: 1 + random.below(3) }, (_, n) => `/managed/${n}`);
      for (const root of logs.sort((a, b) => (logHash(a) < logHash(b) ? -1 : 1))) {
        let fromMs = T0;
        const segments = 1 + random.below(4);
        for (let n = 1; n <= segments; n++) {
          // Now and then the clock was set back, so that the segments overlap.
          const run = randomRun(random, root, fromMs, random.below(random.chance(0.1) ? 2000 : 60), oddShare);
          fromMs = run.lastMs - (random.chance(0.2) ? random.below(40_000) : 0);
          const name = n === segments ? liveName(logHash(root)) : segmentName(logHash(root), n);
          writeFileSync(join(logDir, name), run.text);
          texts.push(run.text);
        }
      }
      for (let ask_ = 0; ask_ < 4; ask_++) {
        const range = randomRange(random);
        const wanted = plainMerge(texts, range.sinceMs ?? -Infinity, range.untilMs ?? Infinity);
        const got = await ask({ logDir, ...range, files: null });
        if (got.text !== wanted.text) throw new Error(`case ${i}: ${firstDifference(got.text, wanted.text)}`);
        if (range.sinceMs === null && range.untilMs === null) expect(got.linesSkipped).toBe(wanted.bad);
      }
      // The same, out of one file in any order.
      const mixed = texts
        .sort(() => random.next() - 0.5)
        .map((text, n) => (n === texts.length - 1 ? text : text.slice(0, text.lastIndexOf("\n") + 1)));
      const file = join(logDir, "mixed");
      const text = random.chance(0.2)
        ? mixed
            .join("")
            .split("\n")
            .slice(0, -1)
            .sort(() => random.next() - 0.5)
            .map((line) => `${line}\n`)
            .join("")
        : mixed.join("");
      writeFileSync(file, text);
      const range = randomRange(random);
      const wanted = plainMerge([text], range.sinceMs ?? -Infinity, range.untilMs ?? Infinity);
      const got = await ask({ logDir, ...range, files: [file] });
      if (got.text !== wanted.text)
        throw new Error(`case ${i} --file: ${firstDifference(got.text, wanted.text)}`);
      expect(got.linesSkipped).toBe(wanted.bad);
      rmSync(logDir, { recursive: true });
    }
  });
}
