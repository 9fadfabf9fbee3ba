// How far a long query has come: one line on a terminal's stderr, written over in place, and gone before anything else is
// written. Nothing at all where stderr is no terminal.
import { writeSync } from "node:fs";
import { isTerminal } from "../show/is-terminal.ts";
import { formatSize } from "../show/size.ts";

const STDERR = 2;
/** To the line's beginning, and everything behind it cleared (ECMA-48 EL). */
const CLEAR = "\r\x1b[K";

export class ProgressLine {
  private readonly wanted = isTerminal(STDERR) && process.env.TERM !== "dumb";
  private shown = false;

  /** @param totalBytes null when it isn't known */
  show(readBytes: number, totalBytes: number | null): void {
    if (!this.wanted) return;
    const share = totalBytes === null ? "" : `, ${Math.floor((100 * readBytes) / totalBytes)} %`;
    this.write(`${CLEAR}fsmon: ${formatSize(readBytes)} read${share}`);
    this.shown = true;
  }

  /** Before other words on stderr, before lines on a terminal, and at the end. */
  clear(): void {
    if (!this.shown) return;
    this.shown = false;
    this.write(CLEAR);
  }

  private write(text: string): void {
    try {
      writeSync(STDERR, text);
    } catch {
      // A terminal that is full or gone: the query goes on.
    }
  }
}
