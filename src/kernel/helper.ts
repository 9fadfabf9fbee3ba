// Loads c/fanhelp.c's shared object and gives its functions their types. The other side of this boundary is
// c/fanhelp.c: a function is listed here and defined there, with the same arguments in the same order.
//
// The object is embedded in the binary and loaded through a memfd: a file in a temporary directory could be
// exchanged by its owner, and /tmp may be mounted noexec. Nothing here outlives a call; buffers belong to the
// caller.
import { dlopen, type FFIFunction } from "bun:ffi";
import { closeSync, readFileSync, writeSync } from "node:fs";
import helperPath from "../../build/fanhelp.so" with { type: "file" };
import { Failure } from "../failure.ts";

/** asm/unistd.h. By number, because glibc has a function for it only from 2.27 on. */
const SYS_MEMFD_CREATE = process.arch === "arm64" ? 279 : 319;
const MFD_CLOEXEC = 1;
/** Linux 6.3: asks for an executable memfd where vm.memfd_noexec=1 makes the other kind the default. */
const MFD_EXEC = 0x10;

// Each argument is followed by its C name. 64-bit results come as f64: exact up to 2^53, and five times
// cheaper than a BigInt.
const SYMBOLS = {
  fh_identity: {
    args: ["u32" /* uid */, "u32" /* gid */, "ptr" /* groups */, "u32" /* count */],
    returns: "i32",
  },
  fh_groups: { args: ["ptr" /* groups */, "u32" /* capacity */], returns: "i32" },
  fh_flock: { args: ["i32" /* fd */, "i32" /* operation */], returns: "i32" },
  fh_peer: { args: ["i32" /* fd */, "ptr" /* out */, "u32" /* capacity */], returns: "i32" },
  fh_unix_listen: { args: ["ptr" /* path */, "u32" /* path_size */], returns: "i32" },
  fh_unix_try: { args: ["ptr" /* path */, "u32" /* path_size */], returns: "i32" },
  fh_poll: { args: ["i32" /* fd */, "i32" /* events */, "i32" /* timeout_ms */], returns: "i32" },
  fh_columns: { args: ["i32" /* fd */], returns: "i32" },
  fh_read: { args: ["i32" /* fd */, "ptr" /* buffer */, "u32" /* size */], returns: "f64" },
  fh_move: {
    args: ["i32" /* in */, "f64" /* at */, "i32" /* out */, "f64" /* size */, "i32" /* to_pipe */],
    returns: "f64",
  },
  fh_pipe_size: { args: ["i32" /* fd */, "i32" /* bytes */], returns: "i32" },
  fh_pending: { args: ["i32" /* fd */], returns: "i32" },
  fh_monotonic: { args: [], returns: "f64" },
  fh_page_out: { args: ["f64" /* address */, "f64" /* bytes */], returns: "i32" },
  fh_alive: { args: ["i32" /* pid */], returns: "i32" },
  fh_sizes: {
    args: ["ptr" /* paths */, "u32" /* size */, "u32" /* count */, "ptr" /* out */],
    returns: "i32",
  },
  fh_probe_sizes: {
    args: [
      "u32" /* index */,
      "i32" /* force_sync */,
      "ptr" /* paths */,
      "u32" /* size */,
      "u32" /* count */,
      "ptr" /* out */,
      "i32" /* timeout_ms */,
    ],
    returns: "i32",
  },
  fh_fan_init: { args: ["u32" /* flags */, "u32" /* event_flags */], returns: "i32" },
  fh_fan_mark: {
    args: [
      "i32" /* fan */,
      "u32" /* flags */,
      "u32" /* mask_low */,
      "u32" /* mask_high */,
      "i32" /* dirfd */,
      "ptr" /* path */,
    ],
    returns: "i32",
  },
  fh_handle: {
    args: ["i32" /* dirfd */, "ptr" /* path */, "i32" /* flags */, "ptr" /* out */, "u32" /* capacity */],
    returns: "i32",
  },
  fh_handle_path: {
    args: ["i32" /* mount_fd */, "ptr" /* handle */, "u32" /* size */, "ptr" /* out */, "u32" /* capacity */],
    returns: "i32",
  },
  fh_handle_place: {
    args: ["i32" /* mount_fd */, "ptr" /* handle */, "u32" /* size */, "ptr" /* out */, "u32" /* capacity */],
    returns: "i32",
  },
  fh_handle_await: { args: ["i32" /* mount_fd */, "ptr" /* handle */, "u32" /* size */], returns: "i32" },
  fh_handle_child: {
    args: [
      "i32" /* mount_fd */,
      "ptr" /* handle */,
      "u32" /* size */,
      "ptr" /* name */,
      "ptr" /* out */,
      "u32" /* capacity */,
    ],
    returns: "i32",
  },
  fh_handle_times: {
    args: ["i32" /* mount_fd */, "ptr" /* handle */, "u32" /* size */, "ptr" /* out */, "u32" /* capacity */],
    returns: "i32",
  },
  fh_statfs: { args: ["ptr" /* path */, "ptr" /* out */, "u32" /* capacity */], returns: "i32" },
  fh_times: { args: ["ptr" /* path */, "ptr" /* out */, "u32" /* capacity */], returns: "i32" },
  fh_scan: {
    args: [
      "i32" /* mount_fd */,
      "ptr" /* handle */,
      "u32" /* size */,
      "f64" /* since_ms */,
      "f64" /* until_ms */,
      "ptr" /* out */,
      "u32" /* capacity */,
      "ptr" /* position */,
    ],
    returns: "f64",
  },
  fh_scan_open: {
    args: [
      "i32" /* fd */,
      "i32" /* with_times */,
      "ptr" /* out */,
      "u32" /* capacity */,
      "ptr" /* position */,
    ],
    returns: "f64",
  },
  fh_mount_open: { args: ["ptr" /* path */, "ptr" /* out */], returns: "i32" },
  fh_btrfs_top: { args: ["ptr" /* device */, "i32" /* read_only */], returns: "i32" },
  fh_directory_open: {
    args: ["i32" /* base */, "ptr" /* path */, "ptr" /* handle */, "u32" /* size */],
    returns: "i32",
  },
  fh_perf_open: {
    args: ["i32" /* cpu */, "u32" /* watermark_bytes */, "i32" /* with_lost */],
    returns: "i32",
  },
  fh_perf_map: { args: ["i32" /* fd */, "u32" /* data_bytes */], returns: "i64" },
  fh_perf_unmap: { args: ["u64" /* map */, "u32" /* data_bytes */], returns: "i32" },
  fh_perf_drain: { args: ["u64" /* map */, "ptr" /* out */, "u32" /* capacity */], returns: "i32" },
  fh_perf_lost: { args: ["i32" /* fd */], returns: "f64" },
  fh_netlink_open: {
    args: ["i32" /* protocol */, "u32" /* groups */, "u32" /* receive_bytes */],
    returns: "i32",
  },
  fh_send: { args: ["i32" /* fd */, "ptr" /* message */, "u32" /* size */], returns: "i32" },
  fh_flight_open: {
    args: ["i32" /* cpu */, "u32" /* ring_bytes */, "ptr" /* map */],
    returns: "i32",
  },
  fh_flight_find: {
    args: [
      "u64" /* map */,
      "ptr" /* memory */,
      "u32" /* index_bytes */,
      "i32" /* pid */,
      "f64" /* since_ns */,
      "ptr" /* out */,
      "u32" /* capacity */,
      "ptr" /* time_ns */,
    ],
    returns: "i32",
  },
  fh_proc_listen: {
    args: ["i32" /* fd */, "u32" /* operation */, "u32" /* event_mask */, "i32" /* filtered */],
    returns: "i32",
  },
  fh_netlink_receive: {
    args: ["i32" /* fd */, "ptr" /* out */, "u32" /* capacity */, "u32" /* datagram_max */, "ptr" /* lost */],
    returns: "f64",
  },
  fh_waiter_start: { args: ["function" /* wake */], returns: "i32" },
  fh_waiter_add: { args: ["i32" /* fd */, "u32" /* events */], returns: "i32" },
  fh_waiter_remove: { args: ["i32" /* fd */], returns: "i32" },
  fh_waiter_arm: { args: [], returns: "i32" },
  fh_capabilities_bound: { args: ["u32" /* keep_low */, "u32" /* keep_high */], returns: "i32" },
  fh_exec_self: {
    args: [
      "ptr" /* arguments */,
      "u32" /* arguments_size */,
      "u32" /* argument_count */,
      "ptr" /* environment */,
      "u32" /* environment_size */,
      "u32" /* variable_count */,
    ],
    returns: "i32",
  },
  fh_name: { args: ["ptr" /* name */], returns: "i32" },
  fh_datagram: {
    args: ["ptr" /* address */, "u32" /* address_size */, "ptr" /* message */, "u32" /* size */],
    returns: "i32",
  },
  fh_lines: {
    args: [
      "ptr" /* block */,
      "u32" /* from */,
      "u32" /* to */,
      "ptr" /* starts */,
      "ptr" /* ends */,
      "ptr" /* times */,
      "u32" /* capacity */,
      "ptr" /* count */,
    ],
    returns: "i32",
  },
  fh_layout: { args: ["u32" /* index */], returns: "i32" },
} as const satisfies Record<string, FFIFunction>;

