// The control socket in bad company: a thousand hostile clients beside a storm, and whatever can lie at the socket's place.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command, TestDaemon } from "../support/daemon.ts";
import { captureObstacle, run, TestFilesystem } from "../support/filesystem.ts";
import { until } from "../support/wait.ts";
import { Workload } from "../support/workload.ts";

/** Of issue and manual: memory stays within this much more. */
const MEMORY_MORE_MAX_KB = 16 * 1024;
const CLIENTS = 1000;
const KINDS = 10;
/** The one that sends what the TOML parser has most work with. */
const DEEP = 8;

describe.skipIf(captureObstacle !== null)("the control socket in bad company (needs root and mounts)", () => {
  let filesystem: TestFilesystem;
  let daemon: TestDaemon;
  let root: string;
  beforeEach(() => {
    filesystem = TestFilesystem.mount("tmpfs");
    daemon = new TestDaemon();
    root = join(filesystem.path, "root");
    mkdirSync(root);
  });
  afterEach(async () => {
    await daemon.destroy();
    filesystem.unmount();
  });

  test("1,000 hostile clients beside a storm: every event is recorded, memory is bounded, everyone is let go", async () => {
    const storm = new Workload("storm");
    try {
      await daemon.start();
      await daemon.add(root, "-r");
      let most = 0;
      const watcher = setInterval(() => {
        most = Math.max(most, memoryKb(daemon.pid, "RssAnon"));
      }, 20);
      // The same storm alone first: what it needs is not the clients' fault.
      await storm.start("files", root, 2, 7500);
      await daemon.settle(root);
      const mostAlone = most;
      // A peak depends on when the collector comes by; what the clients need shows in the smallest of a few.
      let more = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 3 && more >= MEMORY_MORE_MAX_KB; round++) {
        const linesBefore = daemon.events(root).length;
        most = 0;
        const storming = storm.start("files", root, 2, 7500);
        const clients = await Promise.all(
          Array.from({ length: CLIENTS }, (_, n) => hostileClient(daemon.socketPath, n, n % KINDS)),
        );
        // An honest one in the middle of them.
        expect(await daemon.fsmon("managed")).toMatchObject({
          code: 0,
          stdout: expect.stringContaining(root),
        });
        await storming;
        // A request must arrive within 2 s, a reply must be taken within 5 s.
        await until("everybody else is gone", () => clients.every((client) => client.isGone()));
        await daemon.settle(root);
        // CREATE, CLOSE_WRITE, ATTRIB, DELETE, DELETE_SELF of each file.
        expect(daemon.events(root).length - linesBefore).toBe(2 * 7500 * 5);
        more = Math.min(more, most - mostAlone);
      }
      clearInterval(watcher);
      expect(daemon.gaps(root)).toEqual([]);
      expect(more).toBeLessThan(MEMORY_MORE_MAX_KB);
      expect((await daemon.fsmon("managed")).code).toBe(0);
    } finally {
      storm.remove();
    }
  });

  test.each([
    ["of all kinds", (n: number) => n % KINDS],
    ["with deep TOML", () => DEEP],
  ] as const)("1,000 hostile clients %s leave memory bounded", async (_, kindOf) => {
    // By other ways it follows every process of the machine, and what that takes is not the clients' fault.
    await daemon.start(["--identify", "proc"]);
    // VmHWM would count pages of the binary as well, which the daemon had given back at rest.
    const before = memoryKb(daemon.pid, "RssAnon");
    let most = 0;
    const watcher = setInterval(() => {
      most = Math.max(most, memoryKb(daemon.pid, "RssAnon"));
    }, 5);
    try {
      const clients = await Promise.all(
        Array.from({ length: CLIENTS }, (_, n) => hostileClient(daemon.socketPath, n, kindOf(n))),
      );
      await until("everybody else is gone", () => clients.every((client) => client.isGone()));
    } finally {
      clearInterval(watcher);
    }
    expect(most - before).toBeLessThan(MEMORY_MORE_MAX_KB);
    expect((await daemon.fsmon("managed")).code).toBe(0);
  });

  test("clients that come again and again with requests too long to read leave memory bounded", async () => {
    await daemon.start();
    await daemon.add(root, "-r");
    const before = memoryKb(daemon.pid, "RssAnon");
    let most = 0;
    const watcher = setInterval(() => {
      most = Math.max(most, memoryKb(daemon.pid, "RssAnon"));
    }, 20);
    const script = `
import socket,sys,threading
def come():
    left = 1000
    while left > 0:
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(sys.argv[1]); s.sendall(b"x" * 70000); s.recv(999)
                left -= 1
        except OSError: left -= 1
many = [threading.Thread(target=come) for _ in range(20)]
for one in many: one.start()
for one in many: one.join()`;
    await command(["python3", "-c", script, daemon.socketPath]);
    clearInterval(watcher);
    expect(most - before).toBeLessThan(MEMORY_MORE_MAX_KB);
    expect((await daemon.fsmon("managed")).code).toBe(0);
  });

  const OCCUPANTS: Readonly<Record<string, () => (() => void) | undefined>> = {
    "a file": () => void writeFileSync(daemon.socketPath, "precious"),
    "a symlink": () => void symlinkSync("/dev/null", daemon.socketPath),
    "a directory": () => void mkdirSync(daemon.socketPath),
    "another user's dead socket": () => {
      // The running daemon, too, is about to take the place: a socket is moved there when it is the other user's.
      const script = `import socket,sys,os; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[2]); os.chown(sys.argv[2], 65533, 65533); os.rename(sys.argv[2], sys.argv[1])`;
      run(["python3", "-c", script, daemon.socketPath, `${daemon.socketPath}.theirs`]);
      return undefined;
    },
  };
  for (const [what, occupy] of Object.entries(OCCUPANTS)) {
    test(`${what} at the socket's place stays: the daemon records, says so, and is controllable once it is gone`, async () => {
      await daemon.fsmon("add", root, "-r");
      occupy();
      const look = () => {
        const { ino, mode, uid, size } = lstatSync(daemon.socketPath);
        return JSON.stringify({ ino, mode, uid, size });
      };
      const before = look();
      await daemon.start();
      await daemon.settle(root);
      expect(look()).toBe(before);
      expect(daemon.stderr).toMatch(/recording, but can't be controlled: .*control\.sock/);
      // The client neither believes what lies there nor says that nobody records.
      const asked = await daemon.fsmon("managed");
      expect(asked.stderr).toMatch(
        /A daemon is recording, but it cannot be controlled|Cannot reach the daemon|permission denied/,
      );
      const unhealthy = await daemon.fsmon("health");
      expect(unhealthy).toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/cannot be controlled or asked: .*control\.sock/),
      });
      const added = await daemon.fsmon("add", join(root, "later"));
      expect(added.stderr).not.toContain("No daemon is running");
      rmSync(daemon.socketPath, { recursive: true });
      await until("the daemon listens", () => existsSync(daemon.socketPath));
      const status = await until("it answers", async () => {
        const done = await daemon.fsmon("managed");
        return done.code === 0 && !done.stderr.includes("cannot be controlled") ? done : null;
      });
      expect(status.stdout).toContain(`${root} | `);
      expect(await daemon.fsmon("health")).toMatchObject({ code: 0 });
      // The same while it runs: nobody takes the daemon for a busy one, and commands work on the store.
      rmSync(daemon.socketPath);
      occupy();
      const taken = look();
      await until("the daemon says so", async () =>
        (await daemon.fsmon("health")).stdout.includes("cannot be controlled or asked"),
      );
      expect(await daemon.fsmon("add", join(root, "late"))).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(/A daemon is recording, but .* it reads the store again on SIGHUP/),
      });
      expect(look()).toBe(taken);
    });
  }

  test("what is done to the store while it can't be controlled takes effect on SIGHUP", async () => {
    writeFileSync(daemon.socketPath, "in the way");
    await daemon.start();
    const added = await daemon.fsmon("add", root, "-r");
    expect(added.stderr).toMatch(/A daemon is recording, but .* it reads the store again on SIGHUP/);
    daemon.signal("SIGHUP");
    await until("config and store were read again", () => daemon.stderr.includes("were read again"));
    await daemon.settle(root);
  });
});

