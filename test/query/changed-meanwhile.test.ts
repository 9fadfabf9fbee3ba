// Files that others compress, replace or cut between a query's first look at them and the moment when it reads them.
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { groupLogNames } from "../../src/log/names.ts";
import { runQuery } from "../../src/query/query.ts";
import { SnapshotFile } from "../../src/query/snapshot.ts";
import { event, Logs } from "./logs.ts";

const OWN = { uid: 0, gid: 0, groups: [] };

/** Asks, and does something when the first bytes come. */
async function askWhile(logDir: string, files: string[] | null, change: () => void): Promise<string> {
  const parts: Buffer[] = [];
  const sink = {
    write: (bytes: Uint8Array) => {
      if (parts.length === 0) change();
      return parts.push(Buffer.from(bytes)) > 0;
    },
  };
  const request = { logDir, paths: [], sinceMs: null, untilMs: null, files, managedPaths: [] };
  await runQuery(request, sink, () => {});
  return Buffer.concat(parts).toString();
}

test("runQuery() prints all of 500 segments though they are compressed while it reads", async () => {
  using logs = new Logs();
  const lines = Array.from({ length: 5000 }, (_, i) => event(i, `/m/${i}`));
  const paths = Array.from({ length: 500 }, (_, i) =>
    logs.segment("/m", i + 1, ...lines.slice(10 * i, 10 * i + 10)),
  );
  const text = await askWhile(logs.path, null, () => spawnSync("gzip", ["-1", ...paths]));
  expect(text).toBe(lines.map((line) => `${line}\n`).join(""));
});

test("SnapshotFile, opened again, tells a file that was compressed or replaced from one that was cleaned away", () => {
  using logs = new Logs();
  const paths = [1, 2, 3].map((number) => logs.segment("/m", number, event(number, "/m/a")));
  const segments = groupLogNames(paths.map((path) => path.split("/").at(-1)!))
    .values()
    .next().value!.segments;
  const files = segments.map((segment) => new SnapshotFile(logs.path, "", segment, OWN));
  for (const file of files) file.letGo();
  spawnSync("gzip", [paths[0]!]);
  writeFileSync(join(logs.path, "copy"), "");
  renameSync(join(logs.path, "copy"), paths[1]!);
  spawnSync("rm", [paths[2]!]);
  expect(files.map((file) => file.fd())).toEqual([null, null, null]);
  expect(files.map((file) => file.replaced)).toEqual([true, true, false]);
});

test("runQuery() --file prints whole lines only though the file is cut while it is read", async () => {
  using logs = new Logs();
  const lines = Array.from({ length: 20_000 }, (_, i) => event(i, `/m/${i}`));
  const path = logs.file("f", lines.map((line) => `${line}\n`).join(""));
  const text = await askWhile("", [path], () => truncateSync(path, 1_000_050));
  expect(text.length).toBeGreaterThan(900_000);
  expect(text.endsWith("}\n")).toBe(true);
  expect(text).toBe(
    lines
      .slice(0, text.split("\n").length - 1)
      .map((line) => `${line}\n`)
      .join(""),
  );
});