function load() {
  const bytes = readFileSync(helperPath);
  const libc = dlopen("libc.so.6", { syscall: { args: ["i64", "ptr", "u32"], returns: "i64" } });
  const name = Buffer.from("fanhelp\0");
  const memfd = (flags: number) => Number(libc.symbols.syscall(SYS_MEMFD_CREATE, name, flags));
  let fd = memfd(MFD_CLOEXEC | MFD_EXEC);
  if (fd < 0) fd = memfd(MFD_CLOEXEC);
  if (fd < 0) {
    throw new Failure(
      "Cannot load fsmon's helper: the kernel refused a memory file",
      "executable memory files are forbidden here (sysctl vm.memfd_noexec=2); allow them for fsmon",
    );
  }
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    return dlopen(`/proc/self/fd/${fd}`, SYMBOLS).symbols;
  } catch (error) {
    throw new Failure(
      `Cannot load fsmon's helper: ${error instanceof Error ? error.message : String(error)}`,
      "the runtime needs executable memory (no MemoryDenyWriteExecute) and memory files that may be executed",
    );
  } finally {
    closeSync(fd);
  }
}

let loaded: ReturnType<typeof load> | undefined;

/**
 * The helper's functions; loaded at the first call, so that commands that need none of them don't pay for it.
 */
export function helper(): ReturnType<typeof load> {
  loaded ??= load();
  return loaded;
}

/**
 * A path as the NUL-terminated bytes that C wants. Strings are UTF-8; a NUL inside would cut the path, so it
 * is refused.
 */
export function cPath(path: string | Uint8Array): Uint8Array {
  const bytes = typeof path === "string" ? Buffer.from(path, "utf8") : path;
  if (bytes.includes(0))
    throw new Failure(`Cannot use the path ${JSON.stringify(String(path))}: it has a NUL byte in it`);
  const out = new Uint8Array(bytes.length + 1);
  out.set(bytes);
  return out;
}
