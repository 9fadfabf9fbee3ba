// How wide a terminal is. Asked anew for each screenful (3 µs), so that nobody has to be told when it is resized; and by a
// system call, because asking the runtime would make the terminal non-blocking for everybody who shares it.
import { helper } from "./helper.ts";

/** Null when fd is no terminal, or one that doesn't know. */
export function terminalColumns(fd: number): number | null {
  const columns = helper().fh_columns(fd);
  return columns > 0 ? columns : null;
}
