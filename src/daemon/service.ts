// What the service manager is told of the daemon's life (sd_notify(3), systemd.service(5) Type=notify or notify-reload): nothing
// at all where no manager asked for it. Never throws, never waits.
import type { Environment } from "../config/owner.ts";
import { monotonicNs } from "../kernel/monotonic.ts";
import { sendDatagram } from "../kernel/notify.ts";

/** An interval below this would be a busy loop; systemd's own advice is half the time it waits. */
const WATCHDOG_MIN_MS = 10;

export class Service {
  private readonly address: string | null;
  private readonly watchdogMs: number | null;
  private watchdog: ReturnType<typeof setInterval> | null = null;

  /** @param pid WATCHDOG_USEC counts for the process that WATCHDOG_PID names, where it names one */
  constructor(env: Environment, pid: number = process.pid) {
    const address = env.NOTIFY_SOCKET ?? "";
    this.address = /^[/@]/.test(address) ? address : null;
    const usec = Number(env.WATCHDOG_USEC ?? Number.NaN);
    const ours = env.WATCHDOG_PID === undefined || env.WATCHDOG_PID === String(pid);
    this.watchdogMs = ours && usec > 0 ? Math.max(WATCHDOG_MIN_MS, usec / 2000) : null;
  }

  /** Recording has begun, or goes on after reloading(). */
  ready(status: string): void {
    this.send(`READY=1\nSTATUS=${status.replaceAll("\n", " ")}`);
    if (this.watchdog !== null || this.watchdogMs === null || this.address === null) return;
    // From the event loop, so that it stops when the event loop does.
    this.watchdog = setInterval(() => this.send("WATCHDOG=1"), this.watchdogMs);
  }

  reloading(): void {
    this.send(`RELOADING=1\nMONOTONIC_USEC=${Math.floor(monotonicNs() / 1000)}`);
  }

  stopping(): void {
    if (this.watchdog !== null) clearInterval(this.watchdog);
    this.watchdog = null;
    this.send("STOPPING=1");
  }

  private send(message: string): void {
    if (this.address !== null) sendDatagram(this.address, message);
  }
}
