// The terminal that stdout may be: how wide rows can be, and whether a person is looking at all.
import { terminalColumns } from "../kernel/terminal.ts";
import { isTerminal } from "../show/is-terminal.ts";

const STDOUT = 1;
/** What a terminal that doesn't know its own width is taken for (serial consoles). */
const USUAL_COLUMNS = 80;

export function stdoutIsTerminal(): boolean {
  return isTerminal(STDOUT);
}

/** For rows on stdout; null where they go into a pipe or file, which are as wide as it takes. COLUMNS beats the terminal. */
export function stdoutColumns(): number | null {
  const told = Number(process.env.COLUMNS);
  if (Number.isInteger(told) && told > 0) return told;
  return stdoutIsTerminal() ? (terminalColumns(STDOUT) ?? USUAL_COLUMNS) : null;
}
