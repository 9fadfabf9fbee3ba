// The clock of the kernel's process records; the runtime's own monotonic clocks count from the start of the
// process.
import { helper } from "./helper.ts";

/** CLOCK_MONOTONIC in nanoseconds. */
export function monotonicNs(): number {
  return helper().fh_monotonic();
}
