// The client's end of the control socket: one request, one reply, within a time. /tmp is shared, so the program at the
// other end is checked before it is told or believed anything. That no daemon runs is an answer, not an error.

import { lstatSync } from "node:fs";
import { causeOf, errorCode, Failure } from "../failure.ts";
import { isListening, peerCredentials } from "../kernel/socket.ts";
import { socketDescriptor } from "./descriptor.ts";
import { FramingError, MessageReader } from "./framing.ts";
import { type Command, REPLY_SIZE_MAX_BYTES, type ReplyByCommand, type Request } from "./protocol.ts";
import { decodeReply, type Reply } from "./reply.ts";
import { encodeRequest } from "./request.ts";

/** A live daemon takes a connection within milliseconds; its backlog may be full for a moment. */
const CONNECT_TIME_MS = 2_000;
/** An `add` of a path on a slow disk, behind other clients; so long a place among them is waited for, too. */
const REPLY_TIME_MS = 30_000;
/** Between two tries at a busy daemon. */
const RETRY_MS = 50;

export type Answer<C extends Command> =
  | { readonly running: true; readonly reply: ReplyByCommand[C] }
  /** `obstacle`: what lies at the socket's place and is no socket, so that a daemon couldn't be reached; else null. */
  | { readonly running: false; readonly obstacle: string | null };

/**
 * Asks the daemon at socketPath.
 *
 * @throws {Failure} the daemon's own refusal, or why it can't be reached or believed
 */
export async function askDaemon<C extends Command>(
  socketPath: string,
  request: Extract<Request, { command: C }>,
  replyTimeMs = REPLY_TIME_MS,
): Promise<Answer<C>> {
  const begunMs = performance.now();
  for (;;) {
    const text = await converse(
      socketPath,
      encodeRequest(request),
      performance.now() + CONNECT_TIME_MS,
      replyTimeMs,
    );
    if (text === null) return { running: false, obstacle: obstacleAt(socketPath) };
    const reply = decode<C>(request.command, text, socketPath);
    if (reply.ok) return { running: true, reply: reply.data };
    if (reply.failure.retry && performance.now() - begunMs < replyTimeMs) {
      await Bun.sleep(RETRY_MS);
      continue;
    }
    throw new Failure(reply.failure.message, reply.failure.hint, reply.failure.exitCode);
  }
}

/** Sends the bytes and collects the reply's text; null when nobody listens. */
async function converse(
  socketPath: string,
  request: Uint8Array,
  until: number,
  replyTimeMs: number,
): Promise<string | null> {
  for (;;) {
    const conversation = new Conversation(socketPath, request, replyTimeMs);
    try {
      await Bun.connect({ unix: socketPath, socket: conversation.callbacks() });
    } catch (error) {
      conversation.cancel();
      const code = errorCode(error);
      // The runtime reports a full backlog as ECONNREFUSED as well.
      if (code === "ENOENT" || (code === "ECONNREFUSED" && !isListening(socketPath))) return null;
      // ECONNRESET: too many at once, and we were the one that made room.
      if ((code === "ECONNREFUSED" || code === "ECONNRESET") && performance.now() < until) {
        await Bun.sleep(RETRY_MS);
        continue;
      }
      throw unreachable(socketPath, error);
    }
    return conversation.reply;
  }
}

class Conversation {
  readonly reply: Promise<string>;
  private readonly socketPath: string;
  private readonly reader = new MessageReader(REPLY_SIZE_MAX_BYTES + 1024);
  private readonly timer: Timer;
  private socket: Bun.Socket | null = null;
  private rest: Uint8Array;
  private resolve: (text: string) => void = () => {};
  private reject: (error: unknown) => void = () => {};

