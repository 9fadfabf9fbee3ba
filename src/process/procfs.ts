// Readers of /proc/PID. Each answers null for a process that is gone: whoever asks late must expect it.
// proc(5).
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { monotonicNs } from "../kernel/monotonic.ts";
import type { Thread, Threads } from "./threads.ts";

export interface ProcStatus extends Thread {
  parentPid: number;
}

/**
 * Name, parent and real and effective user. comm is latin1: one character a byte. Null also where the number is a
 * thread's by now: /proc shows those too, though it doesn't list them.
 */
export function readStatus(pid: number): ProcStatus | null {
  const read = readThread(`/proc/${pid}`);
  const parent = /^PPid:\t(\d+)/m.exec(read?.status ?? "");
  if (read === null || parent === null || !read.status.includes(`\nTgid:\t${pid}\n`)) return null;
  return { ...read.thread, parentPid: Number(parent[1]) };
}

/** A process's threads besides its first one, null for none. Those that end meanwhile are left out. */
export function readThreads(pid: number): Threads | null {
  const threads: Threads = new Map();
  for (const tid of threadsOf(pid)) {
    const read = tid === pid ? null : readThread(`/proc/${pid}/task/${tid}`);
    if (read !== null) threads.set(tid, read.thread);
  }
  return threads.size === 0 ? null : threads;
}

function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [];
  }
}

/** @param directory a process's, or one thread's below it */
function readThread(directory: string): { thread: Thread; status: string } | null {
  try {
    const comm = readName(directory);
    const status = readFileSync(`${directory}/status`, "latin1");
    const users = /^Uid:\t(\d+)\t(\d+)/m.exec(status);
    if (users === null) return null;
    return { thread: { comm, uid: Number(users[1]), euid: Number(users[2]) }, status };
  } catch {
    return null;
  }
}

/** Name, latin1. */
export function readComm(pid: number): string | null {
  try {
    return readName(`/proc/${pid}`);
  } catch {
    return null;
  }
}

function readName(directory: string): string {
  // The file ends in a newline of its own; the name may contain others.
  return withoutWork(readFileSync(`${directory}/comm`, "latin1").slice(0, -1));
}

/** A clock tick of /proc: USER_HZ is 100 on every architecture that we run on. */
const TICK_NS = 1e7;
/** A start that readStartNs() tells can be that much earlier or later in truth: a tick, and one of /proc/uptime. */
export const START_ACCURACY_NS = 2 * TICK_NS;

/** When a process was forked, on CLOCK_MONOTONIC, to a clock tick (10 ms); null for one that is gone. */
export function readStartNs(pid: number): number | null {
  return readLife(pid)?.startNs ?? null;
}

/** The same, and whether its first thread has ended (its parent didn't wait for it, or other threads go on). */
export function readLife(pid: number): { startNs: number; ended: boolean } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name, in brackets, may hold anything. Behind it: the state, and 19 fields on starttime, in ticks since boot.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const startNs = Number(fields[19]) * TICK_NS - suspendedNs();
    return { startNs, ended: fields[0] === "Z" || fields[0] === "X" };
  } catch {
    return null;
  }
}

/** By how much the time since boot, which counts suspended time as well, is ahead of CLOCK_MONOTONIC; to a tick. */
function suspendedNs(): number {
  for (;;) {
    const beforeNs = monotonicNs();
    const sinceBootNs = Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]) * 1e9;
    const afterNs = monotonicNs();
    // Else others had the CPU in between.
    if (afterNs - beforeNs < TICK_NS / 2) return sinceBootNs - afterNs;
  }
}

/** How many process numbers there are before they begin anew. */
export function readPidMax(): number {
  try {
    return Number(readFileSync("/proc/sys/kernel/pid_max", "latin1"));
  } catch {
    return PID_MAX_DEFAULT;
  }
}

const PID_MAX_DEFAULT = 32768;

const DELETED = " (deleted)";

/**
 * A path (latin1) as the kernel tells it of an open file, without what it adds when the file has no name any more: unless a
 * file is really called so.
 */
export function withoutDeleted(path: string): string {
  if (!path.endsWith(DELETED) || existsSync(Buffer.from(path, "latin1"))) return path;
  return path.slice(0, -DELETED.length);
}

/**
 * Path of the executable's file, latin1; " (deleted)" is cut off, for the name is what is asked for. Null for
 * kernel threads too.
 */
export function readExe(pid: number): string | null {
  try {
    return withoutDeleted(readlinkSync(`/proc/${pid}/exe`, "latin1"));
  } catch {
    return null;
  }
}

/**
 * /proc shows a kernel worker's name with what it last worked on behind it ("kworker/0:1-events"), which the kernel's
 * records don't have.
 */
function withoutWork(comm: string): string {
  return comm.startsWith("kworker/") ? comm.replace(/^(kworker\/u?\d+:\d+[HI]*)[-+].*$/s, "$1") : comm;
}

/**
 * The user who logged in, whatever became of the user id since (sudo, su); null where nobody did, undefined for a
 * process that is gone.
 */
export function readLogin(pid: number): number | null | undefined {
  try {
    const uid = Number(readFileSync(`/proc/${pid}/loginuid`, "latin1"));
    return uid === UNSET_LOGIN ? null : uid;
  } catch {
    return undefined;
  }
}

/**
 * The command line as the process has it now, each argument ended by a NUL; null for a process that is gone, and for
 * kernel threads. May hold secrets.
 */
export function readCommandLine(pid: number): Buffer | null {
  try {
    const bytes = readFileSync(`/proc/${pid}/cmdline`);
    return bytes.length === 0 ? null : bytes;
  } catch {
    return null;
  }
}

/** (uid_t)-1: no login behind it (a service, or audit support is missing). */
const UNSET_LOGIN = 4294967295;

/** Every process there is now. */
export function readPids(): number[] {
  const pids: number[] = [];
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (Number.isInteger(pid) && pid > 0) pids.push(pid);
  }
  return pids;
}
