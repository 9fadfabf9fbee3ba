// Root writes the logs of a person: everything it makes is theirs, and it goes nowhere they could not go. Needs root.
import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../../src/failure.ts";
import { LogWriter } from "../../src/log/writer.ts";
import { LogDir, numbersIn, ROOT } from "./log-dir.ts";

const PERSON = { uid: 4321, gid: 4321, groups: [4321] };
const isRoot = process.getuid?.() === 0;

function writerIn(logDir: string): LogWriter {
  return new LogWriter({
    logDir,
    managedPath: ROOT,
    owner: PERSON,
    segmentSizeBytes: 2000,
    describe: () => ({ filters: "", host: "", version: "" }),
    onTrouble: (message) => {
      throw new Error(message);
    },
  });
}

function home(dir: LogDir): string {
  chmodSync(dir.path, 0o755);
  const path = join(dir.path, "home");
  mkdirSync(path);
  chownSync(path, PERSON.uid, PERSON.gid);
  return path;
}

describe.skipIf(!isRoot)("LogWriter as root for a person (needs root)", () => {
  test("makes directories, files and segments that are the person's", () => {
    using dir = new LogDir();
    const logDir = join(home(dir), ".local/state/fsmon");
    const writer = writerIn(logDir);
    writer.open();
    for (let i = 0; i < 5; i++) dir.put(writer, 5);
    writer.close();
    const owned = [join(logDir, "../.."), join(logDir, ".."), logDir, writer.path];
    expect(owned.map((path) => statSync(path).uid)).toEqual([4321, 4321, 4321, 4321]);
    expect(statSync(logDir).mode & 0o777).toBe(0o700);
    expect(statSync(join(logDir, `${writer.hash}.000001_log.jsonl`))).toMatchObject({ uid: 4321, gid: 4321 });
    expect(statSync(writer.path).mode & 0o777).toBe(0o600);
    expect(numbersIn(readFileSync(writer.path, "utf8")).at(-1)).toBe(24);
  });

  test("refuses a directory that the person may not write to", () => {
    using dir = new LogDir();
    chmodSync(dir.path, 0o755);
    expect(() => writerIn(join(dir.path, "roots")).open()).toThrow(/^Cannot make the log directory .*EACCES/);
  });

  test("refuses a file that is somebody else's, and leaves it as it is", () => {
    using dir = new LogDir();
    const logDir = home(dir);
    const writer = writerIn(logDir);
    writeFileSync(writer.path, "root's", { mode: 0o666 });
    chmodSync(writer.path, 0o666);
    expect(() => writer.open()).toThrow(new Failure(`"${writer.path}" belongs to user 0, not to user 4321`));
    expect(readFileSync(writer.path, "utf8")).toBe("root's");
  });
});
