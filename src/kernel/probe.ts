// Asks filesystems behind which a server stands, which may hang and hold up whoever asks: by a process of its own for each,
// and for a limited time (c/fanhelp.c). As long as a question has no answer, no other is put.
import { cPath, helper } from "./helper.ts";

/** PROBES_MAX in c/fanhelp.c; further filesystems share. */
const PROBES_MAX = 16;
/**
 * The event loop stands still meanwhile, once: a server in the same building takes a millisecond, one at the other end of the world
 * 300.
 */
const WAIT_MS = 400;
/** For a batch's sizes. What there is no time for has no size. */
const SIZES_WAIT_MS = 100;

let made = 0;

export class Probe {
  private readonly index = made++ % PROBES_MAX;
  private readonly answer = new Float64Array(1);

  /** Whether the server answers now. */
  answers(path: string): boolean {
    const bytes = cPath(path);
    const rc = helper().fh_probe_sizes(this.index, 1, bytes, bytes.length, 1, this.answer, WAIT_MS);
    return rc === 1 && this.answer[0] !== -ETIMEDOUT;
  }

  /** Sizes as fh_sizes() gives them; negative for what wasn't answered in time. */
  sizes(paths: Uint8Array, pathsBytes: number, count: number, out: Float64Array): void {
    const rc = helper().fh_probe_sizes(this.index, 0, paths, pathsBytes, count, out, SIZES_WAIT_MS);
    if (rc < 0) out.fill(rc, 0, count);
  }
}

/** asm-generic/errno.h. */
const ETIMEDOUT = 110;
