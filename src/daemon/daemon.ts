// The running daemon: managed paths into the pipeline, the control socket beside it, and a life with a
// beginning and an end that the logs tell.
import { join } from "node:path";
import { type Config, loadConfig } from "../config/config.ts";
import { createMissingConfig } from "../config/template.ts";
import type { DaemonStatus } from "../control/protocol.ts";
import { ControlServer } from "../control/server.ts";
import type { ManagedPath } from "../event.ts";
import { EXIT, type ExitCode, Failure } from "../failure.ts";
import { Lifetime, type PreviousRun } from "../log/lifetime.ts";
import { liveName, logHash } from "../log/names.ts";
import type { Gap } from "../log/state.ts";
import type { LogWriter } from "../log/writer.ts";
import { loadStore } from "../managed/store.ts";
import { Pipeline } from "../pipeline/pipeline.ts";
import type { WatchedPath } from "../pipeline/watched-path.ts";
import { Handler } from "./handler.ts";
import { openLog } from "./logs.ts";
import type { DaemonOptions } from "./options.ts";
import { queueBound } from "./queue-bound.ts";
import { Upkeep } from "./upkeep.ts";

export class Daemon {
  readonly pipeline: Pipeline;
  /** In force; replaced by reload(). */
  config: Config;
  private readonly lifetime: Lifetime;
  private readonly previousRun: PreviousRun;
  private readonly control: ControlServer;
  private readonly startedMs = Date.now();
  private readonly notes: string[] = [];
  private controlProblem: string | null = null;
  private readonly upkeep: Upkeep;
  private ended: (code: ExitCode) => void = () => {};

  /**
   * Takes the lock, opens the kernel's sources and the logs. @throws {Failure} when any of that can't be had
   */
  constructor(readonly options: DaemonOptions) {
    const { owner, config, places } = options;
    this.config = config;
    if (process.geteuid?.() !== 0) {
      throw new Failure("Cannot watch filesystems without root", "sudo fsmon daemon");
    }
    this.lifetime = new Lifetime(config.logDir, owner, this.startedMs);
    this.previousRun = this.lifetime.previousLife();
    try {
      if (!config.configFound && createMissingConfig(places, owner)) {
        options.say(`wrote the default config to ${config.configFile}`);
      }
      const stored = loadStore(config.managedFile, owner);
      for (const { line, reason } of stored.broken) {
        this.note(`line ${line} of ${config.managedFile} is not used: ${reason}`);
      }
      this.pipeline = new Pipeline({
        queueEvents: queueBound(),
        identification: "auto",
        logDir: config.logDir,
        debug: options.debug ? options.say : null,
        onFault: (error) => this.fail(error),
      });
      for (const note of this.pipeline.streams.notes) this.note(note);
      for (const managed of stored.paths) this.watchStored(managed);
    } catch (error) {
      this.lifetime.stop(this.startedMs);
      throw error;
    }
    this.upkeep = new Upkeep(
      owner,
      config,
      this.lifetime,
      () => this.logs(),
      (message) => this.note(message),
      () => void this.openControl(),
    );
    this.control = new ControlServer({
      socketPath: config.socketPath,
      owner,
      handler: new Handler(this),
      onInternalError: (error) => this.note(`a request met a fault: ${messageOf(error)}`),
    });
  }

