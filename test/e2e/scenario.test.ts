// Runs every case in scenario/: real programs on a real filesystem under the compiled daemon, its log
// compared with what was done.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { TestDaemon } from "../support/daemon.ts";
import { captureObstacle, runShell, TestFilesystem } from "../support/filesystem.ts";
import { describeLine, readScenario, type Scenario } from "../support/scenario.ts";

const FOLDER = join(import.meta.dir, "scenario");
const scenarios = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".txt"))
  .map((name) => readScenario(join(FOLDER, name)));
const kinds = [...new Set(scenarios.flatMap((one) => one.filesystems))];

for (const kind of kinds) {
  describe.skipIf(captureObstacle !== null)(`on ${kind} (needs root and mounts)`, () => {
    let filesystem: TestFilesystem;
    let daemon: TestDaemon;
    beforeAll(async () => {
      filesystem = TestFilesystem.mount(kind);
      daemon = await new TestDaemon().start();
    });
    afterAll(async () => {
      await daemon?.destroy();
      filesystem?.unmount();
    });
    for (const scenario of scenarios.filter((one) => one.filesystems.includes(kind))) {
      test(scenario.name, () => play(scenario, filesystem, daemon));
    }
  });
}

async function play(scenario: Scenario, filesystem: TestFilesystem, daemon: TestDaemon) {
  const root = join(filesystem.path, scenario.name);
  const outside = join(filesystem.path, `${scenario.name}-outside`);
  mkdirSync(root);
  mkdirSync(outside);
  const env = { ...daemon.environment, W: root, OUT: outside };
  runShell(scenario.setup, root, env);
  await daemon.add(root, ...scenario.add);
  for (const steps of scenario.steps.split(/^ *@settle\n/m)) {
    runShell(steps, root, env);
    await daemon.settle(root);
  }
  const got = daemon.events(root).map((line) => describeLine(line, root, outside, scenario));
  // Unordered: how often a repeated read shows is up to the kernel's merging, too.
  if (scenario.ordered) expect(got).toEqual(scenario.expected);
  else expect([...new Set(got)].sort()).toEqual(scenario.expected.toSorted());
  expect(daemon.gaps(root)).toEqual([]);
  expect((await daemon.fsmon("remove", root)).code).toBe(0);
}
