// What processes have cost so far: processor time of all their threads, memory, how often they woke up. Read from /proc.
import { existsSync, readdirSync, readFileSync } from "node:fs";

export interface Memory {
  rssKb: number;
  /** What is the process's own: not pages of files, which the kernel can drop at any time. */
  anonymousKb: number;
  peakRssKb: number;
}

/** Microseconds on a processor, by the scheduler's own count (nanoseconds; the ticks of /proc/PID/stat are 10 ms). */
export function cpuUs(pids: readonly number[]): number {
  let nanos = 0;
  for (const pid of pids)
    for (const task of tasks(pid)) nanos += Number(readFileSync(`${task}/schedstat`, "latin1").split(" ")[0]);
  return nanos / 1000;
}

/** How often the threads of a process slept and were woken. */
export function wakeups(pid: number): number {
  let count = 0;
  for (const task of tasks(pid))
    count += field(readFileSync(`${task}/status`, "latin1"), "voluntary_ctxt_switches");
  return count;
}

export function memory(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return {
    rssKb: field(status, "VmRSS"),
    anonymousKb: field(status, "RssAnon"),
    peakRssKb: field(status, "VmHWM"),
  };
}

/** Looks at a process's anonymous memory again and again until told to stop; the highest it saw. */
export function watchPeak(pids: readonly number[], everyMs = 10): () => number {
  let peakKb = 0;
  const look = () => {
    let sumKb = 0;
    // A rival may die in the storm.
    for (const pid of pids) if (existsSync(`/proc/${pid}/status`)) sumKb += memory(pid).anonymousKb;
    peakKb = Math.max(peakKb, sumKb);
  };
  look();
  const timer = setInterval(look, everyMs);
  return () => {
    clearInterval(timer);
    look();
    return peakKb;
  };
}

function tasks(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).map((id) => `/proc/${pid}/task/${id}`);
}

function field(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
}
