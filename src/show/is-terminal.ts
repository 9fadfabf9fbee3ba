// Whether a descriptor is a terminal. Without node:tty, whose import loads the streams and sockets of Node: 2 ms of each command's
// start and 1.4 MB of the daemon's memory. Never touches process.stdout (that makes a pipe non-blocking).

/** What node:tty asks itself; the types of Node leave it out. */
interface TerminalBinding {
  isTTY(fd: number): boolean;
}

export function isTerminal(fd: number): boolean {
  const { binding } = process as unknown as { binding(name: "tty_wrap"): TerminalBinding };
  return binding("tty_wrap").isTTY(fd);
}
