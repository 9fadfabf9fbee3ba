// What the running daemon tells of itself: counters and states gathered from where they are kept. Asked for by clients, and once a second
// for the rates; nothing here is done per event.
import type { Config } from "../config/config.ts";
import type { DaemonStatus, MemoryStatus } from "../control/protocol.ts";
import type { PathStatus } from "../event.ts";
import { memoryLimitBytes, memoryUse } from "../kernel/memory.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import { Rates } from "./rates.ts";

export class StatusReporter {
  private readonly rates = new Rates();

  constructor(
    private readonly pipeline: Pipeline,
    private readonly version: string,
    private readonly startedMs: number,
  ) {}

  /** Once a second. */
  sample(): void {
    this.rates.sample(this.pipeline, performance.now());
  }

  /** @param unwatched paths of the store that the pipeline doesn't have */
  report(config: Config, notes: readonly string[], unwatched: readonly PathStatus[]): DaemonStatus {
    const { pipeline } = this;
    const extents = pipeline.watching.extents();
    return {
      pid: process.pid,
      version: this.version,
      startedMs: this.startedMs,
      nowMs: Date.now(),
      logDir: config.logDir,
      managedFile: config.managedFile,
      socketPath: config.socketPath,
      paths: [
        ...[...pipeline.watching.paths.values()].map((watched) => {
          const { directories, scanning } = extents.get(watched) ?? { directories: 0, scanning: false };
          return watched.status(directories, scanning);
        }),
        ...unwatched,
      ],
      identification: pipeline.processes.streams.way,
      notes,
      queueDepth: pipeline.queues.pendingEvents(),
      queueDepthMax: pipeline.queueDepthMax,
      queueLimit: pipeline.queues.shared.queueLimit,
      eventsRead: pipeline.eventsRead,
      eventsLogged: pipeline.eventsLogged,
      eventsFiltered: pipeline.eventsFiltered,
      eventsAsked: pipeline.attribution.asked,
      eventsUnattributed: pipeline.attribution.unattributed,
      recent: this.rates.recent(pipeline, performance.now()),
      memory: memoryStatus(),
      gaps: pipeline.gaps,
      gapsLastMs: pipeline.gapsLastMs,
    };
  }
}

function memoryStatus(): MemoryStatus {
  const use = memoryUse() ?? { residentBytes: 0, residentMaxBytes: 0, anonymousBytes: 0 };
  return { ...use, limitBytes: memoryLimitBytes() };
}
