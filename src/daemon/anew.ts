// Before anything else the daemon executes itself anew, with the capabilities it needs and the environment it reads and
// nothing besides, for all its threads: capabilities bind single threads, and the runtime has started several by the time that
// its first line of ours runs.
//
// Whether that is done already is seen from what is in force, never from a mark that somebody could set: the kernel's word
// on the capabilities, and an environment that cleaning leaves as it is. So nothing can talk the daemon out of it, and a
// second time never changes anything.
import { readFileSync } from "node:fs";
import { getPriority, setPriority } from "node:os";
import { Failure } from "../failure.ts";
import {
  boundCapabilities,
  type Capability,
  capabilityMask,
  everyCapability,
  executeAnew,
  nameThread,
  readCapabilities,
} from "../kernel/capabilities.ts";
import { SyscallError } from "../kernel/syscall.ts";

/** docs/security.md says what each is for and what happens without it. */
export const NEEDED: readonly Capability[] = [
  "CAP_SYS_ADMIN",
  "CAP_DAC_READ_SEARCH",
  "CAP_SYS_PTRACE",
  "CAP_NET_ADMIN",
  "CAP_IPC_LOCK",
  "CAP_FOWNER",
  "CAP_SETUID",
  "CAP_SETGID",
];

/** Everything that the daemon or its libraries read from the environment. */
export const PASSED_ON: readonly string[] = [
  "FSMON_DEBUG",
  "HOME",
  "NOTIFY_SOCKET",
  "NO_COLOR",
  "SUDO_UID",
  "TERM",
  "WATCHDOG_PID",
  "WATCHDOG_USEC",
  "XDG_CONFIG_HOME",
  "XDG_DATA_HOME",
  "XDG_STATE_HOME",
];

/**
 * What the runtime is told, the same for everybody: a person's environment has no say in it. At rest two thirds of the wake-ups
 * were its own (`bench memory`): a collection a second, with a helper thread, and a thread that gives freed pages back a
 * moment later. Collected is when memory is asked for, and in quiet moments (memory.ts).
 */
export const RUNTIME_SETTINGS: readonly string[] = ["BUN_GC_TIMER_INTERVAL=30000", "MIMALLOC_PURGE_DELAY=0"];

/**
 * Nice value, auditd's by default. In a storm others want all processors, and the daemon little of one: where it waits its turn
 * behind them, lines come late, and the more of what they tell of is gone by then. With -10 no gain beyond that could be measured.
 */
export const PRIORITY = -4;

/** The kernel names a process after the file that it executes, and that is /proc/self/exe here. */
const NAME_AFTER_EXEC = "exe";
const OWN_NAME = "fsmon";

/**
 * Returns when the daemon runs with what it needs and no more, or why it can't.
 *
 * @returns what a person should know; null when all is well
 */
export function startAnew(): string | null {
  if (readFileSync("/proc/self/comm", "latin1").trim() === NAME_AFTER_EXEC) nameThread(OWN_NAME);
  const environment = readFileSync("/proc/self/environ");
  const clean = cleanEnvironment(environment);
  const keep = capabilityMask(NEEDED);
  let problem: string | null = null;
  if ((everyCapability(readCapabilities()) & ~keep) !== 0n) {
    // The right to it (CAP_SYS_NICE) is among what is given up; what comes after execve has it for all its threads.
    comeFirst();
    problem = bound(keep);
    if (problem === null) again(clean);
  }
  if (!environment.equals(clean)) again(clean);
  return problem;
}

/** The variables that are passed on, and the settings, sorted, each once: cleaning twice is cleaning once. */
export function cleanEnvironment(environment: Buffer): Buffer {
  const variables = new Map<string, string>();
  // latin1 keeps every byte.
  for (const variable of environment.toString("latin1").split("\0")) {
    const name = variable.split("=", 1)[0] ?? "";
    if (PASSED_ON.includes(name) && variable.includes("=") && !variables.has(name))
      variables.set(name, variable);
  }
  const sorted = [...variables.values(), ...RUNTIME_SETTINGS].sort();
  return Buffer.from(sorted.map((variable) => `${variable}\0`).join(""), "latin1");
}

/** Unless somebody has chosen another priority. */
function comeFirst(): void {
  try {
    if (getPriority() === 0) setPriority(PRIORITY);
  } catch {
    // Not allowed here: it takes its turn like all others.
  }
}

/** @returns why the capabilities stay as they are; null when an execve will take the surplus away */
function bound(keep: bigint): string | null {
  const advice = "the unit's CapabilityBoundingSet= (docs/security.md) does it from outside";
  try {
    if (!boundCapabilities(keep)) {
      return `fsmon keeps capabilities that it doesn't need, because root gets none by execve here; ${advice}`;
    }
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return `fsmon keeps capabilities that it doesn't need (${error.message}); ${advice}`;
  }
  const { bounding, inheritable, ambient } = readCapabilities();
  if (((bounding | inheritable | ambient) & ~keep) === 0n) return null;
  return `fsmon keeps capabilities that it doesn't need, because the kernel did not take them away; ${advice}`;
}

function again(environment: Buffer): never {
  try {
    executeAnew(readFileSync("/proc/self/cmdline"), environment);
  } catch (error) {
    throw new Failure(
      `Cannot start anew with fewer rights: ${error instanceof Error ? error.message : String(error)}`,
      "it executes /proc/self/exe: see that nothing forbids that",
    );
  }
}
