// The daemon as the command line starts it: the only door from cli/ to everything that watches.

import { Daemon } from "./daemon/daemon.ts";
import type { DaemonOptions } from "./daemon/options.ts";
import type { ExitCode } from "./failure.ts";

export type { DaemonOptions };

/**
 * Watches until SIGINT or SIGTERM; everything the kernel had queued is written by then.
 *
 * @throws {Failure} when it can't start: no root, an old kernel, another daemon, an unusable store
 */
export async function runDaemon(options: DaemonOptions): Promise<ExitCode> {
  return new Daemon(options).run();
}
