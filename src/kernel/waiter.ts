// Wakes the event loop when a descriptor becomes readable, once per arm(). A thread of the helper sleeps in
// epoll_wait; while JavaScript drains at its own pace it stays asleep, because wake-ups are what a monitor
// costs.
import { JSCallback } from "bun:ffi";
import { helper } from "./helper.ts";
import { checked } from "./syscall.ts";

export const EPOLLIN = 1;
/** How /proc/self/mountinfo announces a change. */
export const EPOLLPRI = 2;

export class Waiter {
  private readonly callback: JSCallback;
  private armed = false;
  /** How long a descriptor that woke the event loop isn't waited for; those with none aren't in it. */
  private readonly rests = new Map<number, number>();

  /**
   * @param onReady runs on the event loop with one of the ready descriptors, at most once per arm(). One
   *   waiter per process.
   */
  constructor(onReady: (fd: number) => void) {
    // The pointer must stay reachable as long as the thread lives, hence the field.
    this.callback = new JSCallback(
      (fd: number) => {
        this.armed = false;
        if (this.rests.has(fd)) this.rest(fd);
        onReady(fd);
      },
      { args: ["i32"], returns: "void", threadsafe: true },
    );
    checked("start the waiting thread", helper().fh_waiter_start(this.callback.ptr));
  }

  /** @param restMs for one that has something to say all the time, which must not wake for each word */
  add(fd: number, events: number, restMs = 0): void {
    if (restMs > 0) this.rests.set(fd, restMs);
    checked("epoll_ctl(ADD)", helper().fh_waiter_add(fd, events));
  }

  private rest(fd: number): void {
    checked("epoll_ctl(DEL)", helper().fh_waiter_remove(fd));
    setTimeout(() => {
      if (this.rests.has(fd)) checked("epoll_ctl(ADD)", helper().fh_waiter_add(fd, EPOLLIN));
    }, this.rests.get(fd)).unref();
  }

  /** Before descriptors are closed that it waits for. */
  close(): void {
    this.rests.clear();
  }

  remove(fd: number): void {
    this.rests.delete(fd);
    checked("epoll_ctl(DEL)", helper().fh_waiter_remove(fd));
  }

  /** Asks for one call of onReady, at once if something is readable already. */
  arm(): void {
    if (this.armed) return;
    this.armed = true;
    checked("arm the waiting thread", helper().fh_waiter_arm());
  }
}
