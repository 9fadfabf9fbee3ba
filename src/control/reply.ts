// Replies as TOML text: encode beside decode, the same keys in the same order, for each command.
// Decoding serves the client, which trusts the daemon's shape no more than the daemon trusts the client's.

import { GAP_REASONS, type GapReason, PATH_STATES, type PathStatus } from "../event.ts";
import { EXIT, type ExitCode } from "../failure.ts";
import { entryTable, readEntry } from "./entry.ts";
import type { Fields } from "./fields.ts";
import { frame } from "./framing.ts";
import {
  type Command,
  type DaemonStatus,
  FAILURE_CLASSES,
  type FailureReply,
  type HealthReply,
  type MemoryStatus,
  type RecentEvents,
  type ReplyByCommand,
} from "./protocol.ts";
import { readToml, writeToml } from "./toml.ts";

const MARKS = ["filesystem", "inode"] as const;

/** How each command's data is written and read. */
const CODECS: { readonly [C in Command]: Codec<ReplyByCommand[C]> } = {
  add: {
    write: (reply) => ({
      path: reply.path,
      state: reply.state,
      ...optional("reason", reply.reason),
      replaced: reply.replaced,
      log_file: reply.logFile,
      managed_file: reply.managedFile,
      notes: [...reply.notes],
    }),
    read: (fields) => ({
      path: fields.string("path"),
      state: fields.choice("state", PATH_STATES),
      reason: fields.optionalString("reason"),
      replaced: fields.boolean("replaced"),
      logFile: fields.string("log_file"),
      managedFile: fields.string("managed_file"),
      notes: fields.strings("notes"),
    }),
  },
  remove: {
    write: (reply) => ({ path: reply.path, log_file: reply.logFile }),
    read: (fields) => ({ path: fields.string("path"), logFile: fields.string("log_file") }),
  },
  status: { write: statusTable, read: readStatus },
  health: { write: healthTable, read: readHealth },
  seal: {
    write: (reply) => ({ sealed: reply.sealed }),
    read: (fields) => ({ sealed: fields.boolean("sealed") }),
  },
  reload: { write: () => ({}), read: () => ({}) },
};

interface Codec<T> {
  write(reply: T): Record<string, unknown>;
  read(fields: Fields): T;
}

export function encodeReply<C extends Command>(command: C, reply: ReplyByCommand[C]): Uint8Array {
  return frame(writeToml({ ok: true, ...CODECS[command].write(reply) }));
}

export function encodeFailure(failure: FailureReply): Uint8Array {
  return frame(
    writeToml({
      ok: false,
      class: failure.class,
      message: failure.message,
      ...optional("hint", failure.hint),
      exit_code: failure.exitCode,
      ...(failure.retry ? { retry: true } : {}),
    }),
  );
}

export type Reply<C extends Command> =
  | { readonly ok: true; readonly data: ReplyByCommand[C] }
  | { readonly ok: false; readonly failure: FailureReply };

/**
 * Reads the reply to a request of this command. Keys that are unknown here are ignored, so that a newer daemon may
 * tell more.
 *
 * @throws {FieldError} when something is missing or has the wrong type
 */
export function decodeReply<C extends Command>(command: C, text: string): Reply<C> {
  const fields = readToml(text);
  if (fields.boolean("ok")) return { ok: true, data: CODECS[command].read(fields) };
  const failure: FailureReply = {
    class: fields.choice("class", FAILURE_CLASSES),
    message: fields.string("message"),
    hint: fields.optionalString("hint"),
    exitCode: exitCode(fields.count("exit_code")),
    retry: fields.has("retry") && fields.boolean("retry"),
  };
  return { ok: false, failure };
}

function exitCode(code: number): ExitCode {
  return code === EXIT.usage ? EXIT.usage : EXIT.failed;
}

function optional(key: string, value: string | number | null): Record<string, string | number> {
  return value === null ? {} : { [key]: value };
}

function statusTable(status: DaemonStatus): Record<string, unknown> {
  return {
    pid: status.pid,
    daemon_version: status.version,
    started_ms: status.startedMs,
    now_ms: status.nowMs,
    log_dir: status.logDir,
    managed_file: status.managedFile,
    socket_path: status.socketPath,
    identification: status.identification,
    notes: [...status.notes],
    queue_depth: status.queueDepth,
    queue_depth_max: status.queueDepthMax,
    queue_limit: status.queueLimit,
    events_read: status.eventsRead,
    events_logged: status.eventsLogged,
    events_filtered: status.eventsFiltered,
    events_asked: status.eventsAsked,
    events_unattributed: status.eventsUnattributed,
    recent: {
      window_ms: status.recent.windowMs,
      events_read: status.recent.eventsRead,
      events_logged: status.recent.eventsLogged,
      events_filtered: status.recent.eventsFiltered,
    },
    memory: {
      resident_bytes: status.memory.residentBytes,
      resident_max_bytes: status.memory.residentMaxBytes,
      anonymous_bytes: status.memory.anonymousBytes,
      ...optional("limit_bytes", status.memory.limitBytes),
    },
    gaps: { ...status.gaps },
    gaps_last_ms: { ...status.gapsLastMs },
    paths: status.paths.map(pathTable),
  };
}