  /** Runs until it is told to stop. */
  async run(): Promise<ExitCode> {
    const ended = new Promise<ExitCode>((resolve) => {
      this.ended = resolve;
    });
    let stopping = false;
    const stop = () => {
      if (stopping) this.options.endNow();
      stopping = true;
      this.ended(EXIT.fine);
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
    process.on("SIGHUP", () => this.reloadBySignal());
    this.upkeep.start();
    this.pipeline.start();
    await this.openControl();
    const { size } = this.pipeline.watching.paths;
    this.options.say(
      `watching ${size} managed ${size === 1 ? "path" : "paths"} for ${this.options.owner.name}; ` +
        `processes by ${this.pipeline.streams.way}; logs in ${this.config.logDir}`,
    );
    const code = await ended;
    this.stop(code);
    return code;
  }

  /**
   * Puts a managed path under watch, or gives it new filters, and writes its WATCH line.
   *
   * @param atStart true for what the store had when the daemon started
   * @throws {Failure} when its log can't be opened
   */
  watch(managed: ManagedPath, atStart: boolean): WatchedPath {
    const { path } = managed;
    const changed = this.pipeline.watching.paths.has(path);
    let gap: Gap | null = null;
    const watched = this.pipeline.add(managed, () => {
      const current = () => this.pipeline.watching.paths.get(path)?.managed ?? managed;
      const opened = openLog(
        this.options,
        this.config,
        managed,
        this.previousRun,
        atStart,
        this.pipeline.now(),
        current,
      );
      gap = opened.gap;
      return opened.log;
    });
    const timeMs = this.pipeline.now();
    if (gap !== null) this.pipeline.gap(watched, gap, timeMs);
    watched.log.watch(changed ? "changed" : "started", timeMs);
    return watched;
  }

  /** Stops watching; the log stays. Returns where it lies. */
  unwatch(path: string): string {
    const { logDir } = this.config;
    const watched = this.pipeline.remove(path);
    if (watched === null) return join(logDir, liveName(logHash(path)));
    watched.log.watch("stopped", this.pipeline.now());
    watched.log.close();
    return watched.log.path;
  }

  /** Says so when the logs lie inside the tree: harmless, but worth knowing. */
  logDirNote(managed: ManagedPath): string[] {
    const { logDir } = this.config;
    const inside =
      logDir === managed.path || logDir.startsWith(managed.path === "/" ? "/" : `${managed.path}/`);
    if (!inside) return [];
    return [
      `the logs lie inside this tree (${logDir}): fsmon's own writing there is not recorded, nor is reading them`,
    ];
  }

  status(): DaemonStatus {
    const { config, pipeline } = this;
    return {
      pid: process.pid,
      version: this.options.version,
      startedMs: this.startedMs,
      logDir: config.logDir,
      managedFile: config.managedFile,
      socketPath: config.socketPath,
      paths: [...pipeline.watching.paths.values()].map((watched) => {
        const { directories, scanning } = pipeline.watching.extentOf(watched);
        return watched.status(directories, scanning);
      }),
      identification: pipeline.streams.way,
      notes: this.notes,
      queueDepth: pipeline.group.pendingEvents(),
      queueDepthMax: pipeline.queueDepthMax,
      eventsRead: pipeline.eventsRead,
      eventsLogged: pipeline.eventsLogged,
      gaps: pipeline.gaps,
    };
  }

  /**
   * Reads config and store again: paths that came, went or changed their filters.
   *
   * @throws {Failure} when they can't be used, or a setting changed that needs a restart; everything is as
   *   before then
   */
  reload(): void {
    const { pipeline } = this;
    const { owner, places, flags } = this.options;
    const config = loadConfig({ owner, env: process.env, flags, places });
    for (const field of ["logDir", "socketPath", "managedFile"] as const) {
      if (config[field] !== this.config[field]) {
        throw new Failure(
          `Cannot change ${field} from "${this.config[field]}" to "${config[field]}" while the daemon runs`,
          "restart it",
        );
      }
    }
    const stored = loadStore(config.managedFile, owner);
    this.config = config;
    this.upkeep.configure(config);
    const wanted = new Map(stored.paths.map((managed) => [managed.path, managed]));
    for (const path of [...pipeline.watching.paths.keys()]) if (!wanted.has(path)) this.unwatch(path);
    for (const managed of wanted.values()) {
      const known = pipeline.watching.paths.get(managed.path)?.managed;
      if (known === undefined || !Bun.deepEquals(known, managed)) this.watch(managed, false);
    }
  }

  /** Makes the live file of a log a segment, for whoever wants to clean it. */
  seal(hash: string): boolean {
    return this.upkeep.seal(hash);
  }

  private *logs(): Iterable<LogWriter> {
    for (const watched of this.pipeline.watching.paths.values()) yield watched.log;
  }

  private watchStored(managed: ManagedPath): void {
    try {
      const watched = this.watch(managed, true);
      if (watched.state !== "watched") this.note(`${managed.path} is ${watched.state}: ${watched.reason}`);
      for (const note of watched.notes) this.note(note);
    } catch (error) {
      // One path's trouble must not leave the others unwatched.
      this.note(`${managed.path} is not watched: ${messageOf(error)}`);
    }
  }

  private reloadBySignal(): void {
    try {
      this.reload();
      this.options.say("config and managed paths were read again");
    } catch (error) {
      this.note(`nothing was changed by SIGHUP: ${messageOf(error)}`);
    }
  }

  private async openControl(): Promise<void> {
    const state = await this.control.ensure();
    const problem = state.controllable ? null : state.reason;
    if (problem !== this.controlProblem && problem !== null) {
      this.note(`recording, but can't be controlled: ${problem}`);
    }
    this.controlProblem = problem;
  }

  /** An internal fault: written down and ended, rather than half alive. */
  private fail(error: unknown): void {
    const where = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.options.say(`internal fault: ${where}`);
    try {
      this.pipeline.gapEverywhere("internal", Date.now(), null);
    } catch {
      // The logs are what is broken, then.
    }
    this.ended(EXIT.failed);
  }

  private stop(code: ExitCode): void {
    this.upkeep.stop();
    this.control.close();
    if (code === EXIT.fine) this.pipeline.stop();
    const timeMs = this.pipeline.now();
    let recordedUntilMs = timeMs;
    for (const watched of this.pipeline.watching.paths.values()) {
      watched.log.watch("stopped", timeMs);
      watched.log.close();
      recordedUntilMs = Math.min(recordedUntilMs, watched.log.incompleteSinceMs ?? timeMs);
    }
    this.lifetime.stop(recordedUntilMs);
  }

  private note(message: string): void {
    this.options.say(message);
    this.notes.push(message);
    // The newest are what a person wants to see; an endless repetition must not fill the memory.
    if (this.notes.length > NOTES_MAX) this.notes.shift();
  }
}

const NOTES_MAX = 100;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
