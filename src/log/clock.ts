// The one clock of the log lines. Wall time goes in, times that never go back come out, and a jump is reported once.
// A wall clock may be set back or ahead at any time; the monotonic clock tells such a step from time that really passed.
import { readFileSync } from "node:fs";

export interface ClockJump {
  /** Where the wall clock would have been without the step. */
  fromMs: number;
  /** Where it is now. */
  toMs: number;
}

export interface ClockReading {
  timeMs: number;
  jump: ClockJump | null;
}

/** Where the clock looks; tests pass their own. */
export interface ClockSources {
  wallMs: () => number;
  /** Monotonic; may stand still while the machine sleeps. */
  steadyMs: () => number;
  /** Monotonic, and goes on while the machine sleeps; coarse is fine. NaN when unknown. */
  uptimeMs: () => number;
}

/** NTP steps by up to 128 ms without asking and chrony by about a second: such a step back is waited out, not reported. */
const BACK_TOLERANCE_MS = 1000;
/** Further ahead than this (10 s) is a hole in the log that needs an explanation. */
const AHEAD_TOLERANCE_MS = 10_000;
/** A clock that is being slewed runs up to 0.05 % (500 ppm) off, chrony up to 10 %. */
const SLEW_SHARE = 0.1;

const systemSources: ClockSources = {
  wallMs: Date.now,
  steadyMs: () => performance.now(),
  uptimeMs: () => {
    try {
      return Number.parseFloat(readFileSync("/proc/uptime", "latin1")) * 1000;
    } catch {
      return Number.NaN;
    }
  },
};

export class LogClock {
  private readonly sources: ClockSources;
  private wallMs: number;
  private steadyMs: number;
  private uptimeMs: number;
  private uptimeReadAtMs: number;
  private lastMs: number;

  constructor(sources: ClockSources = systemSources) {
    this.sources = sources;
    this.wallMs = sources.wallMs();
    this.steadyMs = sources.steadyMs();
    this.uptimeMs = sources.uptimeMs();
    this.uptimeReadAtMs = this.steadyMs;
    this.lastMs = this.wallMs;
  }

  /**
   * The time for the next lines. Never before an earlier reading, except together with a `jump`, of which every log must be
   * told. Hot: once a batch, a microsecond.
   */
  now(): ClockReading {
    const wallMs = this.sources.wallMs();
    const steadyMs = this.sources.steadyMs();
    const passedMs = steadyMs - this.steadyMs;
    const expectedMs = this.wallMs + passedMs;
    this.wallMs = wallMs;
    this.steadyMs = steadyMs;
    const offMs = wallMs - expectedMs;
    const slewMs = passedMs * SLEW_SHARE;

    if (offMs < -(BACK_TOLERANCE_MS + slewMs) || this.lastMs - wallMs > BACK_TOLERANCE_MS) {
      const fromMs = Math.max(Math.floor(expectedMs), this.lastMs);
      this.restart(wallMs, steadyMs);
      return { timeMs: wallMs, jump: { fromMs, toMs: wallMs } };
    }
    if (offMs > AHEAD_TOLERANCE_MS + slewMs && !this.slept(offMs, steadyMs)) {
      const fromMs = Math.max(Math.floor(expectedMs), this.lastMs);
      this.restart(wallMs, steadyMs);
      return { timeMs: wallMs, jump: { fromMs, toMs: wallMs } };
    }
    if (wallMs > this.lastMs) this.lastMs = wallMs;
    return { timeMs: this.lastMs, jump: null };
  }

  private restart(wallMs: number, steadyMs: number): void {
    this.lastMs = wallMs;
    this.uptimeMs = this.sources.uptimeMs();
    this.uptimeReadAtMs = steadyMs;
  }

  /** True when the machine was suspended for about `offMs`: then the wall clock is right and nothing could happen. */
  private slept(offMs: number, steadyMs: number): boolean {
    const uptimeMs = this.sources.uptimeMs();
    const sleptMs = uptimeMs - this.uptimeMs - (steadyMs - this.uptimeReadAtMs);
    this.uptimeMs = uptimeMs;
    this.uptimeReadAtMs = steadyMs;
    // NaN (no /proc/uptime) compares false: better one GAP too many than one too few.
    return Math.abs(sleptMs - offMs) <= AHEAD_TOLERANCE_MS;
  }
}
