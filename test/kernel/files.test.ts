import { afterAll, describe, expect, test } from "bun:test";
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeScan, ScanEntry } from "../../src/decode/scan.ts";
import { Failure } from "../../src/failure.ts";
import { filesystemIdentity, handleOf, pathOfHandle } from "../../src/kernel/handles.ts";
import { cPath } from "../../src/kernel/helper.ts";
import { asOwner } from "../../src/kernel/identity.ts";
import { lockFile } from "../../src/kernel/lock.ts";
import { DirectoryScanner } from "../../src/kernel/scan.ts";
import { SizeBatch } from "../../src/kernel/sizes.ts";
import { errnoName, errnoOf, SyscallError } from "../../src/kernel/syscall.ts";

const asRoot = process.getuid?.() === 0;
const home = realpathSync(mkdtempSync(join(tmpdir(), "fsmon-kernel-")));
afterAll(() => rmSync(home, { recursive: true, force: true }));

function handleAt(path: string): Uint8Array {
  const handle = handleOf(path);
  if (typeof handle === "number") throw new SyscallError("name_to_handle_at", -handle, path);
  return handle;
}

function withFd<T>(path: string, flags: number, work: (fd: number) => T): T {
  const fd = openSync(path, flags);
  try {
    return work(fd);
  } finally {
    closeSync(fd);
  }
}

const onMount = <T>(work: (fd: number) => T): T =>
  withFd(home, constants.O_RDONLY | constants.O_DIRECTORY, work);

describe("errnoName()", () => {
  test("names what has a name, and shows the number of what has none", () => {
    expect(errnoName(errnoOf("EPERM"))).toBe("EPERM");
    expect(errnoName(9999)).toBe("errno 9999");
  });
});

describe("cPath()", () => {
  test("ends a path with NUL, whatever its bytes", () => {
    expect(cPath("/ü")).toEqual(Uint8Array.of(0x2f, 0xc3, 0xbc, 0));
    expect(cPath(Uint8Array.of(0xff, 0x80))).toEqual(Uint8Array.of(0xff, 0x80, 0));
  });

  test("refuses a NUL inside, which would cut it", () => {
    expect(() => cPath("/etc/pass\0wd")).toThrow(Failure);
    expect(() => cPath(Uint8Array.of(0))).toThrow(Failure);
  });
});

describe("handleOf()", () => {
  test("says its own length and differs for every object", () => {
    writeFileSync(join(home, "one"), "");
    writeFileSync(join(home, "two"), "");
    const one = handleAt(join(home, "one"));
    expect(Buffer.from(one).readUInt32LE(0)).toBe(one.length - 8);
    expect(handleAt(join(home, "one"))).toEqual(one);
    expect(handleAt(join(home, "two"))).not.toEqual(one);
  });

  test("is the same after a rename", () => {
    writeFileSync(join(home, "before"), "");
    const before = handleAt(join(home, "before"));
    renameSync(join(home, "before"), join(home, "after"));
    expect(handleAt(join(home, "after"))).toEqual(before);
  });

  test("is a symlink's own, not its target's", () => {
    writeFileSync(join(home, "target"), "");
    symlinkSync("target", join(home, "link"));
    expect(handleAt(join(home, "link"))).not.toEqual(handleAt(join(home, "target")));
  });

  test("takes names that aren't UTF-8", () => {
    const path = Buffer.concat([Buffer.from(`${home}/`), Buffer.from([0xff, 0x0a])]);
    expect(handleOf(path)).toBe(-errnoOf("ENOENT"));
    writeFileSync(path, "");
    expect(handleOf(path)).toBeInstanceOf(Uint8Array);
  });

  test("answers the errno where there is nothing, and why", () => {
    expect(handleOf(join(home, "nothing"))).toBe(-errnoOf("ENOENT"));
    expect(handleOf(join(home, "x".repeat(256)))).toBe(-errnoOf("ENAMETOOLONG"));
    expect(handleOf("/etc/passwd/x")).toBe(-errnoOf("ENOTDIR"));
  });
});

describe("filesystemIdentity()", () => {
  test("is the same for all of one filesystem and another for /proc", () => {
    mkdirSync(join(home, "inside"), { recursive: true });
    expect(filesystemIdentity(join(home, "inside"))).toEqual(filesystemIdentity(home));
    const proc = filesystemIdentity("/proc");
    expect(proc.magic).toBe(0x9fa0);
    expect(proc).not.toEqual(filesystemIdentity(home));
  });

  test("throws with call, path and errno", () => {
    expect(() => filesystemIdentity("/no/such")).toThrow("statfs failed for /no/such (ENOENT)");
  });
});

