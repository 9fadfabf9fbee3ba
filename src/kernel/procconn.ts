// The proc connector: a netlink socket on which the kernel tells forks, execs, changes of user and exits.
// Bytes go out; decode/proc.ts reads them. linux/cn_proc.h.
import { closeSync } from "node:fs";
import { PROC_CN_MCAST_IGNORE, PROC_CN_MCAST_LISTEN } from "./abi.ts";
import { helper } from "./helper.ts";
import { checked } from "./syscall.ts";

/**
 * The kernel charges 832 bytes a message (doubled by setsockopt): 16 MiB hold about 40,000 messages between
 * two drains.
 */
const RECEIVE_BYTES = 16 << 20;

export class ProcConnector {
  readonly fd: number;
  private readonly lostFlag = new Uint32Array(1);

  private constructor(fd: number) {
    this.fd = fd;
  }

  /**
   * Subscribes.
   *
   * @param eventMask PROC_EVENT_* bits wanted. Kernels before 6.6 don't know the filter, ignore the longer
   *   message and send everything, so the plain subscription goes first.
   * @throws {SyscallError} EPERM without CAP_NET_ADMIN before 6.6, EPROTONOSUPPORT without CONFIG_CONNECTOR
   */
  static open(eventMask: number): ProcConnector {
    const connector = new ProcConnector(
      checked("socket(NETLINK_CONNECTOR)", helper().fh_proc_open(RECEIVE_BYTES)),
    );
    try {
      checked(
        "subscribe to process events",
        helper().fh_proc_listen(connector.fd, PROC_CN_MCAST_LISTEN, 0, 0),
      );
      helper().fh_proc_listen(connector.fd, PROC_CN_MCAST_LISTEN, eventMask, 1);
    } catch (error) {
      closeSync(connector.fd);
      throw error;
    }
    return connector;
  }

  /**
   * Hot. Receives whole messages into buffer until none is left or it is full.
   *
   * @returns the bytes; `lost` tells whether the kernel dropped messages since the last call
   */
  receive(buffer: Uint8Array): number {
    return checked(
      "recv(NETLINK_CONNECTOR)",
      helper().fh_proc_receive(this.fd, buffer, buffer.length, this.lostFlag),
    );
  }

  /** True once after messages were dropped. */
  takeLost(): boolean {
    const lost = this.lostFlag[0] !== 0;
    this.lostFlag[0] = 0;
    return lost;
  }

  /** Unsubscribes first: closing alone leaks the kernel's listener count for good. */
  close(): void {
    helper().fh_proc_listen(this.fd, PROC_CN_MCAST_IGNORE, 0, 0);
    closeSync(this.fd);
  }
}
