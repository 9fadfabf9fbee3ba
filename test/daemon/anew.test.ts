import { describe, expect, test } from "bun:test";
import { cleanEnvironment, NEEDED, PASSED_ON, RUNTIME_SETTINGS } from "../../src/daemon/anew.ts";
import {
  CAPABILITY_BITS,
  capabilityMask,
  everyCapability,
  readCapabilities,
} from "../../src/kernel/capabilities.ts";

const block = (...variables: string[]) => Buffer.from(variables.map((one) => `${one}\0`).join(""), "latin1");

describe("cleanEnvironment()", () => {
  test("passes on what the daemon reads, sorted, the first of two, byte by byte, and sets the runtime's settings", () => {
    const dirty = block(
      "XDG_DATA_HOME=/d\xff",
      "HOME=/a=b",
      "LD_PRELOAD=x",
      "HOME=/second",
      "",
      "HOMER=1",
      "NO_COLOR=",
      "HOME",
      "BUN_GC_TIMER_INTERVAL=1",
      "MIMALLOC_SHOW_STATS=1",
    );
    const [collecting, giving] = RUNTIME_SETTINGS as [string, string];
    expect(cleanEnvironment(dirty)).toEqual(
      block(collecting, "HOME=/a=b", giving, "NO_COLOR=", "XDG_DATA_HOME=/d\xff"),
    );
  });

  test("changes nothing the second time, whatever comes in: no going round in circles", () => {
    for (const variables of [
      [],
      ["=", "\x01", "HOME"],
      PASSED_ON.map((name) => `${name}=1`),
      RUNTIME_SETTINGS,
      ["SUDO_UID=1", "SUDO_UID=2"],
    ]) {
      const once = cleanEnvironment(block(...variables));
      expect(cleanEnvironment(once).equals(once)).toBe(true);
    }
    const unfinished = cleanEnvironment(Buffer.from("HOME=/x"));
    expect(cleanEnvironment(unfinished).equals(unfinished)).toBe(true);
  });
});

test("capabilityMask() has one bit for each, and what is needed is all that is known", () => {
  expect(capabilityMask([])).toBe(0n);
  expect(capabilityMask(["CAP_SYS_ADMIN"])).toBe(1n << 21n);
  expect(capabilityMask(NEEDED).toString(2).match(/1/g)?.length).toBe(Object.keys(CAPABILITY_BITS).length);
});

test("readCapabilities() reads this thread's sets", () => {
  const own = readCapabilities();
  expect(everyCapability(own)).toBe(own.bounding | own.permitted | own.inheritable | own.ambient);
  if (process.getuid?.() === 0) expect(own.permitted).not.toBe(0n);
});
