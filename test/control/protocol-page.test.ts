// docs/protocol.md is a promise to other people's programs: each sample request is sent by a program that isn't fsmon, and
// the reply compared, letter by letter.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeReply } from "../../src/control/reply.ts";
import type { ManagedPath } from "../../src/event.ts";
import { notManaged } from "../../src/managed/not-managed.ts";
import { FakeHandler, fakeDaemon, STATUS, WATCHED } from "./fake-daemon.ts";

const LOG_FILE = "/home/alice/.local/state/fsmon/6a3f4c19d0b25e78_log.jsonl";

class PageHandler extends FakeHandler {
  override async add(entry: ManagedPath) {
    return { ...(await super.add(entry)), logFile: LOG_FILE };
  }
  override remove(path: string) {
    if (this.entries.delete(path)) return { path, logFile: LOG_FILE };
    throw notManaged(path, ["/var/www"]);
  }
  override status() {
    return { ...STATUS, paths: [WATCHED], notes: ["Kernel 5.15: no FAN_RENAME"] };
  }
  override seal() {
    return true;
  }
}

const page = readFileSync(join(import.meta.dir, "../../docs/protocol.md"), "utf8");
const samples = [...page.matchAll(/```toml request\n([\s\S]*?)```\n\n```toml reply\n([\s\S]*?)```/g)].map(
  ([, request = "", reply = ""]) => ({ request, reply }),
);

/** A client in another language, as a reader of the page would write it: one connection a request. */
const CLIENT = `
import json, socket, sys
replies = []
for request in json.load(sys.stdin):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.sendall(request.encode())
    if sys.argv[2] == "half-close": s.shutdown(socket.SHUT_WR)
    reply = b""
    while data := s.recv(65536): reply += data
    replies.append(reply.decode())
print(json.dumps(replies))
`;

async function send(
  socketPath: string,
  requests: readonly string[],
  ending: "empty-line" | "half-close",
): Promise<unknown> {
  const client = Bun.spawn(["python3", "-c", CLIENT, socketPath, ending], {
    stdin: Buffer.from(JSON.stringify(requests)),
    stdout: "pipe",
    stderr: "inherit",
  });
  return new Response(client.stdout).json();
}

describe("docs/protocol.md", () => {
  test("has a sample for each command and for failures", () => {
    const commands = samples.map(({ request }) => /command = "(\w+)"/.exec(request)?.[1]);
    expect(new Set(commands)).toEqual(new Set(["add", "remove", "status", "health", "seal", "reload"]));
    expect(samples.filter(({ reply }) => reply.includes("ok = false")).length).toBeGreaterThanOrEqual(3);
    expect(page.match(/```toml request/g)).toHaveLength(samples.length);
  });

  test("shows each reply exactly as the daemon gives it, in the page's order", async () => {
    await using daemon = await fakeDaemon({ handler: new PageHandler() });
    const requests = samples.map(({ request }) => request);
    const replies = await send(daemon.socketPath, requests, "empty-line");
    expect(replies).toEqual(samples.map(({ reply }) => reply));
  });

  test("tells the truth about half-closes: the empty line may be left out", async () => {
    await using daemon = await fakeDaemon({ handler: new PageHandler() });
    const requests = samples.map(({ request }) => request.trimEnd());
    const replies = await send(daemon.socketPath, requests, "half-close");
    expect(replies).toEqual(samples.map(({ reply }) => reply));
  });

  test("shows replies that fsmon's own client reads", () => {
    for (const { request, reply } of samples) {
      const command = /command = "(\w+)"/.exec(request)?.[1] as "status";
      expect(decodeReply(command, reply).ok).toBe(reply.includes("ok = true"));
    }
  });
});
