// taskstats: the kernel tells of every thread that ends what it was called and who ran it, just before. Bytes go out;
// decode/taskstats.ts reads them. Documentation/accounting/taskstats.rst.
import { readFileSync } from "node:fs";
import * as abi from "./abi.ts";
import { NetlinkSocket } from "./netlink.ts";

/** About 1,300 bytes are charged for a message (doubled by setsockopt): 16 MiB hold 25,000 ends between two drains. */
const RECEIVE_BYTES = 16 << 20;
/** A thread's figures and its group's, 420 bytes each, in messages of their own or one. */
const DATAGRAM_BYTES = 2048;

export class TaskStats {
  private constructor(private readonly socket: NetlinkSocket) {}

  get fd(): number {
    return this.socket.fd;
  }

  /** @throws {Error} without CAP_NET_ADMIN, in a pid or user namespace of one's own, and without CONFIG_TASKSTATS */
  static open(): TaskStats {
    const socket = new NetlinkSocket(
      "NETLINK_GENERIC",
      abi.NETLINK_GENERIC,
      0,
      RECEIVE_BYTES,
      DATAGRAM_BYTES,
    );
    try {
      const family = askFamily(socket);
      const cpus = readFileSync("/sys/devices/system/cpu/possible", "latin1").trim();
      const register = attribute(abi.TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, `${cpus}\0`);
      socket.send(request(family, abi.TASKSTATS_CMD_GET, register));
      const answer = receive(socket);
      // Silence is consent.
      if (answer !== null && answer.readUInt16LE(4) === abi.NLMSG_ERROR) throw refusal(answer);
    } catch (error) {
      socket.close();
      throw error;
    }
    return new TaskStats(socket);
  }

  /** Hot. Receives whole messages into buffer until none is left or it is full; the bytes. */
  receive(buffer: Uint8Array): number {
    return this.socket.receive(buffer);
  }

  /** True once after messages were dropped. */
  takeLost(): boolean {
    return this.socket.takeLost();
  }

  close(): void {
    this.socket.close();
  }
}

/** Generic netlink gives its families numbers as they come. */
function askFamily(socket: NetlinkSocket): number {
  const name = attribute(abi.CTRL_ATTR_FAMILY_NAME, `${abi.TASKSTATS_NAME}\0`);
  socket.send(request(abi.GENL_ID_CTRL, abi.CTRL_CMD_GETFAMILY, name));
  const answer = receive(socket);
  if (answer === null) throw new Error("generic netlink doesn't answer");
  if (answer.readUInt16LE(4) === abi.NLMSG_ERROR) throw refusal(answer);
  const end = answer.readUInt32LE(0);
  for (let at = abi.NLMSG_HEADER_BYTES + abi.GENL_HEADER_BYTES; at + 6 <= end; ) {
    if (answer.readUInt16LE(at + 2) === abi.CTRL_ATTR_FAMILY_ID) return answer.readUInt16LE(at + 4);
    at += (answer.readUInt16LE(at) + 3) & ~3;
  }
  throw new Error("generic netlink names no number for taskstats");
}

function receive(socket: NetlinkSocket): Buffer | null {
  const buffer = Buffer.alloc(2 * DATAGRAM_BYTES);
  return socket.receive(buffer) > 0 ? buffer : null;
}

function refusal(answer: Buffer): Error {
  return new Error(`the kernel refuses taskstats (errno ${-answer.readInt32LE(abi.NLMSG_HEADER_BYTES)})`);
}

function attribute(type: number, text: string): Buffer {
  const bytes = Buffer.alloc((4 + text.length + 3) & ~3);
  bytes.writeUInt16LE(4 + text.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.write(text, 4, "latin1");
  return bytes;
}

function request(family: number, command: number, body: Buffer): Buffer {
  const head = Buffer.alloc(abi.NLMSG_HEADER_BYTES + abi.GENL_HEADER_BYTES);
  head.writeUInt32LE(head.length + body.length, 0);
  head.writeUInt16LE(family, 4);
  head.writeUInt16LE(abi.NLM_F_REQUEST, 6);
  head.writeUInt8(command, abi.NLMSG_HEADER_BYTES);
  head.writeUInt8(1, abi.NLMSG_HEADER_BYTES + 1);
  return Buffer.concat([head, body]);
}
