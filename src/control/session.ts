// One client of the control socket: a request comes in, a reply goes out, both within a time and a size.
// Knows bytes, timers and back-pressure; what a request means is the server's business. Never throws into the event loop.

import type { Socket } from "bun";
import { MessageReader } from "./framing.ts";
import { REQUEST_SIZE_MAX_BYTES } from "./protocol.ts";

/** An honest client sends its few hundred bytes at once. */
export const REQUEST_TIME_MS = 2_000;
/** An honest client reads at once; 10 MiB, what 20,000 paths take, over a slow terminal multiplexer still fits. */
export const REPLY_TIME_MS = 5_000;

/** `reading` the request, `working` on it, `writing` the reply. */
export type SessionState = "reading" | "working" | "writing" | "closed";

export class Session {
  private readonly socket: Socket<Session>;
  private readonly reader = new MessageReader(REQUEST_SIZE_MAX_BYTES);
  private timer: Timer;
  private phase: SessionState = "reading";
  private rest: Uint8Array = new Uint8Array(0);

  /** @param onTimeout called when the request has not arrived in time */
  constructor(socket: Socket<Session>, onTimeout: () => void) {
    this.socket = socket;
    this.timer = setTimeout(onTimeout, REQUEST_TIME_MS);
  }

  get state(): SessionState {
    return this.phase;
  }

  /** Reply bytes that the client has not taken yet. */
  get unsentBytes(): number {
    return this.rest.length;
  }

  /**
   * Takes what has arrived.
   *
   * @returns the request's text once it is whole; null before that, and for anything after it
   * @throws {FramingError} when it can't become a request any more
   */
  receive(bytes: Uint8Array): string | null {
    return this.phase === "reading" ? this.begun(this.reader.push(bytes)) : null;
  }

  /** The client has ended its half: what it sent so far is the request. Null when there was none. */
  receiveEnd(): string | null {
    return this.phase === "reading" ? this.begun(this.reader.end()) : null;
  }

  /** Sends the reply, at the client's pace, and closes. A second reply is dropped: the first one stands. */
  reply(bytes: Uint8Array): void {
    if (this.phase !== "reading" && this.phase !== "working") return;
    this.listenNoMore("writing");
    this.rest = bytes;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.drop(), REPLY_TIME_MS);
    this.flush();
  }

  /** Writes on; called again by the runtime whenever the socket has room. */
  flush(): void {
    if (this.phase !== "writing") return;
    const written = this.socket.write(this.rest);
    if (written < 0) {
      this.drop();
      return;
    }
    this.rest = this.rest.subarray(written);
    // What was written lies in the client's own queue, so closing takes nothing away from it.
    if (this.rest.length === 0) this.drop();
  }

  /** Ends it now. */
  drop(): void {
    if (this.phase === "closed") return;
    this.closed();
    this.socket.terminate();
  }

  /** The socket is gone; nothing is held any more. */
  closed(): void {
    this.phase = "closed";
    this.rest = new Uint8Array(0);
    clearTimeout(this.timer);
  }

  private begun(text: string | null): string | null {
    if (text === null) return null;
    clearTimeout(this.timer);
    this.listenNoMore("working");
    return text;
  }

  /** Every further byte would cost a buffer only to be thrown away. That the client has gone is noticed when writing. */
  private listenNoMore(state: SessionState): void {
    this.phase = state;
    this.socket.pause();
  }
}
