// poll(2) on one descriptor. Waiting is for the command line: the daemon only ever asks.
import { helper } from "./helper.ts";
import { checked, errnoOf } from "./syscall.ts";

const POLLIN = 1;
const POLLPRI = 2;
const POLLOUT = 4;

function wait(fd: number, events: number, timeoutMs: number): boolean {
  const result = helper().fh_poll(fd, events, timeoutMs);
  if (-result === errnoOf("EINTR")) return false;
  return checked("poll", result) !== 0;
}

/**
 * True when fd can be written (or would fail at once: closed pipe); false when timeoutMs passed first. -1
 * waits for ever.
 */
export function waitWritable(fd: number, timeoutMs: number): boolean {
  return wait(fd, POLLOUT, timeoutMs);
}

/** True when fd can be read or has ended; false when timeoutMs passed first. -1 waits for ever. */
export function waitReadable(fd: number, timeoutMs: number): boolean {
  return wait(fd, POLLIN, timeoutMs);
}

/** Whether nobody is at the other end any more: a pipe without a reader, a terminal that hung up. Asks without waiting. */
export function isAbandoned(fd: number): boolean {
  // POLLERR and POLLHUP are told though nothing is asked for.
  return wait(fd, 0, 0);
}

/** Whether something exceptional is there now (mountinfo: the mounts have changed); asks without waiting. */
export function pollsPriority(fd: number): boolean {
  return wait(fd, POLLPRI, 0);
}
