// The running daemon decides which store and which log directory are used; sudo drops XDG_*, so they may be others than this
// person's config and environment name. Whoever shows or changes something there says so.
import type { Context } from "./context.ts";
import { remark } from "./report.ts";

export interface PlacesInUse {
  readonly managedFile: string;
  readonly logDir: string;
}

/** Says on stderr where the daemon's places aren't those of the config. */
export function tellDifferences({ managedFile, logDir }: PlacesInUse, { config }: Context): void {
  const tell = (does: string, what: string) =>
    remark(`The running daemon ${does} than your config names, so that one is used: "${what}"`);
  if (managedFile !== config.managedFile) tell("uses another store", managedFile);
  if (logDir !== config.logDir) tell("logs to another directory", logDir);
}