/** RssAnon: what the daemon really holds. VmHWM: the most that it ever had, with its program's pages. The kernel's queue is in neither. */
function memoryKb(pid: number, key: "RssAnon" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(status)?.[1]);
}

interface HostileClient {
  readonly gone: Promise<void>;
  isGone(): boolean;
}

/** One of ten kinds of bad company. */
async function hostileClient(path: string, n: number, kind: number): Promise<HostileClient> {
  let over = false;
  let finish: () => void = () => {};
  const gone = new Promise<void>((resolve) => {
    finish = () => {
      over = true;
      resolve();
    };
  });
  let trickle: ReturnType<typeof setInterval> | undefined;
  const random = Buffer.from(Array.from({ length: 2000 }, (_, i) => (i * 7919 + n * 104_729) % 256));
  for (;;) {
    try {
      await Bun.connect({
        unix: path,
        socket: {
          open(socket) {
            // 0 says nothing, 7 doesn't read in time.
            if (kind === 1) trickle = setInterval(() => socket.write("#"), 300);
            if (kind === 2) socket.write(Buffer.alloc(200_000, "a"));
            if (kind === 3) socket.shutdown();
            if (kind === 4) socket.write(random);
            if (kind === 5) socket.write(`version = 1\na = ${"[".repeat(20_000)}\n\n`);
            if (kind === 6) {
              socket.write('version = 1\ncommand = "status"\n\n');
              socket.terminate();
            }
            if (kind === 7) {
              socket.write('version = 1\ncommand = "status"\n\n');
              socket.pause();
              setTimeout(() => socket.resume(), 6000);
            }
            if (kind === DEEP) socket.write(`a = ${"[{a = ".repeat(8_000)}\n\n`);
            if (kind === 9)
              socket.write('version = 1\ncommand = "add"\npath = "/x"\nexclude = ["re:(x+x+)+y"]\n\n');
          },
          data() {},
          end: finish,
          close: finish,
          error: finish,
        },
      });
      break;
    } catch {
      // The backlog is full: bad company waits for its turn.
      await Bun.sleep(20);
    }
  }
  void gone.then(() => clearInterval(trickle));
  return { gone, isGone: () => over };
}
