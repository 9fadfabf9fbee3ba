import { expect, test } from "bun:test";
import { appendFileSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SurveyedFile } from "../../src/clean/survey.ts";
import { dropFile, removeLeftovers, trimFile } from "../../src/clean/trim.ts";
import { liveName, logHash } from "../../src/log/names.ts";
import { LogDir, OWNER, ROOT } from "../log/log-dir.ts";

const NAME = liveName(logHash(ROOT));

function surveyed(dir: LogDir, content: string): SurveyedFile {
  const path = join(dir.path, NAME);
  writeFileSync(path, content);
  const { dev, ino, size, mtimeMs } = statSync(path);
  return {
    name: NAME,
    path,
    number: null,
    packing: null,
    twinPaths: [],
    sizeBytes: size,
    dev,
    ino,
    firstMs: null,
    lastMs: null,
    mtimeMs,
  };
}

function finish(steps: Generator<void, boolean>): boolean {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

test("trimFile() leaves exactly the rest, under the same name, and nothing else", () => {
  using dir = new LogDir();
  const content = "0123456789".repeat(200_000);
  const file = surveyed(dir, content);
  expect(finish(trimFile(file, 123_456, OWNER))).toBe(true);
  expect(readFileSync(file.path, "utf8")).toBe(content.slice(123_456));
  expect(readdirSync(dir.path)).toEqual([NAME]);
});

test("trimFile() gives up when somebody writes to the file or replaces it meanwhile", () => {
  for (const change of [
    (path: string) => appendFileSync(path, "new line\n"),
    (path: string) => {
      writeFileSync(`${path}.t`, readFileSync(path));
      renameSync(`${path}.t`, path);
    },
  ]) {
    using dir = new LogDir();
    const file = surveyed(dir, "x\n".repeat(1_000_000));
    const steps = trimFile(file, 1000, OWNER);
    steps.next();
    change(file.path);
    const changed = readFileSync(file.path, "utf8");
    expect(finish(steps)).toBe(false);
    expect(readFileSync(file.path, "utf8")).toBe(changed);
    expect(readdirSync(dir.path)).toEqual([NAME]);
  }
});

test("trimFile() and dropFile() don't touch another file that has the name by now", () => {
  using dir = new LogDir();
  const file = surveyed(dir, "old\n");
  renameSync(file.path, join(dir.path, "away"));
  writeFileSync(file.path, "another\n");
  expect(dropFile(file, OWNER)).toBe(false);
  expect(finish(trimFile(file, 2, OWNER))).toBe(false);
  expect(readFileSync(file.path, "utf8")).toBe("another\n");
});

test("trimFile() takes its copy away when the replacing is refused", () => {
  using dir = new LogDir();
  const file = surveyed(dir, "old\nnew\n");
  expect(finish(trimFile(file, 4, OWNER, () => false))).toBe(false);
  expect(readFileSync(file.path, "utf8")).toBe("old\nnew\n");
  expect(readdirSync(dir.path)).toEqual([NAME]);
});

test("removeLeftovers() removes the copies of a killed clean and nothing else", () => {
  using dir = new LogDir();
  const names = [NAME, `.${NAME}`, ".notes.clean", "x.clean"];
  for (const name of [...names, `.${NAME}.clean`]) writeFileSync(join(dir.path, name), "");
  removeLeftovers(dir.path, OWNER);
  expect(readdirSync(dir.path).toSorted()).toEqual(names.toSorted());
});
