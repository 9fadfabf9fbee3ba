// Lines that don't fit into memory: known piece by piece for what a parse of the whole says, and printed without room of their own.
import { expect, test } from "bun:test";
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { liveName, logHash, segmentName } from "../../src/log/names.ts";
import { LongLine } from "../../src/query/long-line.ts";
import { readOddLine } from "../../src/query/odd-line.ts";
import { MAIN, nameOwnSocket, temporaryHome } from "../cli/fsmon.ts";
import { event } from "./logs.ts";
import { damaged, eventLine, Random, T0 } from "./random-logs.ts";

test("LongLine says of lines in pieces what readOddLine() says of them as a whole", () => {
  const random = new Random(7);
  const fillers = ["", " ", "\0\0", "\t \r", "\0".repeat(100)];
  const seen = { event: 0, nothing: 0, bad: 0 };
  for (let i = 0; i < 5000; i++) {
    const event = eventLine(random, T0 + i, "/managed").slice(0, 3000);
    const spelled = random.pick([
      event,
      event.replaceAll('":', '" : ').replaceAll(',"', ' ,\t"'),
      event.replace('"time"', '"t\\u0069me"'),
      event.replace('"pid"', '"time"'),
      `${event.slice(0, -1)},"path":{"path":"/x"},"from":[{"time":1},[]],"x":[],"y":{},"z":-0.5e+7}`,
      `{"more":[[[{"time":"a"}]]],${event.slice(1)}`,
      `[${event}]`,
    ]);
    const whole = random.chance(0.5) ? Buffer.from(spelled) : damaged(random, Buffer.from(spelled));
    const bytes = Buffer.concat([
      Buffer.from(random.pick(fillers)),
      whole,
      Buffer.from(random.pick([...fillers, "", "", "x"])),
    ]);
    const kept: Buffer[] = [];
    const line = new LongLine((piece) => kept.push(Buffer.from(piece)));
    for (let at = 0; at < bytes.length; ) {
      const to = Math.min(bytes.length, at + 1 + random.below(random.chance(0.3) ? 3 : 500));
      line.push(bytes.subarray(at, to));
      at = to;
    }
    const verdict = line.end();
    const wanted = readOddLine(bytes, 0, bytes.length);
    if (verdict.kind !== wanted.kind) throw new Error(`${verdict.kind}, not ${wanted.kind}: ${bytes}`);
    seen[verdict.kind]++;
    if (verdict.kind !== "event" || wanted.kind !== "event") continue;
    expect(verdict.timeMs).toBe(wanted.timeMs);
    expect(Buffer.concat(kept).equals(bytes.subarray(wanted.start, wanted.end))).toBe(true);
    for (const key of ["event_type", "path", "from", "to", "gap_from", "gap_to"]) {
      const value = wanted.keys[key];
      expect(verdict.keys[key]).toBe(typeof value === "string" ? value : undefined);
    }
  }
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(300);
});

test("fsmon query prints lines of 100 MB within 40 MB of memory", async () => {
  using home = temporaryHome();
  nameOwnSocket(home);
  mkdirSync(home.logDir, { recursive: true });
  const maxRssOf = async (...args: string[]) => {
    const child = Bun.spawn([process.execPath, MAIN, "query", ...args], {
      env: { HOME: home.dir, PATH: process.env.PATH ?? "" },
      stdout: "pipe",
    });
    let bytes = 0;
    for await (const chunk of child.stdout) bytes += chunk.length;
    expect(await child.exited).toBe(0);
    return { bytes, rssBytes: child.resourceUsage()!.maxRSS };
  };
  const at = (name: string) => join(home.logDir, name);
  const hash = logHash("/m");
  /** Between two short lines; the last may lack its newline. */
  const write = (name: string, fromMs: number, opening: string, end: string) => {
    const fd = openSync(at(name), "w");
    let sizeBytes = writeSync(fd, `${event(fromMs, "/m/a")}\n`);
    const line = event(fromMs + 1, "/m/long");
    sizeBytes += writeSync(fd, `${line.slice(0, -1)}${opening}`);
    const block = Buffer.alloc(1024 * 1024, "y");
    for (let i = 0; i < 100; i++) sizeBytes += writeSync(fd, block);
    sizeBytes += writeSync(fd, `"]}${end}`);
    closeSync(fd);
    return sizeBytes;
  };
  const first = write(segmentName(hash, 1), 0, ',"args":["', `\n${event(3, "/m/b")}\n`);
  const second = write(liveName(hash), 4, ', "args": ["', "");
  const small = await maxRssOf("--since", "2040-01-01");
  expect(small.bytes).toBe(0);
  for (const [args, wantedBytes] of [
    [[], first + second + 1],
    [["--since", new Date(T0 + 1).toISOString(), "--until", new Date(T0 + 5).toISOString()], null],
    [["--file", at(liveName(hash))], second + 1],
    [["--file", at(liveName(hash)), "--file", at(segmentName(hash, 1))], first + second + 1],
  ] as const) {
    const { bytes, rssBytes } = await maxRssOf(...args);
    if (wantedBytes !== null) expect(bytes).toBe(wantedBytes);
    expect(bytes).toBeGreaterThan(100_000_000);
    expect(rssBytes - small.rssBytes).toBeLessThan(40_000_000);
  }
}, 60_000);
