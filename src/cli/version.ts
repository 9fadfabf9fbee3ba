// fsmon's own version and commit, which the build writes into the binary.

declare const FSMON_VERSION: string;
declare const FSMON_COMMIT: string;

/** "0.1.0", or "dev" when run from source. */
export const VERSION = typeof FSMON_VERSION === "string" ? FSMON_VERSION : "dev";

/** Abbreviated commit id. */
export const COMMIT = typeof FSMON_COMMIT === "string" ? FSMON_COMMIT : "not built";
