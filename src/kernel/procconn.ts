// The proc connector: a netlink socket on which the kernel tells forks, execs, changes of user and exits.
// Bytes go out; decode/proc.ts reads them. linux/cn_proc.h.
import {
  CN_IDX_PROC,
  CN_MSG_BYTES,
  NETLINK_CONNECTOR,
  NLMSG_HEADER_BYTES,
  PROC_CN_MCAST_IGNORE,
  PROC_CN_MCAST_LISTEN,
  PROC_EVENT_NONE,
} from "./abi.ts";
import { helper } from "./helper.ts";
import { NetlinkSocket } from "./netlink.ts";
import { checked } from "./syscall.ts";

/**
 * The kernel charges 832 bytes a message (doubled by setsockopt): 16 MiB hold about 40,000 messages between
 * two drains.
 */
const RECEIVE_BYTES = 16 << 20;
/** No process event is longer than 76 bytes, and a datagram must not be cut. */
const DATAGRAM_BYTES = 256;
/** Room for all that can be queued between the subscription and its answer. */
const ANSWER_BYTES = 1 << 16;

export class ProcConnector {
  private constructor(private readonly socket: NetlinkSocket) {}

  get fd(): number {
    return this.socket.fd;
  }

  /**
   * Subscribes.
   *
   * @param eventMask PROC_EVENT_* bits wanted. Kernels before 6.6 don't know the filter, ignore the longer
   *   message and send everything, so the plain subscription goes first.
   * @throws {SyscallError} EPERM without CAP_NET_ADMIN before 6.6, EPROTONOSUPPORT without CONFIG_CONNECTOR,
   *   ECONNREFUSED in a network namespace of one's own
   * @throws {Error} where nobody answers: in a pid or user namespace of one's own, or without CONFIG_PROC_EVENTS
   */
  static open(eventMask: number): ProcConnector {
    const socket = new NetlinkSocket(
      "NETLINK_CONNECTOR",
      NETLINK_CONNECTOR,
      CN_IDX_PROC,
      RECEIVE_BYTES,
      DATAGRAM_BYTES,
    );
    try {
      const listen = (filtered: number) =>
        checked(
          "subscribe to process events",
          helper().fh_proc_listen(socket.fd, PROC_CN_MCAST_LISTEN, filtered === 0 ? 0 : eventMask, filtered),
        );
      listen(0);
      // Before the filter is set, which would drop the answer as well.
      if (!answered(socket))
        throw new Error("the kernel doesn't tell this pid or user namespace of processes");
      listen(1);
    } catch (error) {
      socket.close();
      throw error;
    }
    return new ProcConnector(socket);
  }

  /** Hot. Receives whole messages into buffer until none is left or it is full; the bytes. */
  receive(buffer: Uint8Array): number {
    return this.socket.receive(buffer);
  }

  /** True once after messages were dropped. */
  takeLost(): boolean {
    return this.socket.takeLost();
  }

  /** Unsubscribes first: closing alone leaks the kernel's listener count for good. */
  close(): void {
    helper().fh_proc_listen(this.fd, PROC_CN_MCAST_IGNORE, 0, 0);
    this.socket.close();
  }
}

/** The kernel confirms a subscription while it is being sent, or, from within a namespace, not at all. */
function answered(socket: NetlinkSocket): boolean {
  const buffer = Buffer.alloc(ANSWER_BYTES);
  for (let bytes = socket.receive(buffer); bytes > 0; bytes = socket.receive(buffer)) {
    for (let at = 0; at < bytes; at += (buffer.readUInt32LE(at) + 3) & ~3)
      if (buffer.readUInt32LE(at + NLMSG_HEADER_BYTES + CN_MSG_BYTES) === PROC_EVENT_NONE) return true;
  }
  return false;
}