  constructor(socketPath: string, request: Uint8Array, replyTimeMs: number) {
    this.socketPath = socketPath;
    this.rest = request;
    this.reply = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // The connection may fail before anybody waits for the reply; that is reported elsewhere.
    this.reply.catch(() => {});
    this.timer = setTimeout(() => {
      this.fail(
        new Failure(
          `The daemon at "${socketPath}" gave no answer in ${replyTimeMs / 1000} s`,
          "see whether it is alive",
        ),
      );
      // An open socket would keep the program alive for as long as the daemon hangs.
      this.socket?.terminate();
    }, replyTimeMs);
  }

  cancel(): void {
    clearTimeout(this.timer);
  }

  callbacks() {
    return {
      open: (socket: Bun.Socket) => {
        this.socket = socket;
        try {
          refuseStranger(socket, this.socketPath);
          this.send(socket);
        } catch (error) {
          this.fail(error);
          socket.terminate();
        }
      },
      drain: (socket: Bun.Socket) => this.send(socket),
      data: (socket: Bun.Socket, bytes: Uint8Array) => {
        try {
          const text = this.reader.push(bytes);
          if (text !== null) this.done(socket, text);
        } catch (error) {
          this.fail(misunderstood(this.socketPath, error));
          socket.terminate();
        }
      },
      close: () => this.ended(),
      error: () => this.ended(),
      connectError: () => {},
    };
  }

  private send(socket: Bun.Socket): void {
    if (this.rest.length === 0) return;
    const written = socket.write(this.rest);
    if (written > 0) this.rest = this.rest.subarray(written);
  }

  private done(socket: Bun.Socket, text: string): void {
    clearTimeout(this.timer);
    this.resolve(text);
    socket.terminate();
  }

  private fail(error: unknown): void {
    clearTimeout(this.timer);
    this.reject(error);
  }

  /** The other end is gone. What came may still be a whole reply, ended by the close instead of an empty line. */
  private ended(): void {
    const hint = "see the daemon's own messages (it may just have stopped)";
    try {
      const text = this.reader.end();
      if (text === null)
        throw new Failure(`The daemon at "${this.socketPath}" hung up without an answer`, hint);
      clearTimeout(this.timer);
      this.resolve(text);
    } catch (error) {
      this.fail(error instanceof Failure ? error : misunderstood(this.socketPath, error));
    }
  }
}

/** Another user may have put a socket at our place, to collect paths and to tell us that all is well. */
function refuseStranger(socket: Bun.Socket, socketPath: string): void {
  const { uid, pid } = peerCredentials(socketDescriptor(socket));
  if (uid === 0 || uid === process.geteuid?.()) return;
  throw new Failure(
    `Cannot trust the program at "${socketPath}": it runs as uid ${uid} (pid ${pid}), not as root`,
    `find out what it is (ps -p ${pid}) and remove the socket, or set another [socket] path in config.toml`,
  );
}

function decode<C extends Command>(command: C, text: string, socketPath: string): Reply<C> {
  try {
    return decodeReply(command, text);
  } catch (error) {
    throw misunderstood(socketPath, error);
  }
}

function misunderstood(socketPath: string, error: unknown): Failure {
  const detail = error instanceof FramingError || error instanceof Error ? error.message : String(error);
  return new Failure(
    `Cannot understand the daemon's answer at "${socketPath}": ${detail}`,
    "restart the daemon with the same version of fsmon",
  );
}

function unreachable(socketPath: string, error: unknown): Failure {
  const code = errorCode(error);
  if (code === "EACCES" || code === "EPERM") {
    return new Failure(
      `Cannot reach the daemon at "${socketPath}": permission denied`,
      "only root and the user whom the daemon works for may control it",
    );
  }
  if (code === "ECONNREFUSED") {
    return new Failure(`The daemon at "${socketPath}" is too busy to answer`, "try again in a moment");
  }
  return new Failure(`Cannot reach the daemon at "${socketPath}": ${causeOf(error)}`);
}

/** A file or directory at the socket's place: a running daemon would say that it can't be controlled. */
function obstacleAt(socketPath: string): string | null {
  try {
    return lstatSync(socketPath).isSocket()
      ? null
      : `"${socketPath}" is no socket, so a running daemon cannot be reached`;
  } catch {
    return null;
  }
}
