// A control server without a daemon behind it: a handler that keeps its entries in a map, and raw clients to pester it with.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AddReply, ControlHandler, DaemonStatus } from "../../src/control/protocol.ts";
import { ControlServer } from "../../src/control/server.ts";
import type { ManagedPath, PathStatus } from "../../src/event.ts";
import type { Identity } from "../../src/kernel/identity.ts";
import { notManaged } from "../../src/managed/not-managed.ts";
import { managedPath } from "../support/managed-path.ts";

export const ME: Identity = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, groups: [] };

export const ENTRY = managedPath("/srv/data", {
  recursive: true,
  types: ["CREATE", "DELETE"],
  exclude: ["*.swp", "re:\\.tmp$"],
  minSizeBytes: 1024,
  onlyCmd: ["nginx,vim"],
});

export const WATCHED: PathStatus = {
  ...ENTRY,
  state: "watched",
  reason: null,
  mark: "filesystem",
  filesystem: "ext4",
  directories: 12,
  scanning: false,
  eventsLogged: 3,
  eventsFiltered: 4,
  logFile: "/home/alice/.local/state/fsmon/0123456789abcdef_log.jsonl",
  logStuckSinceMs: null,
  unmountedSinceMs: null,
};

export const STATUS: DaemonStatus = {
  pid: 4242,
  version: "0.1.0",
  startedMs: 1_778_148_001_482,
  nowMs: 1_778_151_601_482,
  logDir: "/home/alice/.local/state/fsmon",
  managedFile: "/home/alice/.local/share/fsmon/managed.jsonl",
  socketPath: "/tmp/fsmon-1000.sock",
  paths: [],
  identification: "perf side-band and proc connector: exact",
  notes: [],
  queueDepth: 0,
  queueDepthMax: 17,
  queueLimit: 1_000_000,
  eventsRead: 100,
  eventsLogged: 90,
  eventsFiltered: 4,
  eventsAsked: 80,
  eventsUnattributed: 1,
  recent: { windowMs: 60_000, eventsRead: 10, eventsLogged: 9, eventsFiltered: 1 },
  memory: {
    residentBytes: 60_000_000,
    residentMaxBytes: 70_000_000,
    anonymousBytes: 20_000_000,
    limitBytes: null,
  },
  gaps: { queue_overflow: 2 },
  gapsLastMs: { queue_overflow: 1_778_150_000_000 },
};

export interface FakeDaemon extends AsyncDisposable {
  readonly socketPath: string;
  readonly dir: string;
  readonly server: ControlServer;
  readonly handler: FakeHandler;
  readonly faults: unknown[];
}

export class FakeHandler implements ControlHandler {
  readonly entries = new Map<string, ManagedPath>();
  reloads = 0;
  /** Called before each change; may wait or throw. */
  before: () => void | Promise<void> = () => {};
  paths: PathStatus[] = [];

  async add(entry: ManagedPath): Promise<AddReply> {
    await this.before();
    const replaced = this.entries.has(entry.path);
    this.entries.set(entry.path, entry);
    return {
      path: entry.path,
      state: "watched",
      reason: null,
      replaced,
      logFile: "/l",
      managedFile: STATUS.managedFile,
      notes: [],
    };
  }
  remove(path: string) {
    if (!this.entries.delete(path)) throw notManaged(path, ["/srv/data"]);
    return { path, logFile: "/l" };
  }
  status(): DaemonStatus {
    return { ...STATUS, paths: this.paths };
  }
  seal(hash: string) {
    return hash.startsWith("0");
  }
  reload() {
    this.reloads++;
  }
}

interface FakeOptions {
  readonly socketPath?: string;
  readonly owner?: Identity;
  readonly handler?: FakeHandler;
}

/** Starts a server at a path of its own; `await using` takes it and its directory away. */
export async function fakeDaemon(options: FakeOptions = {}): Promise<FakeDaemon> {
  const dir = mkdtempSync(join(tmpdir(), "fsmon-control-"));
  const socketPath = options.socketPath ?? join(dir, "s.sock");
  const handler = options.handler ?? new FakeHandler();
  const faults: unknown[] = [];
  const owner = options.owner ?? ME;
  const server = new ControlServer({
    socketPath,
    owner,
    handler,
    onInternalError: (error) => faults.push(error),
  });
  server.ensure();
  return {
    socketPath,
    dir,
    server,
    handler,
    faults,
    async [Symbol.asyncDispose]() {
      server.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A client that says and leaves unsaid what it likes. */
export class RawClient {
  received = "";
  /** Resolves when the server has closed its half, or the connection. */
  readonly ended: Promise<void>;
  #socket: Bun.Socket<unknown> | null = null;
  #end: () => void = () => {};

  private constructor() {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  static async connect(socketPath: string): Promise<RawClient> {
    const client = new RawClient();
    client.#socket = await Bun.connect({
      unix: socketPath,
      allowHalfOpen: true,
      socket: {
        data: (_socket, bytes) => {
          client.received += bytes.toString("utf8");
        },
        end: () => client.#end(),
        close: () => client.#end(),
        error: () => client.#end(),
      },
    } as Parameters<typeof Bun.connect>[0]);
    return client;
  }

  /** Gives the bytes to the kernel; what it doesn't take at once is left out. */
  send(bytes: string | Uint8Array): number {
    return this.#socket?.write(bytes) ?? 0;
  }

  halfClose(): void {
    this.#socket?.shutdown();
  }

  stopReading(): void {
    this.#socket?.pause();
  }

  readOn(): void {
    this.#socket?.resume();
  }

  leave(): void {
    this.#socket?.terminate();
  }

  async reply(): Promise<string> {
    await this.ended;
    this.leave();
    return this.received;
  }
}
