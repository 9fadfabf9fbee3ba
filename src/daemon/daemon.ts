// The running daemon: managed paths into the pipeline, the control socket beside it, and a life with a
// beginning and an end that the logs tell.
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { createMissingConfig } from "../config/template.ts";
import type { DaemonStatus } from "../control/protocol.ts";
import { ControlServer } from "../control/server.ts";
import { detailsToMask, type ManagedPath } from "../event.ts";
import { causeOf, EXIT, type ExitCode, Failure } from "../failure.ts";
import { checkPatterns } from "../filter/filter.ts";
import { FanotifyGroup } from "../kernel/fanotify.ts";
import { Lifetime } from "../log/lifetime.ts";
import { liveName, logHash } from "../log/names.ts";
import type { Gap } from "../log/state.ts";
import type { LogWriter } from "../log/writer.ts";
import { loadStore } from "../managed/store.ts";
import { Pipeline } from "../pipeline/pipeline.ts";
import type { WatchedPath } from "../pipeline/watched-path.ts";
import { parseSources } from "../process/way.ts";
import { Handler } from "./handler.ts";
import { Logs, segmentSizeOf } from "./logs.ts";
import { MemoryCare } from "./memory.ts";
import { Notes } from "./notes.ts";
import type { DaemonOptions } from "./options.ts";
import { isOwnFile } from "./own-files.ts";
import { queueBound } from "./queue-bound.ts";
import { reload } from "./reload.ts";
import { Service } from "./service.ts";
import { StatusReporter } from "./status.ts";
import { UnwatchedPaths } from "./unwatched.ts";
import { Upkeep } from "./upkeep.ts";

export class Daemon {
  readonly pipeline: Pipeline;
  /** In force; replaced by reload(). */
  config: Config;
  private readonly lifetime: Lifetime;
  private readonly control: ControlServer;
  readonly notes: Notes;
  private controlProblem: string | null = null;
  private readonly upkeep: Upkeep;
  private readonly reporter: StatusReporter;
  private readonly memory = new MemoryCare();
  private readonly service = new Service(process.env);
  private faulty = false;
  private ending = false;
  /** The config, where this daemon wrote the default one. */
  private madeConfig: string | null = null;
  private ended: (code: ExitCode) => void = () => {};
  readonly unwatched: UnwatchedPaths;
  private readonly logs: Logs;

  /**
   * Takes the lock, opens the kernel's sources and the logs. @throws {Failure} when any of that can't be had
   */
  constructor(readonly options: DaemonOptions) {
    const { owner, config, places } = options;
    this.config = config;
    this.notes = new Notes(options.say);
    if (process.geteuid?.() !== 0) {
      throw new Failure("Cannot watch filesystems without root", "sudo fsmon daemon");
    }
    const sources = parseSources(options.identify);
    // A kernel that can't do it must leave no trace of us: no directory, no lock, no config.
    FanotifyGroup.probe();
    const startedMs = Date.now();
    this.lifetime = new Lifetime(config.logDir, owner, startedMs, config.managedFile);
    const previousRun = this.lifetime.previousLife();
    try {
      if (!config.configFound && createMissingConfig(places, owner)) {
        this.madeConfig = config.configFile;
        options.say(`wrote the default config to ${config.configFile}`);
      }
      const stored = loadStore(config.managedFile, owner, checkPatterns);
      this.notes.broken(config.managedFile, stored);
      this.pipeline = new Pipeline({
        queueEvents: queueBound(),
        sources,
        logDir: config.logDir,
        isOurs: (directory, name) => isOwnFile(this.config, this.madeConfig, directory, name),
        debug: options.debug ? options.say : null,
        onFault: (error) => this.fail(error),
      });
      this.reporter = new StatusReporter(this.pipeline, options.version, startedMs);
      this.pipeline.processes.attribution.commonDetails = detailsToMask(config.details, config.args);
      for (const note of this.pipeline.processes.streams.notes) this.notes.add(note);
      this.logs = new Logs(
        options,
        previousRun,
        (reason, timeMs) => this.pipeline.countGap(reason, timeMs),
        () => this.upkeep.lookSoon(),
      );
      this.unwatched = new UnwatchedPaths(
        stored.paths,
        (managed, atStart) => this.watch(managed, atStart),
        this.notes,
      );
    } catch (error) {
      this.lifetime.abandon();
      throw error;
    }
    this.upkeep = new Upkeep(
      owner,
      config,
      this.lifetime,
      () => this.openLogs(),
      (message) => this.notes.add(message),
      () => {
        this.reporter.sample();
        this.pipeline.tick();
        this.logs.tick();
        this.memory.tick(this.pipeline.eventsRead);
        this.openControl();
      },
    );
    this.control = new ControlServer({
      socketPath: config.socketPath,
      owner,
      handler: new Handler(this),
      onInternalError: (error) => this.notes.add(`a request met a fault: ${causeOf(error)}`),
    });
  }

