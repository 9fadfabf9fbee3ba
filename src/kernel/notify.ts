// One datagram to a Unix socket, for telling the service manager how we are (sd_notify(3)): the runtime has no such
// sockets. Never waits: a manager that doesn't read must not stop the recording.
import { helper } from "./helper.ts";

/**
 * @param address path of the socket, or "@name" for an abstract one
 * @returns whether the kernel took it
 */
export function sendDatagram(address: string, message: string): boolean {
  const to = Buffer.from(address);
  const bytes = Buffer.from(message);
  if (to.length === 0 || bytes.length === 0 || to.includes(0)) return false;
  return helper().fh_datagram(to, to.length, bytes, bytes.length) === 0;
}
