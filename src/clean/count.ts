// How many lines begin in the first bytes of a file: for `--dry-run`, which tells people what would go.
import { readRange } from "../log/tail.ts";

const BLOCK_BYTES = 1024 * 1024;

export function countLinesBefore(fd: number, endBytes: number): number {
  let lines = 0;
  let unfinished = false;
  for (let at = 0; at < endBytes; ) {
    const block = readRange(fd, at, Math.min(endBytes, at + BLOCK_BYTES));
    if (block.length === 0) break;
    for (let newline = block.indexOf(10); newline >= 0; newline = block.indexOf(10, newline + 1)) lines++;
    unfinished = block[block.length - 1] !== 10;
    at += block.length;
  }
  return unfinished ? lines + 1 : lines;
}
