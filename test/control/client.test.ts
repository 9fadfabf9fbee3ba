import { describe, expect, test } from "bun:test";
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { askDaemon } from "../../src/control/client.ts";
import { EXIT, Failure } from "../../src/failure.ts";
import { ENTRY, fakeDaemon, ME, RawClient, WATCHED } from "./fake-daemon.ts";

describe("askDaemon()", () => {
  test("returns the daemon's data", async () => {
    await using daemon = await fakeDaemon();
    daemon.handler.paths = [WATCHED];
    const answer = await askDaemon(daemon.socketPath, { command: "status" });
    expect(answer).toMatchObject({ running: true, reply: { pid: 4242, paths: [WATCHED] } });
    const added = await askDaemon(daemon.socketPath, { command: "add", entry: ENTRY });
    expect(added).toMatchObject({ running: true, reply: { path: ENTRY.path, replaced: false } });
  });

  test("returns a reply of megabytes whole", async () => {
    await using daemon = await fakeDaemon();
    daemon.handler.paths = Array.from({ length: 3000 }, (_, n) => ({ ...WATCHED, path: `/srv/${n}` }));
    const answer = await askDaemon(daemon.socketPath, { command: "status" });
    expect(answer.running && answer.reply.paths.length).toBe(3000);
  });

  test("throws the daemon's refusal with its hint and exit code", async () => {
    await using daemon = await fakeDaemon();
    const failure = await failureOf(askDaemon(daemon.socketPath, { command: "remove", path: "/nope" }));
    expect(failure).toMatchObject({
      message: 'Cannot remove "/nope": it is not managed',
      exitCode: EXIT.failed,
    });
    expect(failure.hint).toContain("/srv/data");
  });

  test("says that no daemon runs when the socket is missing or dead", async () => {
    await using daemon = await fakeDaemon();
    const missing = await askDaemon(join(daemon.dir, "none.sock"), { command: "status" });
    expect(missing).toEqual({ running: false, obstacle: null });
    const dead = join(daemon.dir, "dead.sock");
    Bun.spawnSync([
      "python3",
      "-c",
      `import socket;socket.socket(socket.AF_UNIX).bind(${JSON.stringify(dead)})`,
    ]);
    expect(await askDaemon(dead, { command: "status" })).toEqual({ running: false, obstacle: null });
  });

  test("names what occupies the socket's place", async () => {
    await using daemon = await fakeDaemon();
    const path = join(daemon.dir, "file");
    writeFileSync(path, "");
    expect(await askDaemon(path, { command: "status" })).toMatchObject({
      running: false,
      obstacle: expect.stringContaining("no socket"),
    });
  });

  test("gives a daemon up that hangs, and the program that asked can end", async () => {
    await using daemon = await fakeDaemon();
    const hung = join(daemon.dir, "hung.sock");
    using _listener = Bun.listen({ unix: hung, socket: { data() {} } });
    const program = `
      import { askDaemon } from "${join(import.meta.dir, "../../src/control/client.ts")}";
      await askDaemon(${JSON.stringify(hung)}, { command: "status" }, 200).catch(({ message }) => console.log(message));`;
    const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", timeout: 10_000 });
    expect(await new Response(child.stdout).text()).toContain("gave no answer in 0.2 s");
    expect(await child.exited).toBe(0);
  });

  test("waits for a place when the daemon is crowded", async () => {
    await using daemon = await fakeDaemon();
    const crowd: RawClient[] = [];
    for (let n = 0; n < 100; n++) crowd.push(await RawClient.connect(daemon.socketPath));
    const answer = await askDaemon(daemon.socketPath, { command: "status" });
    expect(answer.running).toBe(true);
    for (const client of crowd) client.leave();
  });

  test("tries again when the daemon asks for it", async () => {
    const busy =
      'version = 1\nok = false\nclass = "refused"\nmessage = "busy"\nexit_code = 1\nretry = true\n\n';
    await using program = await programThatSays(busy, busy, "version = 1\nok = true\n\n");
    expect(await askDaemon(program.socketPath, { command: "reload" })).toEqual({ running: true, reply: {} });
  });

  test("fails with a sentence when the other end hangs up, talks nonsense or is another version", async () => {
    const cases: [reply: string, message: string][] = [
      ["", "hung up without an answer"],
      ["HTTP/1.1 400 Bad Request\r\n\r\n", "Cannot understand"],
      ["version = 2\nok = true\n\n", "version 2"],
      ["version = 1\nok = true\n\n", "is missing"],
    ];
    for (const [reply, message] of cases) {
      await using impostor = await programThatSays(reply);
      const failure = await failureOf(askDaemon(impostor.socketPath, { command: "status" }));
      expect(failure.message).toContain(message);
    }
  });

  test.skipIf(ME.uid !== 0)("refuses to talk to a program of another user (needs root)", async () => {
    await using daemon = await fakeDaemon();
    chmodSync(daemon.dir, 0o777);
    const socketPath = join(daemon.dir, "trap.sock");
    const trap = Bun.spawn(
      [
        "python3",
        "-c",
        `import os,socket,sys
os.setgroups([]); os.setgid(65533); os.setuid(65533)
s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(5); print("up", flush=True)
c,_=s.accept(); c.settimeout(1)
try: print("GOT", c.recv(100))
except OSError as e: print("error", e)`,
        socketPath,
      ],
      { stdout: "pipe" },
    );
    const output = trap.stdout.getReader();
    await output.read();
    const failure = await failureOf(askDaemon(socketPath, { command: "status" }));
    expect(failure.message).toContain("uid 65533");
    let heard = "";
    for (let part = await output.read(); !part.done; part = await output.read()) {
      heard += Buffer.from(part.value).toString();
    }
    expect(heard).toContain("GOT b''");
    await trap.exited;
  });
});

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("It did not fail");
}

/** A program that gives one reply after the other, the last one for ever. */
async function programThatSays(...replies: string[]) {
  const daemon = await fakeDaemon();
  daemon.server.close();
  const listener = Bun.listen({
    unix: daemon.socketPath,
    socket: {
      data: (socket) => {
        socket.write((replies.length > 1 ? replies.shift() : replies[0]) ?? "");
        socket.end();
      },
    },
  });
  return {
    socketPath: daemon.socketPath,
    async [Symbol.asyncDispose]() {
      listener.stop(true);
      rmSync(daemon.dir, { recursive: true, force: true });
    },
  };
}