function readStatus(fields: Fields): DaemonStatus {
  return {
    pid: fields.count("pid"),
    version: fields.string("daemon_version"),
    startedMs: fields.count("started_ms"),
    nowMs: fields.count("now_ms"),
    logDir: fields.string("log_dir"),
    managedFile: fields.string("managed_file"),
    socketPath: fields.string("socket_path"),
    paths: fields.tables("paths").map(readPathStatus),
    identification: fields.string("identification"),
    notes: fields.strings("notes"),
    queueDepth: fields.count("queue_depth"),
    queueDepthMax: fields.count("queue_depth_max"),
    queueLimit: fields.count("queue_limit"),
    eventsRead: fields.count("events_read"),
    eventsLogged: fields.count("events_logged"),
    eventsFiltered: fields.count("events_filtered"),
    eventsAsked: fields.count("events_asked"),
    eventsUnattributed: fields.count("events_unattributed"),
    recent: readRecent(fields.table("recent")),
    memory: readMemory(fields.table("memory")),
    gaps: readGaps(fields.table("gaps")),
    gapsLastMs: readGaps(fields.table("gaps_last_ms")),
  };
}

function readRecent(fields: Fields): RecentEvents {
  return {
    windowMs: fields.count("window_ms"),
    eventsRead: fields.count("events_read"),
    eventsLogged: fields.count("events_logged"),
    eventsFiltered: fields.count("events_filtered"),
  };
}

function readMemory(fields: Fields): MemoryStatus {
  return {
    residentBytes: fields.count("resident_bytes"),
    residentMaxBytes: fields.count("resident_max_bytes"),
    anonymousBytes: fields.count("anonymous_bytes"),
    limitBytes: fields.optionalCount("limit_bytes"),
  };
}

function pathTable(path: PathStatus): Record<string, unknown> {
  return {
    ...entryTable(path),
    state: path.state,
    ...optional("reason", path.reason),
    ...optional("mark", path.mark),
    ...optional("filesystem", path.filesystem),
    directories: path.directories,
    scanning: path.scanning,
    events_logged: path.eventsLogged,
    events_filtered: path.eventsFiltered,
    log_file: path.logFile,
    ...optional("log_stuck_since_ms", path.logStuckSinceMs),
    ...optional("unmounted_since_ms", path.unmountedSinceMs),
  };
}

function readPathStatus(fields: Fields): PathStatus {
  return {
    ...readEntry(fields),
    state: fields.choice("state", PATH_STATES),
    reason: fields.optionalString("reason"),
    mark: fields.has("mark") ? fields.choice("mark", MARKS) : null,
    filesystem: fields.optionalString("filesystem"),
    directories: fields.count("directories"),
    scanning: fields.boolean("scanning"),
    eventsLogged: fields.count("events_logged"),
    eventsFiltered: fields.count("events_filtered"),
    logFile: fields.string("log_file"),
    logStuckSinceMs: fields.optionalCount("log_stuck_since_ms"),
    unmountedSinceMs: fields.optionalCount("unmounted_since_ms"),
  };
}

function readGaps(fields: Fields): Partial<Record<GapReason, number>> {
  const gaps: Partial<Record<GapReason, number>> = {};
  for (const reason of GAP_REASONS) if (fields.has(reason)) gaps[reason] = fields.count(reason);
  return gaps;
}

function healthTable(health: HealthReply): Record<string, unknown> {
  return {
    healthy: health.healthy,
    problems: [...health.problems],
    log_dir: health.logDir,
    managed_file: health.managedFile,
    watched: health.watched,
    pending: health.pending,
    impossible: health.impossible,
    starting: health.starting,
    events_read: health.eventsRead,
    events_logged: health.eventsLogged,
    queue_depth: health.queueDepth,
    queue_depth_max: health.queueDepthMax,
  };
}

function readHealth(fields: Fields): HealthReply {
  return {
    healthy: fields.boolean("healthy"),
    problems: fields.strings("problems"),
    logDir: fields.string("log_dir"),
    managedFile: fields.string("managed_file"),
    watched: fields.count("watched"),
    pending: fields.count("pending"),
    impossible: fields.count("impossible"),
    starting: fields.count("starting"),
    eventsRead: fields.count("events_read"),
    eventsLogged: fields.count("events_logged"),
    queueDepth: fields.count("queue_depth"),
    queueDepthMax: fields.count("queue_depth_max"),
  };
}