describe("pathOfHandle()", () => {
  test.skipIf(!asRoot)("follows a directory through a rename and ends with it (needs root)", () => {
    const first = join(home, "first");
    mkdirSync(first);
    const handle = handleAt(first);
    expect(
      String(
        onMount((fd) => pathOfHandle(fd, handle)) && Buffer.from(onMount((fd) => pathOfHandle(fd, handle))!),
      ),
    ).toBe(first);
    renameSync(first, join(home, "second\n\u00ff"));
    expect(Buffer.from(onMount((fd) => pathOfHandle(fd, handle))!).toString()).toBe(
      join(home, "second\n\u00ff"),
    );
    rmdirSync(join(home, "second\n\u00ff"));
    expect(onMount((fd) => pathOfHandle(fd, handle))).toBeNull();
  });

  test.skipIf(!asRoot)(
    "doesn't take a removed directory that is still held open for one that is there (needs root)",
    () => {
      const path = join(home, "held");
      mkdirSync(path);
      const handle = handleAt(path);
      withFd(path, constants.O_RDONLY, () => {
        rmdirSync(path);
        expect(onMount((fd) => pathOfHandle(fd, handle))).toBeNull();
      });
    },
  );

  test("is null for a handle that never was", () => {
    const handle = handleAt(home).map((byte, i) => (i < 8 ? byte : 0xee));
    expect(onMount((fd) => pathOfHandle(fd, handle))).toBeNull();
  });
});

describe("DirectoryScanner", () => {
  test.skipIf(!asRoot)(
    "finds every subdirectory and nothing else, in as many pieces as it takes (needs root)",
    () => {
      const top = join(home, "scanned");
      mkdirSync(top);
      // 600 names of 200 bytes are more than one 64 KiB piece.
      const names = Array.from({ length: 600 }, (_, i) => `${String(i).padStart(4, "0")}${"x".repeat(196)}`);
      for (const name of names) mkdirSync(join(top, name));
      for (let i = 0; i < 50; i++) writeFileSync(join(top, `file${i}`), "");
      symlinkSync(".", join(top, "link"));
      const scanner = new DirectoryScanner();
      const bytes = Buffer.from(scanner.buffer.buffer);
      const found: string[] = [];
      let pieces = 0;
      const entry = new ScanEntry();
      onMount((fd) => {
        scanner.startAt(null);
        do {
          const length = scanner.scan(fd, handleAt(top), null);
          expect(length).toBeGreaterThanOrEqual(0);
          pieces++;
          decodeScan(bytes, length, entry, () => {
            const { handleAt: from, handleBytes, nameAt, nameBytes } = entry;
            const name = bytes.toString("utf8", nameAt, nameAt + nameBytes);
            found.push(name);
            expect([entry.mounted, entry.directory, entry.timed]).toEqual([false, true, false]);
            if (found.length % 100 === 0) {
              expect(Buffer.from(handleAt(join(top, name)))).toEqual(
                Buffer.from(bytes.subarray(from, from + handleBytes)),
              );
            }
          });
          // Another directory in between doesn't matter.
          const next = scanner.position();
          scanner.startAt(null);
          scanner.scan(fd, handleAt(home), null);
          scanner.startAt(next);
        } while (!scanner.isDone);
      });
      expect(pieces).toBeGreaterThan(1);
      expect(found.sort()).toEqual(names);
    },
  );

  test.skipIf(!asRoot)(
    "with a span, finds what was touched within it as well, and when (needs root)",
    async () => {
      const top = join(home, "touched");
      mkdirSync(join(top, "before"), { recursive: true });
      writeFileSync(join(top, "old"), "1");
      writeFileSync(join(top, "changed"), "1");
      await Bun.sleep(30);
      const fromMs = Date.now() - 5;
      await Bun.sleep(15);
      writeFileSync(join(top, "new"), "123");
      writeFileSync(join(top, "changed"), "12");
      const toMs = Date.now() + 20;
      const scanner = new DirectoryScanner();
      const bytes = Buffer.from(scanner.buffer.buffer);
      const entry = new ScanEntry();
      const found = new Map<string, { born: boolean; written: boolean; size: number; regular: boolean }>();
      const within = (ms: number) => ms >= fromMs && ms <= toMs;
      onMount((fd) => {
        const length = scanner.scan(fd, handleAt(top), { fromMs, toMs });
        decodeScan(bytes, length, entry, () => {
          expect(entry.timed).toBe(true);
          const { bornMs, writtenMs, sizeBytes: size, regular } = entry;
          const name = bytes.toString("utf8", entry.nameAt, entry.nameAt + entry.nameBytes);
          found.set(name, { born: within(bornMs), written: within(writtenMs), size, regular });
        });
      });
      expect([...found.keys()].sort()).toEqual(["before", "changed", "new"]);
      expect(found.get("new")).toEqual({ born: true, written: true, size: 3, regular: true });
      expect(found.get("changed")).toEqual({ born: false, written: true, size: 2, regular: true });
      expect(found.get("before")).toMatchObject({ born: false, written: false, regular: false });
    },
  );

  test.skipIf(!asRoot)("answers the errno for a directory that is gone (needs root)", () => {
    const path = join(home, "gone");
    mkdirSync(path);
    const handle = handleAt(path);
    rmdirSync(path);
    const scanner = new DirectoryScanner();
    expect(onMount((fd) => scanner.scan(fd, handle, null))).toBe(-errnoOf("ESTALE"));
  });
});

