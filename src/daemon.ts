// The daemon as the command line starts it: the only door from cli/ to everything that watches.

import { startAnew } from "./daemon/anew.ts";
import { Daemon } from "./daemon/daemon.ts";
import type { DaemonOptions } from "./daemon/options.ts";
import type { ExitCode } from "./failure.ts";

export type { DaemonOptions };

/**
 * The first thing that the daemon does, before any file of the owner is looked at: executes itself anew with the
 * capabilities and the environment that it needs, unless that is so already.
 *
 * @returns what a person should know; null when all is well
 */
export function shedRights(): string | null {
  return startAnew();
}

/**
 * Watches until SIGINT or SIGTERM; everything the kernel had queued is written by then.
 *
 * @throws {Failure} when it can't start: no root, an old kernel, another daemon, an unusable store
 */
export async function runDaemon(options: DaemonOptions): Promise<ExitCode> {
  return new Daemon(options).run();
}
