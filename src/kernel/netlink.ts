// A netlink socket on which the kernel tells something without being asked each time: whole datagrams into a buffer, and
// whether some were dropped. netlink(7).
import { closeSync } from "node:fs";
import { helper } from "./helper.ts";
import { checked } from "./syscall.ts";

export class NetlinkSocket {
  readonly fd: number;
  private readonly lostFlag = new Uint32Array(1);

  /**
   * @param receiveBytes of buffer; the kernel charges each message with what its memory costs, 832 bytes for the smallest
   * @param datagramBytes that no message exceeds
   */
  constructor(
    private readonly what: string,
    protocol: number,
    groups: number,
    receiveBytes: number,
    private readonly datagramBytes: number,
  ) {
    this.fd = checked(`socket(${what})`, helper().fh_netlink_open(protocol, groups, receiveBytes));
  }

  /** Sends a message to the kernel, which handles it before this returns. */
  send(message: Uint8Array): void {
    checked(`send(${this.what})`, helper().fh_send(this.fd, message, message.length));
  }

  /** Hot. Receives whole messages, each padded to 4 bytes, until none is left or the buffer is full; the bytes. */
  receive(buffer: Uint8Array): number {
    return checked(
      `recv(${this.what})`,
      helper().fh_netlink_receive(this.fd, buffer, buffer.length, this.datagramBytes, this.lostFlag),
    );
  }

  /** True once after messages were dropped. */
  takeLost(): boolean {
    const lost = this.lostFlag[0] !== 0;
    this.lostFlag[0] = 0;
    return lost;
  }

  close(): void {
    closeSync(this.fd);
  }
}
