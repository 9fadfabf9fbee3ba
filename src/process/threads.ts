// What a process's further threads have of their own: a name, and users that one thread alone took (setresuid as a plain system
// call, as Samba and NFS servers do). An event tells the process, never the thread, so these only matter to children, which
// inherit from the thread that forked them, to the program that a thread executes, and to what a line may claim.
import type { Process } from "./process.ts";

export interface Thread {
  comm: string;
  uid: number;
  euid: number;
}

/** By thread number, without the first one, which the process itself stands for. */
export type Threads = Map<number, Thread>;

/** What /proc told of them. */
export function takeThreads(process: Process, threads: Threads | null): void {
  process.threads = threads;
  process.mixedUsers = usersDiffer(process);
}

/** A thread has what the one that made it has, and keeps it when that one or the process takes something else. */
export function forkThread(process: Process, tid: number, parentTid: number): void {
  keep(process, tid, threadOf(process, parentTid));
}

/** What a thread has: the process's own where it has nothing else. */
export function threadOf(process: Process, tid: number): Readonly<Thread> {
  return process.threads?.get(tid) ?? process;
}

/** A thread took another name, or other users. */
export function changeThread(process: Process, tid: number, change: Partial<Thread>): void {
  keep(process, tid, { ...threadOf(process, tid), ...change });
}

function keep(process: Process, tid: number, { comm, uid, euid }: Readonly<Thread>): void {
  process.threads ??= new Map();
  process.threads.set(tid, { comm, uid, euid });
}

/** The thread is gone. */
export function forgetThread(process: Process, tid: number): void {
  const { threads } = process;
  if (threads?.delete(tid) && threads.size === 0) process.threads = null;
}

/** Whether some thread acts as another user than the first one. */
export function usersDiffer({ threads, uid, euid }: Process): boolean {
  if (threads !== null)
    for (const one of threads.values()) if (one.uid !== uid || one.euid !== euid) return true;
  return false;
}

/**
 * Who executed a program: the kernel ends all other threads before it tells of the exec, so it is the only one left.
 *
 * @returns null where that isn't known: records were lost
 */
export function executor(process: Process): Readonly<Thread> | null {
  if (!process.exited) return process;
  return process.threads?.size === 1 ? process.threads.values().next().value! : null;
}
