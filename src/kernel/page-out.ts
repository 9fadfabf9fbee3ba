// Gives the memory of our own program text back. Two thirds of an idle daemon's resident memory are pages of its binary that were
// needed for starting only; the kernel would keep them for as long as nobody else wants the room.
import { readFileSync, readlinkSync } from "node:fs";
import { helper } from "./helper.ts";

/** start-end perms offset dev inode path (proc_pid_maps(5)) */
const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) (r[w-][x-])p \S+ \S+ \d+ +(.*)$/gm;

/**
 * Gives back the pages of the binary; what is still in use is read again at its next touch. Its data are among them (the bytecode
 * lies there, 2 MB of which only the start needs): what was changed in memory stays there, or goes to swap.
 *
 * Never by MADV_DONTNEED, which crashed the runtime: it throws such changes away.
 *
 * @returns how many mappings were given back; 0 where the kernel doesn't take the advice
 */
export function pageOutProgram(): number {
  const program = readlinkSync("/proc/self/exe");
  let count = 0;
  for (const [, from, to, , path] of readFileSync("/proc/self/maps", "latin1").matchAll(MAPPING)) {
    if (path !== program) continue;
    const address = Number.parseInt(from!, 16);
    if (helper().fh_page_out(address, Number.parseInt(to!, 16) - address) === 0) count++;
  }
  return count;
}
