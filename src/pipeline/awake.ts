// How long before a change of the mounts was noticed it can have happened. Times go in, a time comes out; no I/O.

/** From a change to the turn that it causes, on a machine that is busy. */
const WAKING_MS = 100;
/** beat() comes once a second: without it for so long, the process was stopped, or the machine. */
const STANDSTILL_MS = 1500;

export class Awake {
  private aliveMs: number;
  private wokeMs: number;
  private lookedMs: number;

  constructor(nowMs: number) {
    this.aliveMs = nowMs;
    this.wokeMs = nowMs;
    this.lookedMs = nowMs;
  }

  /** The event loop runs. */
  beat(nowMs: number): void {
    this.aliveMs = nowMs;
  }

  /** Something woke it from its sleep. */
  woke(nowMs: number): void {
    this.wokeMs = nowMs - this.aliveMs > STANDSTILL_MS ? this.aliveMs : nowMs - WAKING_MS;
  }

  /** The mounts are looked at now. Returns since when they can have changed. */
  look(nowMs: number): number {
    const sinceMs = Math.max(this.lookedMs, this.wokeMs);
    this.lookedMs = nowMs;
    return sinceMs;
  }
}
