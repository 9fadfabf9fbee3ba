import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { unitFile } from "../../scripts/package/tree.ts";
import { NEEDED, PRIORITY } from "../../src/daemon/anew.ts";

const dir = mkdtempSync(join(tmpdir(), "fsmon-unit-"));
afterAll(() => rmSync(dir, { recursive: true }));
const unit = unitFile(dir);
/** Directives of one name. */
const values = (name: string) =>
  [...unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value]) => value);

describe.skipIf(Bun.which("systemd-analyze") === null)("fsmon@.service (needs systemd-analyze)", () => {
  const instance = join(dir, "fsmon@alice.service");
  const analyze = (...args: string[]) => {
    writeFileSync(instance, unit);
    symlinkSync(resolve("fsmon"), join(dir, "fsmon"));
    const done = spawnSync("systemd-analyze", [...args, instance], { encoding: "utf8" });
    rmSync(join(dir, "fsmon"));
    return done;
  };

  test("has nothing that systemd-analyze verify complains about", () => {
    const { status, stderr, stdout } = analyze("verify", "--man=no");
    expect({ status, stderr, stdout }).toEqual({ status: 0, stderr: "", stdout: "" });
  });

  test("has the exposure score that docs/security.md states", () => {
    const { stdout } = analyze("security", "--offline=yes", "--no-pager");
    const score = /exposure level for .*: ([\d.]+)/.exec(stdout)?.[1];
    expect(score).toMatch(/^\d/);
    expect(readFileSync("docs/security.md", "utf8")).toContain(`exposure score is ${score}`);
  });
});

test("the unit leaves the capabilities that the daemon wants, and no other, and has its priority", () => {
  expect(new Set(values("CapabilityBoundingSet")[0]?.split(" "))).toEqual(new Set(NEEDED));
  expect(values("MemoryDenyWriteExecute")).toEqual([]);
  expect(values("Nice")).toEqual([String(PRIORITY)]);
  expect(values("ExecStart")).toEqual([`${dir}/fsmon daemon --user %i`]);
});

test("every restriction has its reason above it", () => {
  const [, service = ""] = unit.split("[Service]");
  const blocks = service
    .split("[Install]")[0]!
    .split(/^# ---.*$/m)
    .slice(1);
  expect(blocks.length).toBeGreaterThan(3);
  const lines = blocks
    .join("\n")
    .split("\n")
    .filter((line) => line !== "");
  const bare = lines.filter(
    (line, i) =>
      !line.startsWith("#") && !lines.slice(Math.max(0, i - 4), i).some((one) => one.startsWith("#")),
  );
  expect(bare).toEqual([]);
});
