// One process as the table knows it: what goes into a line, and for each part of it how it is known.
import type { ControlGroup } from "./cgroup.ts";
import type { Thread, Threads } from "./threads.ts";

/**
 * How a name or a user is known. null: exactly, the kernel told every change. proc: read from /proc. exit: told by
 * the kernel when the process ended. lost: the same before and after records were lost. inherited: its parent's, where
 * another one may have made it. assumed: the same, and nobody has asked yet. unread: nobody has asked yet; the rest: it
 * can't be known, and why (docs/events.md).
 */
export type Provenance = Known | "unread" | Unknowable;
type Known = null | "proc" | "exit" | "lost" | "inherited" | "assumed";
export type Unknowable = "gone_before_known" | "process_stream_lost" | "pid_reused";

/** A program as it was executed once. */
export interface Image {
  /** Who executed it, and when (CLOCK_MONOTONIC; 0: before the streams were opened). */
  readonly pid: number;
  readonly sinceNs: number;
  /** Path of the executable, latin1; null for none (kernel threads), undefined while nobody asked. */
  exe: string | null | undefined;
}

export const UNKNOWN_IMAGE: Image = { pid: 0, sinceNs: 0, exe: null };

export interface Process {
  readonly pid: number;
  /** Who forked it, also when that one is gone by now. */
  parentPid: number;
  /** The same, kept beyond its end for its name; null where it isn't known, or too many above it are gone. */
  parent: Process | null;
  /** latin1, one character a byte, at most 15. */
  comm: string;
  uid: number;
  euid: number;
  nameBy: Provenance;
  userBy: Provenance;
  /** Its first thread ended: may still be asked for until the fanotify queue was seen empty after its number was free. */
  exited: boolean;
  /** Sweeps (graveyard.ts) there had been when its number was found free, or taken by another; -1 before. */
  goneAt: number;
  /** The one that had its number before, as long as its events may still be in the queue. */
  earlier: Process | null;
  /** The negative number that stands for it in a batch, where the pid alone would mean a later one; 0 for none. */
  alias: number;
  /** What taskstats told when it ended; null before, and where that isn't in use. */
  end: { readonly comm: string; readonly uid: number } | null;
  /** Ends still to be told of first threads that another thread replaced by executing a program. */
  replacedEnds: number;
  /** What the log made of this process; emptied whenever something above changes. */
  cached: unknown;
  /** No longer in the table: only its children know it. */
  forgotten: boolean;
  /** The program that it runs: the same for all that were forked since it was executed. */
  image: Image;
  /** Login user id, null for none; undefined while it wasn't read (surroundings.ts). */
  login: number | null | undefined;
  /** Unit and container; undefined while they weren't read. */
  group: ControlGroup | undefined;
  /** Null where it has but one. */
  threads: Threads | null;
  /** Some of its threads act as other users: an event doesn't tell which thread it was. */
  mixedUsers: boolean;
  /**
   * CLOCK_MONOTONIC of the fork, of the first exec after it, and of the last change of name or user besides; 0
   * for what was there before or never was. They tell which events of a batch can be older.
   */
  forkedNs: number;
  launchedNs: number;
  changedNs: number;
  /** CLOCK_MONOTONIC of its EXIT record, Infinity before. Its files may be closed after it (6.17 and later). */
  exitedNs: number;
  /** CLOCK_MONOTONIC of when /proc was read for it, 0 for never: records from before then are no news. */
  readNs: number;
  /** Numbers that had been given out when it got its own, and the last loss over which it kept it (losses.ts). */
  serial: number;
  lasted: number;
}

/** A process of which nothing is known but its number. */
export function unknownProcess(pid: number, why: Provenance): Process {
  return {
    pid,
    parentPid: 0,
    parent: null,
    comm: "",
    uid: 0,
    euid: 0,
    nameBy: why,
    userBy: why,
    exited: false,
    goneAt: -1,
    earlier: null,
    alias: 0,
    end: null,
    replacedEnds: 0,
    cached: null,
    forgotten: false,
    image: UNKNOWN_IMAGE,
    login: undefined,
    group: undefined,
    threads: null,
    mixedUsers: false,
    forkedNs: 0,
    launchedNs: 0,
    changedNs: 0,
    exitedNs: Number.POSITIVE_INFINITY,
    readNs: 0,
    serial: Number.NEGATIVE_INFINITY,
    lasted: 0,
  };
}

/** Hot. A child is what its parent is, of whose threads one forked it, and runs its program until it executes another. */
export function inherit(pid: number, parent: Process, by: Readonly<Thread>, timeNs: number): Process {
  // In one piece: a copy with changes would cost more than everything else that a process costs.
  return {
    pid,
    parentPid: parent.pid,
    parent,
    comm: by.comm,
    uid: by.uid,
    euid: by.euid,
    nameBy: parent.nameBy,
    userBy: parent.userBy,
    exited: false,
    goneAt: -1,
    earlier: null,
    alias: 0,
    end: null,
    replacedEnds: 0,
    cached: null,
    forgotten: false,
    image: parent.image,
    login: undefined,
    group: undefined,
    threads: null,
    mixedUsers: false,
    forkedNs: timeNs,
    launchedNs: 0,
    changedNs: timeNs,
    exitedNs: Number.POSITIVE_INFINITY,
    readNs: 0,
    serial: Number.NEGATIVE_INFINITY,
    lasted: 0,
  };
}

/** Whether a name or a user of this provenance may be shown. */
export function isKnown(by: Provenance): by is Known {
  return (
    by === null || by === "proc" || by === "exit" || by === "lost" || by === "inherited" || by === "assumed"
  );
}

/** Hot. Whether the process itself is still to be asked for a name or a user of this provenance. */
export function isOpen(by: Provenance): by is "unread" | "assumed" {
  return by === "unread" || by === "assumed";
}

/** For a person it is the same process: every key of a line that both would have is the same. */
export function alike(a: Process, b: Process): boolean {
  return (
    isKnown(a.nameBy) &&
    isKnown(a.userBy) &&
    !isOpen(a.nameBy) &&
    !isOpen(a.userBy) &&
    a.comm === b.comm &&
    a.uid === b.uid &&
    a.euid === b.euid &&
    a.parentPid === b.parentPid &&
    a.nameBy === b.nameBy &&
    a.userBy === b.userBy
  );
}
