// After records of processes were lost: who is still the same, who isn't known any more. Never keeps a name that another
// program or another process may have had in the meantime.
import { monotonicNs } from "../kernel/monotonic.ts";
import type { Losses } from "./losses.ts";
import type { Process } from "./process.ts";
import {
  type ProcStatus,
  readExe,
  readLife,
  readPids,
  readStatus,
  readThreads,
  START_ACCURACY_NS,
} from "./procfs.ts";
import type { RecordLoss } from "./streams.ts";
import { type Threads, takeThreads } from "./threads.ts";
import type { Tells } from "./way.ts";

interface Repaired {
  /** Those that are still there, as they are now. */
  readonly there: readonly Process[];
  /** Those that turn out to have ended. */
  readonly ended: readonly Process[];
  /** Numbers that somebody has of whom nothing was told, or of whose birth alone. */
  readonly taken: readonly number[];
}

/** Corrects the latest holders of all numbers. */
export function repair(
  processes: Iterable<Process>,
  loss: RecordLoss,
  tells: Tells,
  losses: Losses,
): Repaired {
  const there: Process[] = [];
  const ended: Process[] = [];
  const taken = new Set(readPids());
  for (const process of processes) {
    const endedBefore = process.exitedNs < loss.sinceNs;
    const inUse = taken.has(process.pid);
    // Hot: the daemon may remember tens of thousands who ended.
    if (endedBefore && (loss.usersOnly || !inUse)) continue;
    const now = inUse ? lookAt(process) : null;
    if (now !== null) {
      taken.delete(process.pid);
      if (!loss.usersOnly) losses.noteLasting(process);
      if (endedBefore && now.ended) continue;
      update(process, now, loss, tells);
      there.push(process);
    } else disown(process, loss.usersOnly);
    const gone = now === null || now.ended;
    if (process.exited || !gone || loss.usersOnly) continue;
    process.exited = true;
    process.exitedNs = loss.untilNs;
    ended.push(process);
  }
  return { there, ended, taken: loss.usersOnly ? [] : [...taken] };
}

interface State extends ProcStatus {
  readonly threads: Threads | null;
  readonly exe: string | null;
  /** Its first thread has. */
  readonly ended: boolean;
}

/** What /proc shows of it; null where its number is free, or another's by now. */
function lookAt({ pid, forkedNs, readNs }: Process): State | null {
  const status = readStatus(pid);
  const exe = readExe(pid);
  const threads = readThreads(pid);
  // After everything else: then all of it was the process's.
  const life = readLife(pid);
  if (status === null || life === null) return null;
  const { startNs, ended } = life;
  const same =
    forkedNs > 0 ? Math.abs(startNs - forkedNs) <= START_ACCURACY_NS : startNs <= readNs - START_ACCURACY_NS;
  return same ? { ...status, threads, exe, ended } : null;
}

function update(process: Process, now: State, { usersOnly }: RecordLoss, tells: Tells): void {
  const { comm, uid, euid } = process;
  process.readNs = monotonicNs();
  process.cached = null;
  process.uid = now.uid;
  process.euid = now.euid;
  process.userBy = !tells.users ? "unread" : uid === now.uid && euid === now.euid ? "lost" : "proc";
  if (usersOnly) return;
  process.comm = now.comm;
  process.nameBy = now.comm === comm ? "lost" : "proc";
  process.image = { pid: process.pid, sinceNs: 0, exe: now.exe };
  takeThreads(process, now.threads);
  if (now.ended) return;
  // Its EXIT, if there was one, was that of a first thread, which another one has replaced since by executing a program.
  process.exited = false;
  process.exitedNs = Number.POSITIVE_INFINITY;
}

/** It may have been another program by then, or its number another's. */
function disown(process: Process, usersOnly: boolean): void {
  if (!usersOnly) process.nameBy = "process_stream_lost";
  process.userBy = "process_stream_lost";
  process.cached = null;
}
