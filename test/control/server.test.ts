import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { askDaemon } from "../../src/control/client.ts";
import { encodeRequest } from "../../src/control/request.ts";
import { ControlServer } from "../../src/control/server.ts";
import { asOwner } from "../../src/kernel/identity.ts";
import { ENTRY, FakeHandler, fakeDaemon, ME, RawClient } from "./fake-daemon.ts";

const STATUS_REQUEST = 'version = 1\ncommand = "status"\n\n';
const NOBODY = { uid: 65534, gid: 65534, groups: [65534] };
const asRoot = ME.uid === 0;

async function ask(socketPath: string, text: string): Promise<string> {
  const client = await RawClient.connect(socketPath);
  client.send(text);
  return client.reply();
}

describe("the control server answers", () => {
  test("each command", async () => {
    await using daemon = await fakeDaemon();
    const add = Buffer.from(encodeRequest({ command: "add", entry: ENTRY })).toString();
    expect(await ask(daemon.socketPath, add)).toContain("replaced = false");
    expect(await ask(daemon.socketPath, add)).toContain("replaced = true");
    expect(daemon.handler.entries.get(ENTRY.path)).toEqual(ENTRY);
    expect(await ask(daemon.socketPath, STATUS_REQUEST)).toContain("pid = 4242");
    expect(await ask(daemon.socketPath, 'version = 1\ncommand = "health"\n\n')).toContain("healthy = false");
    expect(
      await ask(daemon.socketPath, 'version = 1\ncommand = "seal"\nhash = "0123456789abcdef"\n\n'),
    ).toContain("sealed = true");
    expect(await ask(daemon.socketPath, 'version = 1\ncommand = "remove"\npath = "/srv/data"\n\n')).toContain(
      "ok = true",
    );
    expect(await ask(daemon.socketPath, 'version = 1\ncommand = "reload"\n\n')).toBe(
      "version = 1\nok = true\n\n",
    );
    expect(daemon.handler.reloads).toBe(1);
  });

  test("a request that is ended by a half-close", async () => {
    await using daemon = await fakeDaemon();
    const client = await RawClient.connect(daemon.socketPath);
    client.send('version = 1\ncommand = "reload"');
    client.halfClose();
    expect(await client.reply()).toContain("ok = true");
  });

  test("a Failure of the daemon with class, hint and exit code", async () => {
    await using daemon = await fakeDaemon();
    const reply = await ask(daemon.socketPath, 'version = 1\ncommand = "remove"\npath = "/srv/dat"\n\n');
    expect(reply).toBe(
      [
        "version = 1",
        "ok = false",
        'class = "impossible"',
        'message = "Cannot remove \\"/srv/dat\\": it is not managed"',
        'hint = "the nearest managed path is \\"/srv/data\\""',
        "exit_code = 1",
        "",
        "",
      ].join("\n"),
    );
  });

  test("an unexpected error of the daemon as internal, and tells the daemon", async () => {
    await using daemon = await fakeDaemon();
    daemon.handler.before = () => {
      throw new RangeError("broken");
    };
    const reply = await ask(daemon.socketPath, 'version = 1\ncommand = "add"\npath = "/a"\n\n');
    expect(reply).toContain('class = "internal"');
    expect(reply).toContain("broken");
    expect(daemon.faults).toHaveLength(1);
  });

  test("adds one after the other, never two at once", async () => {
    await using daemon = await fakeDaemon();
    let inside = 0;
    let most = 0;
    daemon.handler.before = async () => {
      most = Math.max(most, ++inside);
      await Bun.sleep(1);
      inside--;
    };
    const paths = Array.from({ length: 20 }, (_, n) => `/p${n}`);
    await Promise.all(
      paths.map((path) => ask(daemon.socketPath, `version = 1\ncommand = "add"\npath = "${path}"\n\n`)),
    );
    expect(most).toBe(1);
    expect(daemon.handler.entries.size).toBe(20);
  });

  test("with a reply larger than any socket buffer, whole", async () => {
    await using daemon = await fakeDaemon();
    const { WATCHED } = await import("./fake-daemon.ts");
    daemon.handler.paths = Array.from({ length: 2000 }, (_, n) => ({ ...WATCHED, path: `/srv/${n}` }));
    const reply = await ask(daemon.socketPath, STATUS_REQUEST);
    expect(reply.match(/^path = /gm)).toHaveLength(2000);
    expect(reply.endsWith("\n\n")).toBe(true);
  });
});

