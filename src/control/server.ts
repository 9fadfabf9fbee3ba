// The daemon's end of the control socket: who may ask, one request a connection, one reply.
// Only root and the owner get in, by the kernel's word. Whatever a client does or leaves undone, the event loop goes on.

import { closeSync, lstatSync } from "node:fs";
import type { Socket, SocketListener } from "bun";
import { causeOf } from "../failure.ts";
import { asOwner, type Identity } from "../kernel/identity.ts";
import { listenAt, peerCredentials } from "../kernel/socket.ts";
import { type Answerer, answerer, failureText } from "./answer.ts";
import { listenOn, socketDescriptor } from "./descriptor.ts";
import { LeftBehind } from "./left-behind.ts";
import { type Inode, inodeAt, inspectPlace, removeSocketFile } from "./place.ts";
import type { ControlHandler } from "./protocol.ts";
import { Session } from "./session.ts";

/** Served at the same time. 64 × 64 KiB of request and 8 MiB of replies keep hostile clients below 16 MiB. */
export const CLIENTS_MAX = 64;

/** Of replies that wait to be fetched; one by itself may be larger. */
const UNSENT_MAX_BYTES = 8 * 1024 * 1024;

/** Always sent, however much others have not fetched yet: 64 of them are 4 MiB. */
const SMALL_REPLY_BYTES = 64 * 1024;

export interface ControlServerOptions {
  readonly socketPath: string;
  readonly owner: Identity;
  readonly handler: ControlHandler;
  /** Told about faults of the daemon itself that a request brought to light; the client gets `internal`. */
  readonly onInternalError?: (error: unknown) => void;
}

export type ControlState =
  | { readonly controllable: true }
  /** `reason` is a sentence for the person: what occupies the place, or what failed. */
  | { readonly controllable: false; readonly reason: string };

export class ControlServer {
  private readonly options: ControlServerOptions;
  private readonly answer: Answerer;
  private readonly sessions = new Set<Session>();
  private readonly leftBehind = new LeftBehind();
  private listener: SocketListener<Session> | null = null;
  private inode: Inode | null = null;
  private stateNow: ControlState = {
    controllable: false,
    reason: "The control socket has not been opened yet",
  };
  private closed = false;

  constructor(options: ControlServerOptions) {
    this.options = options;
    this.answer = answerer(options.handler, options.onInternalError);
  }

  get state(): ControlState {
    return this.stateNow;
  }

  /** Clients being served at this moment. */
  get clientCount(): number {
    return this.sessions.size;
  }

  /**
   * Listens if that isn't so already, and says whether clients can reach the daemon. Call it at the start and every few
   * seconds: the place may become free, and a listening socket's file may be removed by others. Never throws.
   */
  ensure(): ControlState {
    return this.closed || this.isReachable() ? this.stateNow : this.open();
  }

  /** Drops every client and takes the socket file away, if it is still this server's. */
  close(): void {
    this.closed = true;
    for (const session of [...this.sessions]) session.drop();
    this.sessions.clear();
    this.unlisten();
    this.stateNow = { controllable: false, reason: "The control socket is closed" };
  }

  private isReachable(): boolean {
    return this.inode !== null && inodeAt(this.options.socketPath, this.options.owner, this.inode);
  }

  private open(): ControlState {
    const { socketPath, owner } = this.options;
    this.unlisten();
    try {
      const place = inspectPlace(socketPath, owner);
      if (place.kind === "taken") return this.uncontrollable(place.reason);
      const obstacle = place.kind === "stale" ? removeSocketFile(socketPath, owner, place.inode) : null;
      if (obstacle !== null) return this.uncontrollable(obstacle);
      this.listen();
      return this.stateNow;
    } catch (error) {
      return this.uncontrollable(`Cannot listen at "${socketPath}": ${causeOf(error)}`);
    }
  }

  private uncontrollable(reason: string): ControlState {
    this.stateNow = { controllable: false, reason };
    return this.stateNow;
  }

