// What a client and the daemon say to each other over the control socket: requests, replies, and their bounds.
// Types and numbers only; request.ts and reply.ts turn them into TOML and back, docs/protocol.md shows the text.
// A request names its command, a reply is either data for that command or a failure with a class.

import type { GapReason, ManagedPath, PathState, PathStatus } from "../event.ts";
import type { ExitCode } from "../failure.ts";

/** First key of every message. Raised when an old program would misread a new message. */
export const PROTOCOL_VERSION = 1;

/** A request with 100 long patterns stays below 30 KiB; twice that, so nobody has to think about it. */
export const REQUEST_SIZE_MAX_BYTES = 64 * 1024;

/** A status line of one managed path is about 600 bytes: room for as many as the store can hold, and still bounded. */
export const REPLY_SIZE_MAX_BYTES = 64 * 1024 * 1024;

export type Request =
  | { readonly command: "add"; readonly entry: ManagedPath }
  | { readonly command: "remove"; readonly path: string }
  | { readonly command: "status" }
  | { readonly command: "health" }
  /** Closes the live segment of one log, so that it may be rewritten or deleted. */
  | { readonly command: "seal"; readonly hash: string }
  /** Reads config and store anew, like SIGHUP. */
  | { readonly command: "reload" };

export type Command = Request["command"];

export const COMMANDS: readonly Command[] = ["add", "remove", "status", "health", "seal", "reload"];

/**
 * Why a request was not done.
 * `request`: the message is wrong. `impossible`: it was understood, and can't be done. `refused`: not now, or not
 * for this peer. `internal`: a fault of the daemon.
 */
export const FAILURE_CLASSES = ["request", "impossible", "refused", "internal"] as const;
export type FailureClass = (typeof FAILURE_CLASSES)[number];

export interface FailureReply {
  readonly class: FailureClass;
  readonly message: string;
  readonly hint: string | null;
  readonly exitCode: ExitCode;
  /** True when the same request may succeed a moment later (too many clients at once). */
  readonly retry: boolean;
}

export interface AddReply {
  readonly path: string;
  readonly state: PathState;
  /** Why the state isn't `watched`; null where it is. */
  readonly reason: string | null;
  /** True when the path was managed before and has got new filters. */
  readonly replaced: boolean;
  readonly logFile: string;
  /** The store that the entry was written to: the client's own config may name another one. */
  readonly managedFile: string;
  /** Sentences for the person, for example that the log directory lies inside the tree. */
  readonly notes: readonly string[];
}

export interface RemoveReply {
  readonly path: string;
  /** The log stays; this is where it lies. */
  readonly logFile: string;
}

/** The daemon as it is now. Counters run from its start. */
export interface DaemonStatus {
  readonly pid: number;
  readonly version: string;
  /** When it started, and its clock as it answers, in milliseconds since the epoch. */
  readonly startedMs: number;
  readonly nowMs: number;
  readonly logDir: string;
  readonly managedFile: string;
  readonly socketPath: string;
  readonly paths: readonly PathStatus[];
  /** Which way processes are being identified, in words. */
  readonly identification: string;
  /** What was said at the start or has happened since that a person should know. */
  readonly notes: readonly string[];
  /** Events waiting in the kernel's queue, now and at most. */
  readonly queueDepth: number;
  readonly queueDepthMax: number;
  /** How many the kernel holds before it drops some. */
  readonly queueLimit: number;
  /** From the kernel, those outside every managed path included. */
  readonly eventsRead: number;
  /** Lines; an event can be in several logs, and give several lines. */
  readonly eventsLogged: number;
  readonly eventsFiltered: number;
  /** Events that a process was looked for, and those of them that none is known for. */
  readonly eventsAsked: number;
  readonly eventsUnattributed: number;
  readonly recent: RecentEvents;
  readonly memory: MemoryStatus;
  /** How many GAP lines were written, by reason; reasons that never occurred are left out. */
  readonly gaps: Partial<Record<GapReason, number>>;
  /** When the last GAP line of each was written. */
  readonly gapsLastMs: Partial<Record<GapReason, number>>;
}

/** What was counted within the last windowMs, a minute at most. */
export interface RecentEvents {
  readonly windowMs: number;
  readonly eventsRead: number;
  readonly eventsLogged: number;
  readonly eventsFiltered: number;
}

/** Of the daemon's process. The kernel's queue is charged to the same limit. */
export interface MemoryStatus {
  readonly residentBytes: number;
  readonly residentMaxBytes: number;
  readonly anonymousBytes: number;
  /** The lowest of its cgroups; null without one. */
  readonly limitBytes: number | null;
}

/** A verdict in brief, for programs that only want to know whether everything is being recorded. */
export interface HealthReply {
  readonly healthy: boolean;
  /** One sentence each; empty when healthy. */
  readonly problems: readonly string[];
  /** Where the daemon's logs and store are, which a client's own config may name differently. */
  readonly logDir: string;
  readonly managedFile: string;
  readonly watched: number;
  readonly pending: number;
  readonly impossible: number;
  readonly starting: number;
  readonly eventsRead: number;
  readonly eventsLogged: number;
  readonly queueDepth: number;
  readonly queueDepthMax: number;
}

/** What each command is answered with. */
export interface ReplyByCommand {
  add: AddReply;
  remove: RemoveReply;
  status: DaemonStatus;
  health: HealthReply;
  seal: { readonly sealed: boolean };
  reload: Record<never, never>;
}

/**
 * What the daemon does for its clients. A thrown `UsageFailure` is answered as `request`, any other `Failure` as
 * `impossible`, anything else as `internal`. Changing calls (add, remove, seal, reload) never overlap.
 */
export interface ControlHandler {
  /**
   * Stores the entry and watches it; when this returns, the very next operation below the path is recorded. The entry's
   * shape is checked, its patterns aren't: not every client asks src/filter beforehand.
   */
  add(entry: ManagedPath): AddReply | Promise<AddReply>;
  /** @throws {Failure} naming the nearest managed path when this one isn't managed */
  remove(path: string): RemoveReply | Promise<RemoveReply>;
  status(): DaemonStatus | Promise<DaemonStatus>;
  /** Seals the live segment of the log `<hash>_log.jsonl`; false when there is no such log or it is empty. */
  seal(hash: string): boolean | Promise<boolean>;
  /** @throws {Failure} with the reason when the new config is not usable; the old one then stays in force */
  reload(): void | Promise<void>;
}
