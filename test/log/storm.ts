// A writer under load in a process of its own (storm-writer.ts), and how far it has come.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LogDir, until } from "./log-dir.ts";

const script = join(import.meta.dir, "storm-writer.ts");

export class Storm {
  readonly dir = new LogDir();
  #process: Bun.Subprocess | null = null;

  async start(segmentSizeBytes: number, batch: number, pauseMs: number, first = 0): Promise<void> {
    const args = [this.dir.path, segmentSizeBytes, batch, pauseMs, first].map(String);
    this.#process = Bun.spawn([process.execPath, script, ...args], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    await until(() => this.acknowledged > first);
  }

  /** All events before this number were written. */
  get acknowledged(): number {
    const path = join(this.dir.path, "acknowledged");
    return existsSync(path) ? Number(readFileSync(path, "utf8")) : 0;
  }

  /** Has the live file sealed, soon. */
  seal(): void {
    this.#process?.kill("SIGUSR1");
  }

  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.#process?.kill(signal);
    await this.#process?.exited;
  }

  async pass(events: number): Promise<void> {
    const to = this.acknowledged + events;
    await until(() => this.acknowledged >= to);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
    this.dir[Symbol.dispose]();
  }
}