  /** Runs until it is told to stop. */
  async run(): Promise<ExitCode> {
    const ended = new Promise<ExitCode>((resolve) => {
      this.ended = (code) => {
        this.ending = true;
        resolve(code);
      };
    });
    this.takeSignals();
    // Whatever no caller catches: the runtime would end the process without a word in the logs, or not at all.
    process.on("uncaughtException", (error) => this.fail(error));
    process.on("unhandledRejection", (reason) => this.fail(reason));
    this.pipeline.start();
    this.openControl();
    if (await this.unwatched.watchAll(() => this.ending)) this.tellReady();
    const code = this.stop(await ended);
    // A faulty daemon may have timers left: it must not go on half alive.
    if (code !== EXIT.fine) this.options.endNow();
    return code;
  }

  private tellReady(): void {
    this.logs.started();
    // Not earlier: a heartbeat says that every path was being recorded, and a cleaning could seal a log that is about to be opened.
    this.upkeep.start();
    this.options.say(
      `${this.watchingText()} for ${this.options.owner.name}; ` +
        `processes by ${this.pipeline.processes.streams.way}; logs in ${this.config.logDir}`,
    );
    this.service.ready(this.watchingText());
  }

  /**
   * Puts a managed path under watch, or gives it new filters, and writes its WATCH line.
   *
   * @param atStart true for what the store had when the daemon started
   * @param accept may refuse a new path by throwing, once it is known how it can be watched: then no trace of it is left
   * @throws {Failure} when its log can't be opened
   */
  watch(managed: ManagedPath, atStart: boolean, accept?: (watched: WatchedPath) => void): WatchedPath {
    const { path } = managed;
    const changed = this.pipeline.watching.paths.has(path);
    let gaps: readonly Gap[] = [];
    let made: WatchedPath | null = null;
    const openItsLog = () => {
      // Also after it was removed: `stopped` names the filters that were in force.
      const current = () => made?.managed ?? managed;
      const opened = this.logs.open(this.config, managed, atStart, this.pipeline.now(), current);
      gaps = opened.gaps;
      return opened.log;
    };
    const watched = this.whole(() => this.pipeline.add(managed, openItsLog));
    made = watched;
    try {
      accept?.(watched);
    } catch (error) {
      this.pipeline.takeBack(watched);
      this.logs.takeBack(path, watched.log);
      throw error;
    }
    this.logs.use(path);
    this.unwatched.delete(path);
    const timeMs = this.pipeline.now();
    for (const gap of gaps) this.pipeline.gap(watched, gap, timeMs);
    watched.log.watch(changed ? "changed" : "started", timeMs);
    const [first, last] = [gaps[0], gaps.at(-1)];
    if (first && last) this.pipeline.rescan(watched, { ...last, fromMs: first.fromMs });
    return watched;
  }

  /** Stops watching; the log stays. Returns where it lies. */
  unwatch(path: string): string {
    const { logDir } = this.config;
    this.unwatched.delete(path);
    this.notes.drop(path);
    const watched = this.whole(() => this.pipeline.remove(path));
    if (watched === null) return join(logDir, liveName(logHash(path)));
    watched.log.watch("stopped", this.pipeline.now());
    this.logs.end(path, watched.log);
    return watched.log.path;
  }

  status(): DaemonStatus {
    return this.reporter.report(this.config, this.notes.kept, this.unwatched.status(this.config.logDir));
  }