describe("the control server's place", () => {
  test("gets a socket that only its owner may use", async () => {
    await using daemon = await fakeDaemon();
    expect(lstatSync(daemon.socketPath).mode & 0o777).toBe(0o600);
    expect(daemon.server.state).toEqual({ controllable: true });
  });

  test.skipIf(!asRoot)(
    "gets a socket that belongs to the owner, though root made it (needs root)",
    async () => {
      await using daemon = await fakeDaemon();
      chmodSync(daemon.dir, 0o777);
      const socketPath = join(daemon.dir, "o.sock");
      const server = new ControlServer({ socketPath, owner: NOBODY, handler: new FakeHandler() });
      expect(server.ensure()).toEqual({ controllable: true });
      expect(statSync(socketPath).uid).toBe(NOBODY.uid);
      server.close();
      expect(existsSync(socketPath)).toBe(false);
    },
  );

  test("is empty again after close()", async () => {
    await using daemon = await fakeDaemon();
    daemon.server.close();
    expect(existsSync(daemon.socketPath)).toBe(false);
  });

  test("is taken over from a dead daemon", async () => {
    await using daemon = await fakeDaemon();
    const socketPath = join(daemon.dir, "dead.sock");
    leaveDeadSocket(socketPath);
    const server = new ControlServer({ socketPath, owner: ME, handler: new FakeHandler() });
    expect(server.ensure()).toEqual({ controllable: true });
    expect(await ask(socketPath, STATUS_REQUEST)).toContain("ok = true");
    server.close();
  });

  test("is not taken from a live daemon", async () => {
    await using daemon = await fakeDaemon();
    const second = new ControlServer({
      socketPath: daemon.socketPath,
      owner: ME,
      handler: new FakeHandler(),
    });
    const state = second.ensure();
    expect(state).toMatchObject({ controllable: false, reason: expect.stringContaining("answers") });
    second.close();
    expect(await ask(daemon.socketPath, STATUS_REQUEST)).toContain("ok = true");
  });

  test("is not taken from a live program whose backlog is full", async () => {
    await using daemon = await fakeDaemon();
    const socketPath = join(daemon.dir, "full.sock");
    const busy = Bun.spawn(
      [
        "python3",
        "-c",
        `import socket,sys;s=socket.socket(socket.AF_UNIX);s.bind(${JSON.stringify(socketPath)});s.listen(0);print(1,flush=True);sys.stdin.read()`,
      ],
      { stdout: "pipe", stdin: "pipe" },
    );
    await busy.stdout.getReader().read();
    const filling = await RawClient.connect(socketPath);
    const server = new ControlServer({ socketPath, owner: ME, handler: new FakeHandler() });
    expect(server.ensure()).toMatchObject({ controllable: false });
    expect(existsSync(socketPath)).toBe(true);
    filling.leave();
    busy.kill();
    await busy.exited;
  });

  for (const [what, make] of [
    ["a file", (path: string) => writeFileSync(path, "precious")],
    ["a directory", (path: string) => mkdirSync(path)],
    ["a symlink to nowhere", (path: string) => symlinkSync("/nonexistent/target", path)],
    ["a FIFO", (path: string) => void Bun.spawnSync(["mkfifo", path])],
  ] as const) {
    test(`is not taken from ${what}, and becomes usable once that is gone`, async () => {
      await using daemon = await fakeDaemon();
      const socketPath = join(daemon.dir, "occupied");
      make(socketPath);
      const inode = lstatSync(socketPath).ino;
      const server = new ControlServer({ socketPath, owner: ME, handler: new FakeHandler() });
      const state = server.ensure();
      expect(state.controllable).toBe(false);
      expect(lstatSync(socketPath).ino).toBe(inode);
      renameSync(socketPath, `${socketPath}.away`);
      expect(server.ensure()).toEqual({ controllable: true });
      server.close();
      expect(existsSync(`${socketPath}.away`) || what === "a symlink to nowhere").toBe(true);
    });
  }

  test.skipIf(!asRoot)("is not taken from another user's dead socket (needs root)", async () => {
    await using daemon = await fakeDaemon();
    chmodSync(daemon.dir, 0o1777);
    const socketPath = join(daemon.dir, "theirs.sock");
    asOwner({ uid: 65533, gid: 65533, groups: [] }, () => leaveDeadSocketHere(socketPath));
    const server = new ControlServer({ socketPath, owner: NOBODY, handler: new FakeHandler() });
    expect(server.ensure()).toMatchObject({
      controllable: false,
      reason: expect.stringContaining("uid 65533"),
    });
    expect(existsSync(socketPath)).toBe(true);
  });

  test("in a missing directory is a state, not an error", async () => {
    const server = new ControlServer({
      socketPath: "/proc/nonexistent/x.sock",
      owner: ME,
      handler: new FakeHandler(),
    });
    expect(server.ensure()).toMatchObject({
      controllable: false,
      reason: expect.stringContaining("ENOENT"),
    });
  });

  test("is taken anew when its socket file was removed", async () => {
    await using daemon = await fakeDaemon();
    unlinkSync(daemon.socketPath);
    expect(daemon.server.ensure()).toEqual({ controllable: true });
    expect(await ask(daemon.socketPath, STATUS_REQUEST)).toContain("ok = true");
  });

  for (const [what, occupy] of [
    ["a file", (path: string) => writeFileSync(path, "precious")],
    ["a directory", (path: string) => mkdirSync(path)],
    ["a FIFO", (path: string) => void Bun.spawnSync(["mkfifo", path])],
  ] as const) {
    test(`that was taken by ${what} costs no descriptor, stays, and is not called a busy daemon's`, async () => {
      await using daemon = await fakeDaemon();
      const before = openDescriptors();
      for (let round = 0; round < 3; round++) {
        unlinkSync(daemon.socketPath);
        occupy(daemon.socketPath);
        const { ino } = lstatSync(daemon.socketPath);
        expect(daemon.server.ensure()).toMatchObject({ controllable: false });
        expect(lstatSync(daemon.socketPath).ino).toBe(ino);
        expect(await askDaemon(daemon.socketPath, { command: "status" })).toMatchObject({
          running: false,
          obstacle: expect.stringContaining("no socket"),
        });
        rmSync(daemon.socketPath, { recursive: true });
        expect(daemon.server.ensure()).toEqual({ controllable: true });
      }
      expect(await ask(daemon.socketPath, STATUS_REQUEST)).toContain("ok = true");
      // Clients' descriptors go with the next turn of the event loop.
      while (openDescriptors() > before) await Bun.sleep(5);
    });
  }

  test("is taken back by the running daemon from a dead program's socket", async () => {
    await using daemon = await fakeDaemon();
    unlinkSync(daemon.socketPath);
    leaveDeadSocket(daemon.socketPath);
    expect(daemon.server.ensure()).toEqual({ controllable: true });
    expect(await ask(daemon.socketPath, STATUS_REQUEST)).toContain("ok = true");
  });

  test("may be taken while a client is being answered: the answer still arrives", async () => {
    await using daemon = await fakeDaemon();
    const { promise: inside, resolve: begun } = Promise.withResolvers<void>();
    const { promise: done, resolve: goOn } = Promise.withResolvers<void>();
    daemon.handler.before = () => {
      begun();
      return done;
    };
    const reply = ask(daemon.socketPath, 'version = 1\ncommand = "add"\npath = "/a"\n\n');
    await inside;
    unlinkSync(daemon.socketPath);
    writeFileSync(daemon.socketPath, "precious");
    expect(daemon.server.ensure()).toMatchObject({ controllable: false });
    goOn();
    expect(await reply).toContain("ok = true");
  });

  test("is left alone at close() when somebody else's file lies there by now", async () => {
    await using daemon = await fakeDaemon();
    unlinkSync(daemon.socketPath);
    writeFileSync(daemon.socketPath, "precious");
    daemon.server.close();
    expect(existsSync(daemon.socketPath)).toBe(true);
  });
});

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Makes what a killed daemon leaves: a socket file that nobody listens at. */
function leaveDeadSocket(path: string): void {
  const code = `import socket;socket.socket(socket.AF_UNIX).bind(${JSON.stringify(path)})`;
  Bun.spawnSync(["python3", "-c", code]);
}

function leaveDeadSocketHere(path: string): void {
  const listener = Bun.listen({ unix: path, socket: { data() {} } });
  // stop() would unlink it, so it is renamed out of reach first.
  renameSync(path, `${path}.kept`);
  listener.stop(true);
  renameSync(`${path}.kept`, path);
}
