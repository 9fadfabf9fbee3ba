// The kernel's announcements of devices: here whether a CPU came or went. netlink, NETLINK_KOBJECT_UEVENT.
import { NETLINK_KOBJECT_UEVENT, UEVENT_GROUP_KERNEL } from "./abi.ts";
import { NetlinkSocket } from "./netlink.ts";

/** Announcements come in bursts of a few; who misses some looks again within a second anyway. */
const RECEIVE_BYTES = 1 << 18;
/** UEVENT_BUFFER_SIZE, and the device's path before it. */
const DATAGRAM_BYTES = 8192;

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

  /** Reads what there is; true when it tells of a CPU, or when something was dropped. */
  takeCpuChange(): boolean {
    let changed = false;
    for (;;) {
      const bytes = this.socket.receive(this.buffer);
      if (bytes === 0) return this.socket.takeLost() || changed;
      changed ||= this.buffer.subarray(0, bytes).includes("/devices/system/cpu/cpu");
    }
  }

  close(): void {
    this.socket.close();
  }
}
