import { ptr } from "bun:ffi";
import { describe, expect, test } from "bun:test";
import { constants } from "node:os";
import { cPath, helper } from "../../src/kernel/helper.ts";
import { handle } from "../decode/fan-bytes.ts";
import { Bytes } from "../support/bytes.ts";

const { EBADF, EINVAL, EIO, ENOENT, ENOTSOCK, EOVERFLOW, ESRCH } = constants.errno;
const AT_FDCWD = -100;
const c = helper();
const out = new Uint8Array(4096);

describe("a helper function answers -errno to", () => {
  test("a descriptor that isn't open", () => {
    expect(c.fh_read(-1, out, out.length)).toBe(-EBADF);
    expect(c.fh_pending(-1)).toBe(-EBADF);
    expect(c.fh_flock(-1, 2)).toBe(-EBADF);
    expect(c.fh_peer(-1, new Uint32Array(3), 3)).toBe(-EBADF);
    expect(c.fh_perf_lost(-1)).toBe(-EBADF);
    expect(c.fh_perf_map(-1, 4096)).toBe(BigInt(-EBADF));
    expect(c.fh_proc_listen(-1, 1, 0, 0)).toBe(-EBADF);
    expect(c.fh_netlink_receive(-1, out, out.length, 256, new Uint32Array(1))).toBe(-EBADF);
    expect(c.fh_fan_mark(-1, 1, 1, 0, AT_FDCWD, cPath("/"))).toBe(-EBADF);
  });

  test("a descriptor of another kind", () => {
    expect(c.fh_peer(0, new Uint32Array(3), 3)).toBe(-ENOTSOCK);
  });

  test("a pid that can't exist", () => {
    // PID_MAX_LIMIT is 2^22 (linux/threads.h).
    expect(c.fh_alive(1 << 23)).toBe(-ESRCH);
    expect(c.fh_alive(process.pid)).toBe(0);
  });

  test("room for fewer numbers than it writes", () => {
    expect(c.fh_peer(0, new Uint32Array(3), 2)).toBe(-EINVAL);
    expect(c.fh_statfs(cPath("/"), new Uint32Array(3), 2)).toBe(-EINVAL);
  });

  test("a path that doesn't exist", () => {
    expect(c.fh_statfs(cPath("/no/such/path"), new Uint32Array(3), 3)).toBe(-ENOENT);
    expect(c.fh_handle(AT_FDCWD, cPath("/no/such/path"), 0, out, out.length)).toBe(-ENOENT);
  });

  test("room that a handle doesn't fit into, which it leaves untouched", () => {
    const length = c.fh_handle(AT_FDCWD, cPath("/"), 0, out, out.length);
    expect(length).toBeGreaterThan(8);
    const small = new Uint8Array(length).fill(0xa5);
    expect(c.fh_handle(AT_FDCWD, cPath("/"), 0, small, length - 1)).toBe(-EOVERFLOW);
    expect(small.every((byte) => byte === 0xa5)).toBe(true);
    expect(c.fh_handle(AT_FDCWD, cPath("/"), 0, small, length)).toBe(length);
  });

  test("a handle whose length contradicts its size", () => {
    const whole = handle([1, 2, 3, 4, 5, 6, 7, 8]);
    const sizes: [Uint8Array, number][] = [
      [whole, 0],
      [whole, 7],
      [whole, 8],
      [whole, whole.length - 1],
      [Buffer.concat([whole, Buffer.alloc(4)]), whole.length + 4],
      [Buffer.alloc(8 + 129, 129), 8 + 129],
      [Buffer.alloc(4096), 4096],
    ];
    for (const [bytes, size] of sizes) {
      expect([size, c.fh_handle_path(0, bytes, size, out, out.length)]).toEqual([size, -EINVAL]);
      expect([size, c.fh_scan(0, bytes, size, 0, 0, out, out.length, new Uint32Array(2))]).toEqual([
        size,
        -EINVAL,
      ]);
    }
  });

  test("fewer paths than it was told, and to one without its NUL", () => {
    const sizes = new Float64Array(4);
    const paths = Buffer.from("/\0/etc\0");
    expect(c.fh_sizes(paths, paths.length, 2, sizes)).toBe(2);
    expect(c.fh_sizes(paths, paths.length, 3, sizes)).toBe(-EINVAL);
    expect(c.fh_sizes(paths, paths.length - 1, 2, sizes)).toBe(-EINVAL);
    expect(c.fh_sizes(paths, 0, 1, sizes)).toBe(-EINVAL);
  });

  test("supplementary groups of which it has more than room", () => {
    const count = process.getgroups?.().length ?? 0;
    expect(c.fh_groups(new Uint32Array(65536), 65536)).toBeGreaterThanOrEqual(Math.min(count, 1));
  });
});

