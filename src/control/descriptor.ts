// Bun sockets and their file descriptors: there at run time, missing in the runtime's types (bun 1.4).

import type { FdSocketOptions, SocketListener, SocketOptions, UnixSocketOptions } from "bun";

/** @throws {Error} when the runtime stops offering it; nobody must be let in unchecked then */
export function socketDescriptor(socket: object): number {
  const fd: unknown = Reflect.get(socket, "fd");
  if (typeof fd !== "number" || fd < 0)
    throw new Error("The runtime does not tell the descriptor of a socket");
  return fd;
}

/**
 * Takes connections on a descriptor that listens already, and closes it at stop(). (Of a path that it bound itself the runtime
 * unlinks at stop() whatever lies there by then.)
 */
export function listenOn<Data>(options: FdSocketOptions<Data>): SocketListener<Data> {
  const untyped: SocketOptions<Data> = options;
  return Bun.listen(untyped as UnixSocketOptions<Data>);
}
