// How the build decides what to make, and that a failure leaves what was there.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { glibcNeeded } from "../../scripts/build/compile-binary.ts";
import { contentHash, makeUnlessCurrent } from "../../scripts/build/current.ts";

const root = mkdtempSync(join(tmpdir(), "fsmon-build-"));
const buildDir = join(root, "build");
const path = join(root, "product");
beforeEach(() => {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(buildDir, { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Makes the product with this text from inputs of this hash; says whether it was made. */
function make(text: string, inputsHash: string, force = false): boolean {
  let made = false;
  makeUnlessCurrent({ path, buildDir, inputsHash, force }, (out) => {
    writeFileSync(out, text);
    made = true;
  });
  return made;
}

describe("makeUnlessCurrent()", () => {
  test("makes a thing once from the same inputs", () => {
    expect([make("one", "a"), make("two", "a")]).toEqual([true, false]);
    expect(readFileSync(path, "utf8")).toBe("one");
  });
  test("makes it anew from other inputs, when told to, and when it is gone or was exchanged", () => {
    make("one", "a");
    expect(make("two", "b")).toBe(true);
    expect(make("three", "b", true)).toBe(true);
    rmSync(path);
    expect(make("four", "b")).toBe(true);
    writeFileSync(path, "by hand");
    expect(make("five", "b")).toBe(true);
    expect(readFileSync(path, "utf8")).toBe("five");
  });
  test("leaves the old thing and no litter when making fails half-way", () => {
    make("one", "a");
    const failing = () =>
      makeUnlessCurrent({ path, buildDir, inputsHash: "b", force: false }, (out) => {
        writeFileSync(out, "half");
        throw new Error("no space");
      });
    expect(failing).toThrow("no space");
    expect(readFileSync(path, "utf8")).toBe("one");
    expect(readdirSync(buildDir)).toEqual(["product.stamp"]);
    expect(make("two", "b")).toBe(true);
  });
});

describe("contentHash()", () => {
  test("changes with a file's content, with its name and with what else it is told", () => {
    const dir = join(root, "src/deep");
    mkdirSync(dir, { recursive: true });
    const hashes = new Set<string>();
    const note = (more = "") => hashes.add(contentHash([join(root, "src")], more));
    writeFileSync(join(dir, "a"), "x");
    note();
    writeFileSync(join(dir, "a"), "y");
    note();
    renameSync(join(dir, "a"), join(dir, "b"));
    note();
    note("cc");
    expect(hashes.size).toBe(4);
    note();
    expect(hashes.size).toBe(4);
  });
});

describe("glibcNeeded()", () => {
  test("is the newest version that a symbol asks for", () => {
    const strings = "\0GLIBC_2.2.5\0GLIBC_2.17\0GLIBC_2.9\0GCC: (Debian) GLIBC_2.99\0GLIBC_PRIVATE\0";
    expect(glibcNeeded(Buffer.from(strings))).toBe("2.17");
  });
});