describe("fh_netlink_receive()", () => {
  test("receives nothing into less room than a datagram may need", () => {
    expect(c.fh_netlink_receive(-1, out, 255, 256, new Uint32Array(1))).toBe(0);
    expect(c.fh_netlink_receive(-1, out, 0, 256, new Uint32Array(1))).toBe(0);
  });
});

/** Offsets in struct perf_event_mmap_page (linux/perf_event.h). */
const DATA_HEAD = 1024;
const DATA_TAIL = 1032;
const DATA_OFFSET = 1040;
const DATA_SIZE = 1048;

describe("fh_perf_drain()", () => {
  const RING_BYTES = 256;

  /** A ring as the kernel would map it, with `data` written from `tail` on. */
  function ring(tail: number, data: Uint8Array, head = tail + data.length): Buffer {
    const page = Buffer.alloc(4096 + RING_BYTES, 0xee);
    page.writeBigUInt64LE(BigInt(head), DATA_HEAD);
    page.writeBigUInt64LE(BigInt(tail), DATA_TAIL);
    page.writeBigUInt64LE(4096n, DATA_OFFSET);
    page.writeBigUInt64LE(BigInt(RING_BYTES), DATA_SIZE);
    for (const [i, byte] of data.entries()) page[4096 + ((tail + i) % RING_BYTES)] = byte;
    return page;
  }

  function record(type: number, size: number): Buffer {
    return new Bytes()
      .u32("type", type)
      .u16("misc", 0)
      .u16("size", size)
      .raw(
        "body",
        Array.from({ length: size - 8 }, (_, i) => (type + i) & 0xff),
      )
      .done();
  }

  function drain(page: Buffer, capacity: number): { got: number; bytes: Buffer; tail: number } {
    const into = Buffer.alloc(capacity + 16, 0xa5);
    const got = c.fh_perf_drain(ptr(page), into, capacity);
    if (got >= 0) expect(into.subarray(got).every((byte) => byte === 0xa5)).toBe(true);
    return { got, bytes: into.subarray(0, Math.max(0, got)), tail: Number(page.readBigUInt64LE(DATA_TAIL)) };
  }

  test("copies whole records and gives their room back", () => {
    const data = Buffer.concat([record(7, 56), record(3, 48)]);
    expect(drain(ring(0, data), 1024)).toEqual({ got: 104, bytes: data, tail: 104 });
  });

  test("copies nothing from an empty ring", () => {
    expect(drain(ring(64, Buffer.alloc(0)), 1024)).toEqual({ got: 0, bytes: Buffer.alloc(0), tail: 64 });
  });

  test("joins a record that wraps around the end, wherever it does", () => {
    const data = record(7, 56);
    for (let tail = RING_BYTES * 3 - 56; tail <= RING_BYTES * 3; tail += 8) {
      expect(drain(ring(tail, data), 1024)).toEqual({ got: 56, bytes: data, tail: tail + 56 });
    }
  });

  test("goes on past 2^32 bytes", () => {
    const tail = 2 ** 32 - 8;
    expect(drain(ring(tail, record(7, 56)), 1024)).toMatchObject({ got: 56, tail: tail + 56 });
  });

  test("stops before the record that doesn't fit, which comes next time", () => {
    const [first, second] = [record(7, 56), record(3, 48)];
    const page = ring(200, Buffer.concat([first, second]));
    expect(drain(page, 103)).toEqual({ got: 56, bytes: first, tail: 256 });
    expect(drain(page, 103)).toEqual({ got: 48, bytes: second, tail: 304 });
  });

  test("refuses a record shorter than its header, and one longer than what is there", () => {
    const short = record(7, 56);
    short.writeUInt16LE(4, 6);
    expect(drain(ring(0, short), 1024).got).toBe(-EIO);
    short.writeUInt16LE(64, 6);
    expect(drain(ring(0, short), 1024).got).toBe(-EIO);
  });
});
