// The file descriptor behind a Bun socket: there at run time, missing in the runtime's types (bun 1.4).

/** @throws {Error} when the runtime stops offering it; nobody must be let in unchecked then */
export function socketDescriptor(socket: object): number {
  const fd: unknown = Reflect.get(socket, "fd");
  if (typeof fd !== "number" || fd < 0)
    throw new Error("The runtime does not tell the descriptor of a socket");
  return fd;
}
