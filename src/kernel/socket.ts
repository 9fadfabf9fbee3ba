// Who is at the other end of a Unix socket, as the kernel saw it when the connection was made (SO_PEERCRED,
// unix(7)).
import { helper } from "./helper.ts";
import { checked } from "./syscall.ts";

export interface PeerCredentials {
  pid: number;
  uid: number;
  gid: number;
}

/** @throws {SyscallError} for a descriptor that isn't a connected Unix socket */
export function peerCredentials(fd: number): PeerCredentials {
  const out = new Uint32Array(3);
  checked("getsockopt(SO_PEERCRED)", helper().fh_peer(fd, out, out.length));
  return { pid: out[0]!, uid: out[1]!, gid: out[2]! };
}
