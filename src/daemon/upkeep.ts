// What the daemon does once a second beside recording: its heartbeat, a look after the logs, and keeping them within
// keep_days, max_size, max_total and min_free, in steps that never hold events up.
import { join } from "node:path";
import { Retention } from "../clean/retention.ts";
import type { Config } from "../config/config.ts";
import { causeOf, errorCode, Failure, rootCause } from "../failure.ts";
import type { Identity } from "../kernel/identity.ts";
import type { Lifetime } from "../log/lifetime.ts";
import { liveName } from "../log/names.ts";
import { readPreviousLife } from "../log/previous.ts";
import { sealAs } from "../log/seal.ts";
import type { LogWriter } from "../log/writer.ts";

/** One wake-up a second is what an idle daemon may cost. */
const TICK_MS = 1000;
/** Events wait for a step of cleaning no longer than they wait for others. */
const STEP_MS = 1;
/** Between two steps of a cleaning that isn't done: events come first. */
const STEP_PAUSE_MS = 20;

export class Upkeep {
  private readonly logDir: string;
  private retention: Retention;
  private ticker: ReturnType<typeof setInterval> | null = null;
  private stepper: ReturnType<typeof setTimeout> | null = null;
  private held = false;
  /** A log has grown by a file since the last step. */
  private hasGrown = false;
  /** Settings that wait for a cleaning's end. */
  private waiting: Config | null = null;

  constructor(
    private readonly owner: Identity,
    config: Config,
    private readonly lifetime: Lifetime,
    private readonly logs: () => Iterable<LogWriter>,
    private readonly onTrouble: (message: string) => void,
    /** Called with each tick, for what else is due. */
    private readonly onTick: () => void,
  ) {
    this.logDir = config.logDir;
    this.retention = this.retentionFor(config);
  }

  /** Begins. The ticker also keeps the process alive, which the callback from the waiting thread does not. */
  start(): void {
    this.beat(Date.now());
    this.ticker = setInterval(() => this.tick(), TICK_MS);
  }

  stop(): void {
    if (this.ticker !== null) clearInterval(this.ticker);
    this.ticker = null;
    if (this.stepper !== null) clearTimeout(this.stepper);
  }

  /** A log has begun another file: in a storm its limits are broken long before the next tick. */
  lookSoon(): void {
    this.hasGrown = true;
    if (this.ticker !== null) this.stepper ??= setTimeout(() => this.step(), 0);
  }

  /** Other limits from now on; a cleaning that has begun ends by the old ones, since it holds the lock for cleaning. */
  configure(config: Config): void {
    if (this.stepper === null) this.retention = this.retentionFor(config);
    else this.waiting = config;
  }

  private retentionFor(config: Config): Retention {
    const { logDir, keepDays, maxSizeBytes, maxTotalBytes, minFreeBytes } = config;
    return new Retention({
      logDir,
      owner: this.owner,
      limits: { keepDays, maxSizeBytes, maxTotalBytes, minFreeBytes },
      sealLive: (hash) => this.sealIfPossible(hash),
      onTrouble: this.onTrouble,
      stepMs: STEP_MS,
    });
  }

  /** Makes the live file of a log a segment; false when there is nothing to seal. @throws {Failure} when it can't be renamed */
  seal(hash: string): boolean {
    try {
      for (const log of this.logs()) if (log.hash === hash) return log.seal();
      // Its path isn't managed any more, so nobody writes to it.
      sealAs(this.logDir, hash, this.owner, readPreviousLife(this.logDir, hash, this.owner, null).segment);
      return true;
    } catch (error) {
      const code = errorCode(rootCause(error));
      if (code === "ENOENT") return false;
      if (code === "") throw error;
      throw new Failure(`Cannot seal "${join(this.logDir, liveName(hash))}": ${causeOf(error)}`);
    }
  }

  /** Tried again with the next round. */
  private sealIfPossible(hash: string): boolean {
    try {
      return this.seal(hash);
    } catch (error) {
      if (error instanceof Failure) return false;
      throw error;
    }
  }

  private tick(): void {
    const nowMs = Date.now();
    for (const log of this.logs()) log.tick(nowMs);
    this.beat(nowMs);
    if (this.stepper === null) this.step();
    this.onTick();
  }

  private beat(nowMs: number): void {
    // What waits for a disk dies with the daemon: then the GAP has to begin before it.
    for (const log of this.logs()) if (!log.complete) return;
    this.lifetime.beat(nowMs);
  }

  private step(): void {
    this.stepper = null;
    this.hasGrown = false;
    const nowMs = Date.now();
    const { more, hold } = this.retention.step(nowMs);
    // Each time: a log may have been opened since.
    if (hold) for (const log of this.logs()) log.hold(nowMs);
    else if (this.held) for (const log of this.logs()) log.release(nowMs);
    this.held = hold;
    if (more || this.hasGrown) {
      this.stepper = setTimeout(() => this.step(), STEP_PAUSE_MS);
    }
    if (!more && this.waiting !== null) {
      this.retention = this.retentionFor(this.waiting);
      this.waiting = null;
    }
  }
}
