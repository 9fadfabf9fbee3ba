// What each key about a process costs the daemon when it is read, once for each program of which there is a line, in
// microseconds. Needs root. Not part of the tests.
//
//   bun bench/identity.ts
import { monotonicNs } from "../src/kernel/monotonic.ts";
import { readControlGroup } from "../src/process/cgroup.ts";
import { Executables } from "../src/process/executables.ts";
import { getent } from "../src/process/getent.ts";
import { readComm, readCommandLine, readExe, readLogin } from "../src/process/procfs.ts";
import { load } from "./timing.ts";

const ROUNDS = 20_000;

function timed(name: string, work: () => unknown): void {
  for (let i = 0; i < ROUNDS / 10; i++) work();
  const startMs = performance.now();
  for (let i = 0; i < ROUNDS; i++) work();
  console.log(`| ${name} | ${(((performance.now() - startMs) * 1000) / ROUNDS).toFixed(1)} |`);
}

const executables = new Executables(true);
const sinceNs = monotonicNs();
const { pid } = Bun.spawnSync(["/bin/true"]);
const { pid: self } = process;
console.log(`load ${load()}`);
timed("exe, of a process that lives", () => readExe(self));
timed("exe, of one that is gone", () => executables.pathOf({ pid, sinceNs, exe: undefined }));
for (let i = 0; i < 500; i++) Bun.spawnSync(["/bin/true"]);
timed("the same, 500 programs later", () => executables.pathOf({ pid, sinceNs, exe: undefined }));
timed("login", () => readLogin(self));
timed("unit and container", () => readControlGroup(self));
timed("args", () => readCommandLine(self));
timed("whether it is still that process", () => readComm(self));
const startMs = performance.now();
for (let i = 0; i < 50; i++) await getent([4_000_000_000 + i]);
console.log(
  `| a user's name by getent, beside everything else | ${(((performance.now() - startMs) * 1000) / 50).toFixed(0)} |`,
);
executables.close();
