// Clients that mean no good. After each of them, an honest one must still be served, and the event loop must not have stood
// still meanwhile.

import { describe, expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { REPLY_SIZE_MAX_BYTES, REQUEST_SIZE_MAX_BYTES } from "../../src/control/protocol.ts";
import { CLIENTS_MAX } from "../../src/control/server.ts";
import { REPLY_TIME_MS, REQUEST_TIME_MS } from "../../src/control/session.ts";
import { type FakeDaemon, fakeDaemon, ME, RawClient, WATCHED } from "./fake-daemon.ts";

const STATUS_REQUEST = 'version = 1\ncommand = "status"\n\n';

/** A status of 4000 paths has about 2 MiB. */
const MANY_PATHS = Array.from({ length: 4000 }, (_, n) => ({ ...WATCHED, path: `/srv/${n}` }));

async function condition(holds: () => boolean): Promise<void> {
  while (!holds()) await Bun.sleep(5);
}

async function honestIsServed(daemon: FakeDaemon): Promise<void> {
  const begun = performance.now();
  const client = await RawClient.connect(daemon.socketPath);
  client.send(STATUS_REQUEST);
  expect(await client.reply()).toContain("ok = true");
  expect(performance.now() - begun).toBeLessThan(1000);
}

describe("a hostile client", () => {
  test("that stays silent gets an error within the time limit", async () => {
    await using daemon = await fakeDaemon();
    const begun = performance.now();
    const client = await RawClient.connect(daemon.socketPath);
    await honestIsServed(daemon);
    expect(await client.reply()).toContain("did not arrive in time");
    expect(performance.now() - begun).toBeLessThan(REQUEST_TIME_MS + 1500);
  });

  test("that sends a byte now and then gets no more time than a silent one", async () => {
    await using daemon = await fakeDaemon();
    const begun = performance.now();
    const client = await RawClient.connect(daemon.socketPath);
    const dripping = setInterval(() => client.send("#"), 100);
    const reply = await client.reply().finally(() => clearInterval(dripping));
    expect(reply).toContain("did not arrive in time");
    expect(performance.now() - begun).toBeLessThan(REQUEST_TIME_MS + 1500);
  });

  test("that sends too much is told the limit", async () => {
    await using daemon = await fakeDaemon();
    const client = await RawClient.connect(daemon.socketPath);
    client.send(Buffer.alloc(REQUEST_SIZE_MAX_BYTES + 1, "#"));
    expect(await client.reply()).toContain(String(REQUEST_SIZE_MAX_BYTES));
    await honestIsServed(daemon);
  });

  test("that sends random bytes gets an error", async () => {
    await using daemon = await fakeDaemon();
    let seed = 1;
    for (let round = 0; round < 50; round++) {
      const bytes = Buffer.alloc(500);
      for (let at = 0; at < bytes.length; at++) {
        seed = (seed * 48271) % 0x7fffffff;
        bytes[at] = seed & 0xff;
      }
      const client = await RawClient.connect(daemon.socketPath);
      client.send(bytes);
      client.halfClose();
      expect(await client.reply()).toContain('class = "request"');
    }
    await honestIsServed(daemon);
  });

  test("that sends deep TOML gets an error", async () => {
    await using daemon = await fakeDaemon();
    for (const deep of ["[".repeat(60_000), "{a=".repeat(20_000), `${"a.".repeat(30_000)}a = 1`]) {
      const client = await RawClient.connect(daemon.socketPath);
      client.send(`version = 1\ncommand = "status"\n${deep.startsWith("a.") ? deep : `a = ${deep}`}\n\n`);
      expect(await client.reply()).toContain('class = "request"');
    }
    await honestIsServed(daemon);
  });

  test("that half-closes without a word is let go", async () => {
    await using daemon = await fakeDaemon();
    const client = await RawClient.connect(daemon.socketPath);
    client.halfClose();
    expect(await client.reply()).toBe("");
    await honestIsServed(daemon);
  });

  test("that is gone before the reply harms nobody", async () => {
    await using daemon = await fakeDaemon();
    daemon.handler.before = () => Bun.sleep(20);
    for (let round = 0; round < 20; round++) {
      const client = await RawClient.connect(daemon.socketPath);
      client.send('version = 1\ncommand = "add"\npath = "/a"\n\n');
      client.leave();
    }
    await honestIsServed(daemon);
    expect(daemon.faults).toEqual([]);
  });

  test("that goes on talking after its request still gets its answer", async () => {
    await using daemon = await fakeDaemon();
    const client = await RawClient.connect(daemon.socketPath);
    client.send(`${STATUS_REQUEST}${"x".repeat(100_000)}`);
    await client.ended;
    client.send("more");
    expect(await client.reply()).toContain("ok = true");
  });

  test("that never reads its reply is dropped after a time", async () => {
    await using daemon = await fakeDaemon();
    daemon.handler.paths = MANY_PATHS;
    const client = await RawClient.connect(daemon.socketPath);
    client.stopReading();
    client.send(STATUS_REQUEST);
    const begun = performance.now();
    await condition(() => daemon.server.clientCount === 1);
    await condition(() => daemon.server.clientCount === 0);
    expect(performance.now() - begun).toBeLessThan(REPLY_TIME_MS + 1500);
    client.readOn();
    expect((await client.reply()).endsWith("\n\n")).toBe(false);
  });

  test("is one of 20 that don't read: together they hold no more than one large reply, and small ones get through", async () => {
    await using daemon = await fakeDaemon();
    daemon.handler.paths = MANY_PATHS;
    const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.connect(daemon.socketPath)));
    const honest = await RawClient.connect(daemon.socketPath);
    for (const client of clients) {
      client.stopReading();
      client.send(STATUS_REQUEST);
    }
    // In the same breath: this process, which plays the daemon too, is busy with the others' replies from now on.
    honest.send('version = 1\ncommand = "reload"\n\n');
    expect(await honest.reply()).toContain("ok = true");
    for (const client of clients) client.readOn();
    const replies = await Promise.all(clients.map((client) => client.reply()));
    const large = replies.filter((reply) => reply.includes("ok = true"));
    expect(large.length).toBeGreaterThan(0);
    expect(large.join("").length).toBeLessThan(REPLY_SIZE_MAX_BYTES + 20 * 512 * 1024);
    expect(replies.filter((reply) => reply.includes("retry = true")).length).toBe(20 - large.length);
  });

  test("is one of 100 silent ones: no more than the limit stay, the others are told to try again", async () => {
    await using daemon = await fakeDaemon();
    const clients: RawClient[] = [];
    for (let n = 0; n < 100; n++) clients.push(await RawClient.connect(daemon.socketPath));
    await condition(() => daemon.server.clientCount > 0);
    const oldest = clients[0]?.reply();
    expect(await oldest).toContain("retry = true");
    expect(daemon.server.clientCount).toBeLessThanOrEqual(CLIENTS_MAX);
    for (const client of clients) client.leave();
  });

  test("is one of 1,000 at once: every one ends, an honest one gets through, memory stays", async () => {
    await using daemon = await fakeDaemon();
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    let latestTick = performance.now();
    let longestStall = 0;
    const heartbeat = setInterval(() => {
      longestStall = Math.max(longestStall, performance.now() - latestTick);
      latestTick = performance.now();
    }, 10);
    const clients: RawClient[] = [];
    try {
      for (let n = 0; n < 1000; n++) {
        const client = await RawClient.connect(daemon.socketPath);
        if (n % 4 === 1) client.send(Buffer.alloc(60_000, "#"));
        if (n % 4 === 2) client.send("\x00\xff[[[[");
        if (n % 4 === 3) client.leave();
        clients.push(client);
        if (n % 250 === 100) await honestIsServed(daemon);
      }
      await honestIsServed(daemon);
      await Promise.all(clients.map((client) => client.ended));
    } finally {
      clearInterval(heartbeat);
      for (const client of clients) client.leave();
    }
    expect(longestStall).toBeLessThan(500);
    Bun.gc(true);
    // Both ends live in this process, so the bound is looser than the daemon's own 16 MiB.
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024);
    expect(clients.length).toBeGreaterThan(CLIENTS_MAX);
    await honestIsServed(daemon);
  });

  test.skipIf(ME.uid !== 0)(
    "of another user is refused by the kernel's word, even with the file's permissions open (needs root)",
    async () => {
      await using daemon = await fakeDaemon();
      chmodSync(daemon.dir, 0o755);
      chmodSync(daemon.socketPath, 0o666);
      const stranger = Bun.spawn(
        [
          "python3",
          "-c",
          `import os,socket,sys
os.setgroups([]); os.setgid(65533); os.setuid(65533)
s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
try: s.sendall(b'version = 1\\ncommand = "status"\\n\\n')
except OSError: pass
print(s.recv(4096).decode())`,
          daemon.socketPath,
        ],
        { stdout: "pipe", stderr: "inherit" },
      );
      expect(await new Response(stranger.stdout).text()).toContain('class = "refused"');
      await honestIsServed(daemon);
    },
  );
});
