// The kernel's announcements of devices: here of CPUs that went. netlink, NETLINK_KOBJECT_UEVENT.
import { NETLINK_KOBJECT_UEVENT, UEVENT_GROUP_KERNEL } from "./abi.ts";
import { NetlinkSocket } from "./netlink.ts";

/** Announcements come in bursts of a few; who misses some sees within a second which CPUs are online. */
const RECEIVE_BYTES = 1 << 18;
/** UEVENT_BUFFER_SIZE, and the device's path before it. */
const DATAGRAM_BYTES = 8192;

const OFFLINE = /offline@\/devices\/system\/cpu\/cpu(\d+)\0/g;

export class DeviceEvents {
  private readonly socket: NetlinkSocket;
  private readonly buffer = Buffer.alloc(8 * DATAGRAM_BYTES);

  /** @throws {SyscallError} where they can't be had */
  constructor() {
    this.socket = new NetlinkSocket(
      "NETLINK_KOBJECT_UEVENT",
      NETLINK_KOBJECT_UEVENT,
      UEVENT_GROUP_KERNEL,
      RECEIVE_BYTES,
      DATAGRAM_BYTES,
    );
  }

  get fd(): number {
    return this.socket.fd;
  }

  /**
   * Reads what there is.
   *
   * @param gone gets the numbers of CPUs that went offline, also of those that are back already
   */
  takeCpusGone(gone: Set<number>): void {
    for (;;) {
      const bytes = this.socket.receive(this.buffer);
      if (bytes === 0) return;
      const text = this.buffer.toString("latin1", 0, bytes);
      for (const [, cpu] of text.matchAll(OFFLINE)) gone.add(Number(cpu));
    }
  }

  close(): void {
    this.socket.close();
  }
}
