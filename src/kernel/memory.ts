// How much memory this process has, and may have: the limits of its cgroups, v1 and v2, and what it uses now. Read from /proc and /sys;
// what isn't there is null.
import { readFileSync } from "node:fs";

/** Bytes. Anonymous memory is what the process itself has asked for; the rest is its files, shared with others. */
export interface MemoryUse {
  residentBytes: number;
  residentMaxBytes: number;
  anonymousBytes: number;
}

/** Of a process; null when it is gone. */
export function memoryUse(pid: number | "self" = "self"): MemoryUse | null {
  const text = readText(`/proc/${pid}/status`);
  if (text === null) return null;
  const bytes = (key: string) =>
    Number(new RegExp(`^${key}:\\s*(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * 1024;
  return {
    residentBytes: bytes("VmRSS"),
    residentMaxBytes: bytes("VmHWM"),
    anonymousBytes: bytes("RssAnon"),
  };
}

/** The lowest memory limit of a process's cgroups; null without one. */
export function memoryLimitBytes(pid: number | "self" = "self"): number | null {
  let lowest: number | null = null;
  for (const file of limitFiles(readText(`/proc/${pid}/cgroup`) ?? "")) {
    // Where the controller isn't, there is no file.
    const text = readText(file)?.trim() ?? "max";
    const bytes = Number(text);
    // v1 says "no limit" by a number near 2^63, v2 by "max".
    if (text !== "max" && Number.isFinite(bytes) && bytes < 2 ** 60)
      lowest = Math.min(lowest ?? bytes, bytes);
  }
  return lowest;
}

function limitFiles(groups: string): string[] {
  const files: string[] = [];
  for (const line of groups.split("\n")) {
    // "5:memory:/system.slice" (v1) or "0::/system.slice" (v2).
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const memory = controllers === "memory";
    if (!memory && controllers !== "") continue;
    const root = memory ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup";
    const name = memory ? "memory.limit_in_bytes" : "memory.max";
    for (let at = path; ; at = at.slice(0, at.lastIndexOf("/"))) {
      files.push(`${root}${at === "/" ? "" : at}/${name}`);
      if (at === "" || at === "/") break;
    }
  }
  return files;
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return null;
  }
}
