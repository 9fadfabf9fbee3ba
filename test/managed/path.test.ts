import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure, UsageFailure } from "../../src/failure.ts";
import { isManagedPath, resolveManagedPath } from "../../src/managed/path.ts";

let root = "";
beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "fsmon-path-")));
  chmodSync(root, 0o755);
  mkdirSync(join(root, "real/deep"), { recursive: true });
  writeFileSync(join(root, "real/file"), "");
  symlinkSync("real", join(root, "link"));
  symlinkSync(join(root, "link"), join(root, "link-to-link"));
  symlinkSync("real/deep", join(root, "deep-link"));
  symlinkSync("not/yet", join(root, "dangling"));
  symlinkSync("circle-b", join(root, "circle-a"));
  symlinkSync("circle-a", join(root, "circle-b"));
  symlinkSync(Buffer.from("bad-\xff", "latin1"), join(root, "bad-target"));
  mkdirSync(join(root, "closed/inner"), { recursive: true });
  symlinkSync("/etc", join(root, "closed/link"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A path below the test's root, resolved, and shown without the root. */
function resolved(typed: string): [string, "symlink" | null] {
  const { path, changedBy } = resolveManagedPath(typed, root, "manage");
  return [path === root ? "ROOT" : path.replace(`${root}/`, ""), changedBy];
}

describe("resolveManagedPath()", () => {
  test("makes plain absolute paths", () => {
    const plain: [string, string][] = [
      [".", "ROOT"],
      ["real", "real"],
      ["./real/", "real"],
      ["real//deep/.///", "real/deep"],
      ["real/deep/..", "real"],
      ["real/deep/../../real/file", "real/file"],
      [`${root}/real`, "real"],
      ["/", "/"],
      ["//..//../", "/"],
    ];
    for (const [typed, path] of plain) expect([typed, ...resolved(typed)]).toEqual([typed, path, null]);
  });

  test("follows links once, anywhere in the path, and says so", () => {
    const linked: [string, string][] = [
      ["link", "real"],
      ["link/", "real"],
      ["link-to-link/deep", "real/deep"],
      ["link/file", "real/file"],
      // As the kernel does: the parent of what the link leads to.
      ["deep-link/..", "real"],
      ["deep-link/../file", "real/file"],
    ];
    for (const [typed, path] of linked) expect([typed, ...resolved(typed)]).toEqual([typed, path, "symlink"]);
  });

  test("keeps what doesn't exist yet, below what does", () => {
    expect(resolved("new/a/../b")).toEqual(["new/b", null]);
    expect(resolved("link/new/a")).toEqual(["real/new/a", "symlink"]);
    expect(resolved("dangling")).toEqual(["not/yet", "symlink"]);
    expect(resolved("real/file/below")).toEqual(["real/file/below", null]);
    expect(resolved("nothing/../link/x")).toEqual(["real/x", "symlink"]);
  });

  test("fails for links in a circle", () => {
    expect(() => resolved("circle-a")).toThrow(Failure);
    expect(() => resolved("circle-a/x")).toThrow('"circle-a/x"');
  });

  const refused: [string, string][] = [
    ["", "empty"],
    ["a\0b", "NUL"],
    ["a\ufffdb", "UTF-8"],
    ["a\ud800b", "UTF-8"],
    [`/${"x".repeat(4095)}`, "4095 bytes"],
    [`/${"é".repeat(2048)}`, "4095 bytes"],
    [`/a/${"x".repeat(256)}/b`, "255 bytes"],
  ];
  for (const [typed, said] of refused) {
    test(`refuses ${JSON.stringify(typed.slice(0, 10))}: ${said}`, () => {
      expect(() => resolveManagedPath(typed, "/", "manage")).toThrow(UsageFailure);
      expect(() => resolveManagedPath(typed, "/", "manage")).toThrow(said);
    });
  }

  test("refuses what only becomes impossible on the way", () => {
    expect(() => resolved("bad-target")).toThrow("not valid UTF-8");
    const names = [...Array(15).fill("x".repeat(255)), "x".repeat(254)];
    expect(() => resolveManagedPath(names.join("/"), "/y", "manage")).toThrow("4095 bytes");
    expect(resolveManagedPath(`/${names.join("/")}`, "/", "manage").path.length).toBe(4095);
  });

  test.skipIf(process.getuid?.() !== 0)(
    "keeps what the person may not look at as typed (needs root to become somebody else)",
    () => {
      chmodSync(join(root, "closed"), 0o700);
      const script = `import { resolveManagedPath } from ${JSON.stringify(join(import.meta.dir, "../../src/managed/path.ts"))};
        process.setgroups([]); process.setgid(54321); process.setuid(54321);
        console.log(JSON.stringify(resolveManagedPath("closed/link/x", ${JSON.stringify(root)}, "manage")));`;
      const run = Bun.spawnSync([process.execPath, "-e", script]);
      const expected = { path: join(root, "closed/link/x"), changedBy: null };
      expect(JSON.parse(run.stdout.toString())).toEqual(expected);
      expect(resolved("closed/link/x")).toEqual(["/etc/x", "symlink"]);
    },
  );
});

test("isManagedPath() knows the form that resolveManagedPath() gives", () => {
  for (const path of ["/", "/a", "/a/b.c", "/..a/b..", "/é"])
    expect([path, isManagedPath(path)]).toEqual([path, true]);
  for (const path of [
    "",
    "a",
    "./a",
    "/a/",
    "//a",
    "/a/./b",
    "/a/../b",
    "/..",
    "/a\0",
    "/\ufffd",
    "/\ud800",
  ]) {
    expect([path, isManagedPath(path)]).toEqual([path, false]);
  }
});
