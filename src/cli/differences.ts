// The running daemon decides which store and which log directory are used; sudo drops XDG_*, so they may be others than this
// person's config and environment name. Whoever shows or changes something there says so.

import type { Context } from "./context.ts";
import { remark } from "./report.ts";

/** Says on stderr where the daemon's places aren't those of the config. */
export function tellDifferences(
  inUse: { readonly managedFile: string; readonly logDir: string },
  { config }: Context,
): void {
  if (inUse.managedFile !== config.managedFile) {
    remark(`The running daemon uses another store than your config names: "${inUse.managedFile}"`);
  }
  if (inUse.logDir !== config.logDir) {
    remark(`The running daemon logs to another directory than your config names: "${inUse.logDir}"`);
  }
}