describe("SizeBatch", () => {
  test("gives sizes of files, 0 for directories, -1 for what is gone, a link's own for a link", () => {
    writeFileSync(join(home, "five"), "12345");
    symlinkSync("five", join(home, "to-five"));
    const batch = new SizeBatch();
    const directory = Buffer.from(home);
    // The name lies anywhere in the bytes of a batch.
    const add = (name: string) =>
      batch.add(directory, Buffer.from(`..${name}..`), 2, Buffer.byteLength(name));
    const indexes = ["five", "to-five", ".", "nothing"].map(add);
    indexes.push(
      batch.add(directory, Buffer.alloc(0), 0, 0),
      batch.add(Buffer.alloc(0), Buffer.from("etc"), 0, 3),
    );
    batch.run();
    expect(indexes.map((index) => batch.sizeAt(index))).toEqual([5, 4, 0, -1, 0, 0]);
  });

  test("grows with the batch and begins anew after clear()", () => {
    writeFileSync(join(home, "three"), "123");
    const batch = new SizeBatch();
    const directory = Buffer.from(home);
    for (let round = 0; round < 2; round++) {
      batch.clear();
      for (let i = 0; i < 3000; i++) {
        const name = Buffer.from(i % 3 === 0 ? "three" : `nothing-${"y".repeat(200)}`);
        expect(batch.add(directory, name, 0, name.length)).toBe(i);
      }
      batch.run();
      for (let i = 0; i < 3000; i++) expect(batch.sizeAt(i)).toBe(i % 3 === 0 ? 3 : -1);
    }
  });

  test("asks for nothing when nothing was added", () => {
    const batch = new SizeBatch();
    batch.run();
    batch.clear();
    batch.run();
  });
});

describe("lockFile()", () => {
  test("is refused while another descriptor holds the lock, and given once that is closed", () => {
    const path = join(home, "lock");
    writeFileSync(path, "");
    const holder = openSync(path, "r");
    expect(lockFile(holder, 0)).toBe(true);
    withFd(path, constants.O_RDONLY, (second) => {
      const startMs = performance.now();
      expect(lockFile(second, 20)).toBe(false);
      expect(performance.now() - startMs).toBeGreaterThanOrEqual(20);
      closeSync(holder);
      expect(lockFile(second, 0)).toBe(true);
    });
  });

  test("throws for a descriptor that isn't open", () => {
    expect(() => lockFile(-1, 0)).toThrow("flock failed (EBADF)");
  });
});

describe("asOwner()", () => {
  const nobody = { uid: 65534, gid: 65534, groups: [] };
  const status = () => {
    const text = readFileSync("/proc/thread-self/status", "latin1");
    return ["Uid", "Gid", "Groups"].map((key) => new RegExp(`^${key}:\\s*(.*?)\\s*$`, "m").exec(text)![1]!);
  };

  test.skipIf(!asRoot)(
    "makes files that belong to the person, and gives root's identity back (needs root)",
    () => {
      const open = mkdtempSync(join(tmpdir(), "fsmon-owner-"));
      try {
        const before = status();
        const result = asOwner({ uid: 0, gid: 0, groups: [] }, () => "root itself");
        expect(result).toBe("root itself");
        asOwner({ ...nobody, groups: [4242] }, () => {
          const [uid, gid, groups] = status();
          expect(uid!.split("\t")).toEqual(["0", "0", "0", "65534"]);
          expect(gid!.split("\t")).toEqual(["0", "0", "0", "65534"]);
          expect(groups).toBe("4242");
        });
        expect(status()).toEqual(before);
        Bun.spawnSync(["chmod", "777", open]);
        asOwner(nobody, () => writeFileSync(join(open, "theirs"), ""));
        writeFileSync(join(open, "ours"), "");
        const { uid, gid } = statSync(join(open, "theirs"));
        expect([uid, gid, statSync(join(open, "ours")).uid]).toEqual([65534, 65534, 0]);
      } finally {
        rmSync(open, { recursive: true, force: true });
      }
    },
  );

  test.skipIf(!asRoot)("can't do what the person can't (needs root)", () => {
    const secret = join(home, "secret");
    mkdirSync(secret, { mode: 0o700 });
    expect(() => asOwner(nobody, () => readdirSync(secret))).toThrow("EACCES");
    expect(readdirSync(secret)).toEqual([]);
  });

  test.skipIf(!asRoot)(
    "gives root's identity back when the work throws, and inside itself just goes on (needs root)",
    () => {
      const before = status();
      expect(() =>
        asOwner(nobody, () => {
          asOwner(nobody, () => expect(status()[0]).toContain("65534"));
          expect(status()[0]).toContain("65534");
          throw new Error("on the way");
        }),
      ).toThrow("on the way");
      expect(status()).toEqual(before);
    },
  );
});
