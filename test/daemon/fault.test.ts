import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { encodeEntry } from "../../src/managed/entry.ts";
import type { LogLine } from "../support/daemon.ts";
import { captureObstacle, TestFilesystem } from "../support/filesystem.ts";
import { managedPath } from "../support/managed-path.ts";
import { until } from "../support/wait.ts";

describe.skipIf(captureObstacle !== null)("an internal fault (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  beforeEach(() => {
    filesystem = TestFilesystem.mount("tmpfs");
  });
  afterEach(() => filesystem.unmount());

  for (const fault of ["at the start", "in the pipeline", "in a timer", "in a promise"]) {
    test(`${fault} is told with its place, recorded as GAP in every log, and ends the daemon with exit code 1`, async () => {
      const home = join(filesystem.path, "home");
      const paths = ["a", "b"].map((name) => join(filesystem.path, name));
      const store = join(home, ".local/share/fsmon/managed.jsonl");
      for (const path of [...paths, dirname(store)]) mkdirSync(path, { recursive: true });
      const entries = paths.map((path) => encodeEntry(managedPath(path, { recursive: true })));
      writeFileSync(store, `${entries.join("\n")}\n`);

      const child = Bun.spawn([process.execPath, join(import.meta.dir, "faulty-daemon.ts"), fault, home], {
        env: { HOME: home },
        stderr: "pipe",
        stdout: "inherit",
      });
      let said = "";
      void (async () => {
        const decoder = new TextDecoder();
        for await (const chunk of child.stderr) said += decoder.decode(chunk, { stream: true });
      })();
      await until(
        "it has begun, or come to its end before",
        () => /watching \d managed/.test(said) || child.exitCode !== null,
        () => said,
      );
      if (fault === "in the pipeline") writeFileSync(join(paths[0]!, "f"), "x");
      expect(await child.exited).toBe(1);
      expect(said).toContain(`internal fault: TypeError: made to fail: ${fault}`);
      expect(said).toMatch(/faulty-daemon\.ts:\d+/);
      expect(existsSync(join(home, "control.sock"))).toBe(false);

      const logDir = join(home, ".local/state/fsmon");
      const lines = readdirSync(logDir)
        .filter((name) => name.endsWith("_log.jsonl"))
        .flatMap((name) => readFileSync(join(logDir, name), "utf8").trim().split("\n"))
        .map((line): LogLine => JSON.parse(line));
      for (const path of paths) {
        const own = lines.filter((line) => line.monitored_path === path);
        const told = own.map((line) => line.reason ?? line.state);
        // Nothing was promised yet: no WATCH, and so nothing that could be missing.
        if (fault === "at the start" && told.length === 0) continue;
        expect(told).toEqual(["started", "internal", "stopped"]);
        const gap = own[1]!;
        expect(Date.parse(gap.gap_from!)).toBeLessThanOrEqual(Date.parse(gap.gap_to!));
      }
      expect(JSON.parse(readFileSync(join(logDir, "daemon.lock"), "utf8")).clean_stop).not.toBe(null);
    });
  }
});
