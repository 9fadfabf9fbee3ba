// What the command line hands to the daemon: everything settled, nothing to look up.
import type { Config, ConfigFlags } from "../config/config.ts";
import type { Owner } from "../config/owner.ts";
import type { Places } from "../config/places.ts";

export interface DaemonOptions {
  readonly owner: Owner;
  readonly places: Places;
  /** Flags that beat the config, for when it is read again. */
  readonly flags: ConfigFlags;
  readonly config: Config;
  readonly version: string;
  readonly commit: string;
  /** --identify: ways to identify processes that may be used, as typed; null for all. */
  readonly identify: string | null;
  /** Prints each raw event before anything is done with it. */
  readonly debug: boolean;
  /** A line for the person who started it. */
  readonly say: (message: string) => void;
  /** Ends the process at once, for a second SIGINT. */
  readonly endNow: () => void;
}