  /**
   * Reads config and store again: paths that came, went or changed their filters.
   *
   * @throws {Failure} with the reason when they can't be used; everything is as before then
   */
  reload(): void {
    this.service.reloading();
    try {
      reload(this);
    } finally {
      this.service.ready(this.watchingText());
    }
  }

  /** Other settings from now on. */
  configure(config: Config): void {
    this.config = config;
    this.pipeline.processes.attribution.commonDetails = detailsToMask(config.details, config.args);
    this.upkeep.configure(config);
    for (const log of this.openLogs()) log.resize(segmentSizeOf(config));
  }

  /** Makes the live file of a log a segment, for whoever wants to clean it. */
  seal(hash: string): boolean {
    return this.upkeep.seal(hash);
  }

  private *openLogs(): Iterable<LogWriter> {
    for (const watched of this.pipeline.watching.paths.values()) yield watched.log;
    yield* this.logs.unfinished();
  }

  private reloadBySignal(): void {
    try {
      this.reload();
      this.options.say("config and managed paths were read again");
    } catch (error) {
      this.notes.add(`nothing was changed by SIGHUP: ${causeOf(error)}`);
    }
  }

  private openControl(): void {
    const state = this.control.ensure();
    const problem = state.controllable ? null : state.reason;
    if (problem !== this.controlProblem && problem !== null) {
      this.notes.add(`recording, but can't be controlled: ${problem}`);
    }
    if (problem !== this.controlProblem) this.lifetime.tellControl(problem);
    this.controlProblem = problem;
  }

  private takeSignals(): void {
    let stopping = false;
    const stop = () => {
      // Once more: whoever presses it doesn't want to wait for whatever the first one is still busy with. That may be the
      // event loop itself, so the kernel is to end us: without a listener the signal's default is in force.
      if (stopping) this.options.endNow();
      stopping = true;
      process.removeListener("SIGINT", stop);
      this.ended(EXIT.fine);
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
    process.on("SIGHUP", () => void this.unwatched.started.then(() => this.reloadBySignal()));
  }

  private watchingText(): string {
    const { size } = this.pipeline.watching.paths;
    return `watching ${size} managed ${size === 1 ? "path" : "paths"}`;
  }

  /**
   * The pipeline reads what is queued before its paths change. A fault in that is not the caller's: a batch is lost, and whoever
   * asked for the change must not be the only one to hear of it.
   */
  private whole<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Failure)) this.fail(error);
      throw error;
    }
  }

  /** An internal fault: written down and ended, rather than half alive. */
  private fail(error: unknown): void {
    const where = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.options.say(`internal fault: ${where}`);
    if (this.faulty) return;
    this.faulty = true;
    const nowMs = Date.now();
    const fromMs = Math.min(nowMs, this.pipeline.completeUntilMs);
    for (const watched of this.pipeline.watching.paths.values()) {
      // One log may be what is broken; the others are to tell.
      attempt(() =>
        this.pipeline.gap(watched, { reason: "internal", fromMs, toMs: nowMs, lost: null }, nowMs),
      );
    }
    this.ended(EXIT.failed);
  }

  /** Returns the exit code: a fault may come to light even now. */
  private stop(code: ExitCode): ExitCode {
    this.service.stopping();
    this.upkeep.stop();
    this.control.close();
    if (!this.faulty) {
      try {
        this.pipeline.stop();
      } catch (error) {
        this.fail(error);
      }
    }
    const timeMs = this.faulty ? Date.now() : this.pipeline.now();
    const surely = this.faulty ? attempt : (work: () => void) => work();
    for (const { log } of this.pipeline.watching.paths.values()) surely(() => log.watch("stopped", timeMs));
    let recordedUntilMs = timeMs;
    for (const log of this.openLogs()) {
      surely(() => log.close());
      recordedUntilMs = Math.min(recordedUntilMs, log.incompleteSinceMs ?? timeMs);
    }
    this.lifetime.stop(recordedUntilMs, this.logs.owed(this.openLogs(), timeMs));
    return this.faulty ? EXIT.failed : code;
  }
}

/** For what is done after a fault: nothing may keep the rest from being done. */
function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // The fault itself was told already.
  }
}
