// Unix sockets where the runtime's own don't do (unix(7)): who is at the other end, listening at a path without taking away
// at the end whatever lies there by then, and telling a dead socket from a busy one.
import { helper } from "./helper.ts";
import { checked, errnoOf } from "./syscall.ts";

export interface PeerCredentials {
  pid: number;
  uid: number;
  gid: number;
}

/** @throws {SyscallError} for a descriptor that isn't a connected Unix socket */
export function peerCredentials(fd: number): PeerCredentials {
  const out = new Uint32Array(3);
  checked("getsockopt(SO_PEERCRED)", helper().fh_peer(fd, out, out.length));
  return { pid: out[0]!, uid: out[1]!, gid: out[2]! };
}

/**
 * Listens at a path; the file belongs to the thread's fsuid and is closed to everyone else.
 *
 * @returns the descriptor, which is the caller's; closing it leaves the file
 * @throws {SyscallError} EADDRINUSE when anything lies there
 */
export function listenAt(path: string): number {
  const bytes = Buffer.from(path);
  return checked("listen", helper().fh_unix_listen(bytes, bytes.length), path);
}

/**
 * True when a program listens at the path, even one that is too busy to take the connection. Not the runtime's connect():
 * that reports EAGAIN (a live socket with a full backlog) as ECONNREFUSED (a dead one, or no socket at all).
 */
export function isListening(path: string): boolean {
  const bytes = Buffer.from(path);
  const result = helper().fh_unix_try(bytes, bytes.length);
  return result !== -errnoOf("ENOENT") && result !== -errnoOf("ECONNREFUSED");
}