  private listen(): void {
    const { socketPath, owner } = this.options;
    const fd = asOwner(owner, () => listenAt(socketPath));
    try {
      const inode = asOwner(owner, () => lstatSync(socketPath));
      this.listener = listenOn({ fd, allowHalfOpen: true, socket: this.callbacks() });
      this.inode = inode;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.stateNow = { controllable: true };
  }

  /** Stops listening and takes the file away if it is still ours. Who is being answered gets the rest of the answer. */
  private unlisten(): void {
    const { socketPath, owner } = this.options;
    const listener = this.listener;
    const inode = this.inode;
    this.listener = null;
    this.inode = null;
    listener?.stop();
    if (inode !== null) removeSocketFile(socketPath, owner, inode);
  }

  private callbacks() {
    return {
      open: (socket: Socket<Session>) => this.welcome(socket),
      data: (socket: Socket<Session>, bytes: Uint8Array) => this.take(socket.data, bytes),
      end: (socket: Socket<Session>) => this.hangUp(socket.data),
      drain: (socket: Socket<Session>) => socket.data?.flush(),
      close: (socket: Socket<Session>) => this.forget(socket.data),
      error: (socket: Socket<Session>) => this.forget(socket.data),
    };
  }

  private welcome(socket: Socket<Session>): void {
    this.leftBehind.byClient();
    if (!this.mayAsk(socket)) {
      socket.write(
        failureText(
          "refused",
          "Only root and the daemon's owner may control it",
          "use the owner's account or sudo",
        ),
      );
      socket.terminate();
      return;
    }
    const session: Session = new Session(socket, () => this.tooSlow(session));
    socket.data = session;
    if (this.sessions.size >= CLIENTS_MAX && !this.makeRoom()) {
      socket.write(busyText());
      session.drop();
      return;
    }
    this.sessions.add(session);
  }

  private mayAsk(socket: Socket<Session>): boolean {
    try {
      const { uid } = peerCredentials(socketDescriptor(socket));
      return uid === 0 || uid === this.options.owner.uid;
    } catch {
      return false;
    }
  }

  /** Lets the client go that has been silent for the longest time. */
  private makeRoom(): boolean {
    for (const session of this.sessions) {
      if (session.state !== "reading") continue;
      session.reply(busyText());
      session.drop();
      this.sessions.delete(session);
      return true;
    }
    return false;
  }

  private tooSlow(session: Session): void {
    session.reply(failureText("request", "The request did not arrive in time", "end it with an empty line"));
  }

  private receive(session: Session | undefined, take: (session: Session) => string | null): void {
    if (session === undefined) return;
    try {
      const text = take(session);
      if (text !== null) void this.serve(session, text);
    } catch (error) {
      session.reply(failureText("request", error));
    }
  }

  private take(session: Session | undefined, bytes: Uint8Array): void {
    this.receive(session, (one) => one.receive(bytes));
    this.leftBehind.byBytes(bytes.length);
  }

  private hangUp(session: Session | undefined): void {
    if (session === undefined) return;
    this.receive(session, (one) => one.receiveEnd());
    // Nothing came: there is nothing to wait for.
    if (session.state === "reading") session.drop();
  }

  private async serve(session: Session, text: string): Promise<void> {
    const reply = await this.answer(text);
    let unsentBytes = reply.length;
    for (const other of this.sessions) unsentBytes += other.unsentBytes;
    const crowded =
      unsentBytes > UNSENT_MAX_BYTES && unsentBytes > reply.length && reply.length > SMALL_REPLY_BYTES;
    session.reply(crowded ? busyText() : reply);
    this.leftBehind.byRequest();
  }

  private forget(session: Session | undefined): void {
    if (session === undefined) return;
    session.closed();
    this.sessions.delete(session);
  }
}

function busyText(): Uint8Array {
  return failureText("refused", "The daemon has too many clients at once", "try again in a moment", true);
}
