// The only place that writes to stdout, and to stderr but for a query's progress (progress-line.ts). stdout is data, stderr is talk.
// Never touches process.stdout: that alone makes a pipe non-blocking for everybody who shares it, and what doesn't fit
// into the pipe at the end is lost.
import { fstatSync, readFileSync, writeSync } from "node:fs";
import { causeOf, errorCode, Failure } from "../failure.ts";
import { MoveTarget } from "../kernel/move.ts";
import { isAbandoned, waitWritable } from "../kernel/poll.ts";

const STDOUT = 1;
const STDERR = 2;
const PIPE_BUF = 4096;

/** The reader of stdout has gone (`| head -1`): there is nothing left to do, and that is success. */
export class StdoutClosed extends Error {
  constructor() {
    super("stdout is closed");
    this.name = "StdoutClosed";
  }
}

/**
 * Writes all of it, at the reader's pace.
 *
 * @throws {StdoutClosed} when nobody reads any more
 * @throws {Failure} when stdout's disk is full, or the like
 */
export function writeOut(data: string | Uint8Array): void {
  const bytes = typeof data === "string" ? Buffer.from(data, "utf8") : data;
  try {
    writeWhole(STDOUT, bytes);
  } catch (error) {
    throw unwritten(error);
  }
}

/** What the errors of stdout mean to a person. */
function unwritten(error: unknown): unknown {
  if (errorCode(error) === "EPIPE") return new StdoutClosed();
  if (!/^E[A-Z0-9]+$/.test(errorCode(error))) return error;
  return new Failure(
    `Cannot write to stdout: ${causeOf(error)}`,
    "look at where the output is redirected to",
  );
}

let target: MoveTarget | undefined;

/**
 * Moves bytes of a file that never changes to stdout, where the kernel can do that by itself.
 *
 * @returns how many; writeOut() is for the rest
 * @throws {StdoutClosed} when nobody reads any more
 * @throws {Failure} when stdout's disk is full, or the like
 */
export function moveOut(fd: number, at: number, sizeBytes: number): number {
  target ??= new MoveTarget(STDOUT);
  try {
    return target.move(fd, at, sizeBytes);
  } catch (error) {
    throw unwritten(error);
  }
}

/** So long a signal may have to wait while a reader stands still. */
const PATIENCE_MS = 50;

/**
 * Writes all of it at the reader's pace, and lets signals and timers have their turn while it waits.
 *
 * @param givenUp asked while nothing can be written: true ends the waiting
 * @returns false when nobody reads any more
 */
export async function writeOutPatiently(data: string, givenUp: () => boolean): Promise<boolean> {
  const bytes = Buffer.from(data, "utf8");
  for (let at = 0; at < bytes.length; ) {
    if (!waitWritable(STDOUT, PATIENCE_MS)) {
      // Signals are heard only now.
      await Bun.sleep(0);
      if (givenUp()) return true;
      continue;
    }
    try {
      // poll(2) promises room for so much; more could block.
      at += writeSync(STDOUT, bytes, at, Math.min(PIPE_BUF, bytes.length - at));
    } catch (error) {
      if (errorCode(error) === "EPIPE" || errorCode(error) === "EIO") return false;
      if (errorCode(error) !== "EAGAIN") throw unwritten(error);
    }
  }
  return true;
}

/** makedev(1, 3): devices.txt of the kernel. */
const NULL_DEVICE = 0x103;
/** Linux's value; node:fs has no name for it. */
const O_CLOEXEC = 0o2000000;

/**
 * Whether stdout was closed (`>&-`) when the program was started. The runtime opens /dev/null in its place; unlike one that somebody
 * has handed over, that is closed on exec.
 */
export function stdoutIsMissing(): boolean {
  if (fstatSync(STDOUT).rdev !== NULL_DEVICE) return false;
  const [, flags = "0"] =
    /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${STDOUT}`, "latin1")) ?? [];
  return (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0;
}

/** Whether nobody reads stdout any more, asked without writing. */
export function stdoutIsAbandoned(): boolean {
  return isAbandoned(STDOUT);
}

/** A line of talk. A stderr that nobody reads is no reason to fail. */
export function say(line: string): void {
  try {
    writeWhole(STDERR, Buffer.from(`${line}\n`, "utf8"));
  } catch {
    // There is nowhere left to say it.
  }
}

/** For the daemon: a line that is dropped when stderr has no room, because a stalled reader must not stop the recording. */
export function sayWithoutWaiting(line: string): void {
  // poll(2) promises room for PIPE_BUF bytes (linux/limits.h); a longer line could block half-way.
  const bytes = Buffer.from(`${line}\n`, "utf8");
  try {
    if (waitWritable(STDERR, 0))
      writeSync(STDERR, bytes.length <= PIPE_BUF ? bytes : bytes.subarray(0, PIPE_BUF));
  } catch {
    // There is nowhere left to say it.
  }
}

function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      // Another program that shares the pipe may have made it non-blocking.
      if (errorCode(error) !== "EAGAIN") throw error;
      waitWritable(fd, -1);
    }
  }
}
